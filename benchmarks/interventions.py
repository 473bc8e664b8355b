"""Does what a swap finds hang on how the region is pasted, or on the pairs?

The lungs of the test X-rays, swapped for xray_mobilenetv2: with the pasting of the library for
several seeds; laid over without moving, in their own outline; and with all that either outline
encloses.

Run: python benchmarks/interventions.py DATA [--seeds 5]; DATA holds chest_xray.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from scipy import ndimage

from xai_tf.classifiers.loading import load
from xai_tf.interventions import locate, read_cases
from xai_tf.interventions.pasting import FEATHER, paste
from xai_tf.interventions.swap import swap


def laid_over(values, mask, onto, onto_mask):
    """The region where it is, in its own outline."""
    sigma = FEATHER * min(mask.shape)
    inside = ndimage.gaussian_filter(mask.astype(np.float32), sigma)[..., None]
    return (inside * values + (1 - inside) * onto).astype(np.float32)


def both_outlines(values, mask, onto, onto_mask):
    """All that the outline of either region encloses, with some of its surroundings."""
    return laid_over(values, mask | onto_mask, onto, onto_mask)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    cases = read_cases(load("xray_mobilenetv2"), given.data / "chest_xray/test")
    located = locate(cases, "lungs")
    print(
        "| pasting | seed | by the lungs | controls | pairs | verdict |\n|---|---|---|---|---|---|"
    )
    runs = [(paste, seed) for seed in range(given.seeds)]
    for pasting, seed in (*runs, (laid_over, 0), (both_outlines, 0)):
        finding = swap(located, seed, pasting=pasting)
        first, control = finding.lines[0].share, finding.lines[-1].share
        row = (pasting.__name__, seed, first, control, first.count, finding.verdict)
        print(f"| {' | '.join(map(str, row))} |", flush=True)


if __name__ == "__main__":
    main()
