"""The map so far: the method's own, on time, and without a trace in the final map."""

import numpy as np
import pytest

from xai_tf.attribution import previews
from xai_tf.attribution.explain import explain
from xai_tf.attribution.methods import METHODS

SMALL = {
    "num_samples": 128,
    "steps": 64,
    "num_designs": 4,
    "patch": 4,
    "stride": 4,
    "num_segments": 9,
}
ONE_PASS = [
    name
    for name, method in METHODS.items()
    if method.cost(method.settings({}, 0.0), (224, 224)).evaluations == 1
]
SAMPLING = [name for name in METHODS if name not in ONE_PASS]


def small(name: str) -> dict[str, float]:
    return {option: SMALL[option] for option in METHODS[name].options if option in SMALL}


@pytest.fixture
def at_every_batch(monkeypatch):
    monkeypatch.setattr(previews, "SECONDS", 0.0)
    monkeypatch.setattr(previews, "SHARE", np.inf)


@pytest.mark.usefixtures("at_every_batch")
@pytest.mark.parametrize("name", SAMPLING)
def test_partial_maps_come_and_leave_the_final_map_as_it_is(three_classes, blobs, name):
    maps = []

    alone = explain(three_classes, blobs, name, target=1, settings=small(name))
    shown = explain(three_classes, blobs, name, target=1, settings=small(name), preview=maps.append)

    np.testing.assert_array_equal(shown.attribution, alone.attribution)
    assert shown.cost == alone.cost
    assert shown.figures == alone.figures
    assert len(maps) >= 2
    assert all(m.dtype == np.float32 and m.shape == (32, 32) for m in maps)
    assert all(np.isfinite(m).all() for m in maps)
    assert METHODS[name].signed or min(m.min() for m in maps) >= 0
    assert not np.array_equal(maps[0], alone.attribution)


@pytest.mark.usefixtures("at_every_batch")
@pytest.mark.parametrize("name", SAMPLING)
def test_when_all_is_known_the_partial_map_is_the_final_one(three_classes, blobs, name):
    """In the same unit too. Only the ends of the path count half in Integrated Gradients."""
    maps = []

    final = explain(
        three_classes, blobs, name, target=1, settings=small(name), preview=maps.append
    ).attribution

    slack = 0.05 if name == "integrated_gradients" else 1e-4
    np.testing.assert_allclose(maps[-1], final, atol=slack * np.abs(final).max())


@pytest.mark.usefixtures("at_every_batch")
@pytest.mark.parametrize("name", ONE_PASS)
def test_a_method_of_one_pass_has_nothing_to_show(three_classes, blobs, name):
    maps = []

    explain(three_classes, blobs, name, preview=maps.append)

    assert maps == []


@pytest.mark.usefixtures("at_every_batch")
def test_smooth_grad_is_nearly_there_before_the_last_copies(three_classes, blobs):
    maps = []

    final = explain(
        three_classes, blobs, "smooth_grad", settings={"num_samples": 128}, preview=maps.append
    ).attribution

    near = [np.corrcoef(m.ravel(), final.ravel())[0, 1] for m in maps[:-1]]
    assert near[-1] > 0.95
    assert near[-1] > near[0]


@pytest.mark.usefixtures("at_every_batch")
@pytest.mark.parametrize("name", ["integrated_gradients", "lime", "kernel_shap", "rise", "hsic"])
def test_a_partial_map_lies_on_the_half_that_decides(halves, left_bright, name):
    maps, options = [], {"num_samples": 256, "num_segments": 16}
    settings = {o: v for o, v in options.items() if o in METHODS[name].options}

    explain(halves, left_bright, name, target="left", settings=settings, preview=maps.append)

    half_way = maps[len(maps) // 2 - 1]
    assert half_way[:, :16].mean() > 2 * np.abs(half_way[:, 16:]).mean()


@pytest.mark.usefixtures("at_every_batch")
@pytest.mark.parametrize("name", ["occlusion", "sobol"])
def test_places_to_come_are_zero(halves, left_bright, name):
    """Both go row by row, and only the left of the picture matters."""
    maps, options = [], {"patch": 4, "stride": 4, "num_designs": 8, "grid": 8}
    settings = {o: v for o, v in options.items() if o in METHODS[name].options}

    final = explain(
        halves, left_bright, name, target="left", settings=settings, preview=maps.append
    ).attribution

    assert maps[0][:8, :14].mean() > 0
    assert np.abs(maps[0][24:]).max() < 1e-6
    assert final[24:, :14].mean() > 0


@pytest.mark.usefixtures("at_every_batch")
def test_a_linear_model_is_shown_once_the_samples_settle_it(halves, left_bright):
    done, shown_at = [0], []

    explanation = explain(
        halves,
        left_bright,
        "kernel_shap",
        settings={"num_segments": 36, "num_samples": 256},
        progress=lambda now, _: done.__setitem__(0, now),
        preview=lambda _: shown_at.append(done[0]),
    )

    assert min(shown_at) >= 4 * len(explanation.segment_weights)
    assert max(shown_at) <= 256


@pytest.mark.usefixtures("at_every_batch")
@pytest.mark.parametrize("name", ["smooth_grad", "rise", "lime", "integrated_gradients"])
def test_raising_in_partial_stops_the_work(three_classes, blobs, name):
    class StopWorkError(Exception):
        pass

    def stop(_):
        raise StopWorkError

    done = []
    with pytest.raises(StopWorkError):
        explain(
            three_classes,
            blobs,
            name,
            settings=small(name),
            preview=stop,
            progress=lambda now, total: done.append((now, total)),
        )
    now, total = done[-1]
    assert now < total


def test_maps_come_about_once_a_second_and_cost_little_time(monkeypatch):
    """A clock of our own: an offer every 0.1 s, and estimates that take 0.2 s."""
    now = [0.0]
    monkeypatch.setattr(previews.time, "monotonic", lambda: now[0])
    cheap, dear = [], []

    def estimate(seconds):
        now[0] += seconds
        return np.zeros((2, 2))

    preview = previews.Previews(lambda _: cheap.append(now[0]), METHODS["rise"])
    while now[0] < 10:
        preview(estimate, 0.0)
        now[0] += 0.1
    start = now[0]
    preview = previews.Previews(lambda _: dear.append(now[0] - start), METHODS["rise"])
    while now[0] < start + 10:
        preview(estimate, 0.2)
        now[0] += 0.1

    assert 8 <= len(cheap) <= 9
    assert cheap[0] >= 1
    assert min(np.diff(cheap)) >= 1
    assert 2 <= len(dear) <= 3
    assert min(np.diff(dear)) >= 0.2 / previews.SHARE
