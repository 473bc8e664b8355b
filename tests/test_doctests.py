"""The examples in docstrings (`>>>`) run as they stand."""

import doctest
import shutil
from importlib import import_module

import pytest

from tests.conftest import SAMPLES
from tests.test_layers import MODULES

WITH_EXAMPLES = [name for name, path in MODULES.items() if ">>> " in path.read_text()]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_run(name, tmp_path, monkeypatch):
    for sample in SAMPLES.glob("*.*"):
        shutil.copy(sample, tmp_path)
    monkeypatch.chdir(tmp_path)

    outcome = doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS)

    assert outcome.attempted
    assert not outcome.failed
