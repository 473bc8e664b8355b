"""How `xai-tf explain` draws maps, and what it tells of their cost before."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.conftest import SAMPLES
from xai_tf.cli.run import app

METHOD = "integrated_gradients"


@pytest.fixture(scope="module")
def drawn(asking, tmp_path_factory):
    """What `explain` tells and writes, drawn smoothed and as it is."""
    runs = {}
    for flag in ("--smooth", "--no-smooth"):
        out = tmp_path_factory.mktemp("drawn") / "out"
        words = ["explain", SAMPLES / "cat.jpg", *asking, "--method", METHOD, "--out", out]
        result = CliRunner().invoke(app, [*map(str, words), "--score", "sparseness", flag])
        assert result.exit_code == 0, result.output
        runs[flag] = result.output, out / "cat"
    return runs


def test_maps_are_smoothed_in_pictures_only(drawn):
    (_, smooth), (_, raw) = drawn["--smooth"], drawn["--no-smooth"]

    arrays = [np.load(folder / "attributions.npz")[METHOD] for folder in (smooth, raw)]
    np.testing.assert_array_equal(*arrays)
    over = [np.asarray(Image.open(f / f"{METHOD}_overlay.png")).astype(int) for f in (smooth, raw)]
    assert np.abs(over[0] - over[1]).mean() > 1


def test_overlays_have_the_size_of_the_file(drawn):
    files = (drawn["--smooth"][1] / f"{METHOD}_overlay.png", SAMPLES / "cat.jpg")

    over, file = (np.asarray(Image.open(path)) for path in files)

    assert over.shape == file.shape


def test_the_range_of_passes_is_told_before(drawn):
    told = " ".join(drawn["--smooth"][0].split())

    assert "Integrated gradients: 64 to 512 passes per map, about" in told
