"""What we read equals what the author's own code says, over a sample of all shapes of models."""

import pytest

from benchmarks import reading

pytest.importorskip("tf_keras")
EVERY = 29


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
def test_probabilities_equal_those_of_the_author_or_a_warning_says_it_is_a_guess():
    chosen = reading.cases()[::EVERY]

    verdicts = reading.run(chosen)

    wrong = {case: verdict for case, verdict in verdicts.items() if "ERROR" in verdict.outcome}
    assert not wrong
    assert len(verdicts) >= 15
    scaling_inside = [v for case, v in verdicts.items() if "none" not in case.scaling]
    assert all(verdict.outcome == "equal" for verdict in scaling_inside)


def test_the_sample_has_every_scaling_head_and_format():
    chosen = reading.cases()[::EVERY]

    for part, values in (
        ("scaling", reading.SCALINGS),
        ("head", reading.HEADS),
        ("format", reading.FORMATS),
        ("shape", reading.SHAPES),
    ):
        assert {getattr(case, part) for case in chosen} == set(values)
    assert "| Rescaling |" in reading.section({})
