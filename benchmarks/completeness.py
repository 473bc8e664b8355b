"""Do Integrated Gradients add up, and at how many passes?

For each bundled model on its bundled samples, for the class predicted and the runner-up: the
completeness gap (the share of the score's change that the map misses) of equal steps and of steps
that are placed where the score changes, and how far each map agrees (rank correlation of 28x28
cells) with one of 1024 equal steps.

Run: python benchmarks/completeness.py [--write] [MODEL ...]; it prints a section for
`benchmarks/results.md`, and writes it with --write.
"""

import argparse
import os
import re
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from xai_tf import load
from xai_tf.agreement.agreement import rank_correlation
from xai_tf.attribution.explain import explain
from xai_tf.attribution.methods import MAX_GAP
from xai_tf.classifiers.classifier import Classifier
from xai_tf.cli.demo import SAMPLES
from xai_tf.inputs.sample import Sample

RESULTS = Path(__file__).parent / "results.md"
MODELS = {
    "dogs_mobilenetv2": ("dog.jpg", "cat.jpg"),
    "xray_mobilenetv2": ("xray_opacity.jpg", "xray_normal.jpg"),
    "xray_alexnet": ("xray_opacity.jpg", "xray_normal.jpg"),
    "brain_mobilenetv2": ("brain_head_lesion.png", "brain_head_notumor.png"),
    "brain_cnn": ("brain_head_lesion.png", "brain_head_notumor.png"),
    "audio_mobilenetv2": ("speech_human.wav", "speech_synthetic.wav"),
}
EQUAL = (64, 128)  # steps
REFERENCE = 1024
HEAD = f"""## Integrated gradients that add up

By `benchmarks/completeness.py`: the completeness gap of equal steps (64 was the default) and of the
default, which places them, for the class predicted and for the runner-up (of two classes, the same
with the sign turned); in brackets the rank correlation with the map of {REFERENCE} equal steps.

| model | file | class | change | {" | ".join(f"{n} equal" for n in EQUAL)} | placed | steps |
|---|---|---|---|{"---|" * len(EQUAL)}---|---|
"""


def ranked(classifier: Classifier, sample: Sample) -> list[int]:
    """The class predicted and the runner-up; the first alone where there are two."""
    probabilities = classifier.predict([sample])[0].probabilities
    order = np.argsort(-probabilities).tolist()
    return order[: 1 if len(order) == 2 else 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=list(MODELS), metavar="MODEL")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    lines, gaps, steps = [], [], []
    for model in options.models:
        classifier = load(model)
        for file in MODELS[model]:
            sample = classifier.read(SAMPLES / file)
            for label in ranked(classifier, sample):
                maps = [
                    explain(
                        classifier,
                        sample,
                        "integrated_gradients",
                        target=label,
                        settings={"steps": count},
                    )
                    for count in (*EQUAL, 0, REFERENCE)
                ]
                figures = [one.figures for one in maps]
                gaps.append([each["completeness_gap"] for each in figures[:-1]])
                steps.append(maps[-2].cost.evaluations)
                cells = [
                    f"{each['completeness_gap']:.1%} ({rank_correlation(one, maps[-1]):.2f})"
                    for each, one in zip(figures[:-1], maps[:-1], strict=True)
                ]
                change = figures[0]["score"] - figures[0]["score_baseline"]
                name = classifier.classes[label]
                row = (model, file, name, f"{change:+.2f}", *cells, str(steps[-1]))
                lines.append(f"| {' | '.join(row)} |")
                print(lines[-1], flush=True)
    over = [f"{sum(column > MAX_GAP for column in each)}" for each in np.transpose(gaps)]
    medians = [f"{value:.1%}" for value in np.median(gaps, axis=0)]
    text = (
        f"{HEAD}{chr(10).join(lines)}\n\nGap over {MAX_GAP:.0%}: {over[0]} of {len(gaps)} with "
        f"{EQUAL[0]} equal steps, {over[1]} with {EQUAL[1]}, {over[2]} placed; medians "
        f"{', '.join(medians)}. Steps placed: {min(steps)} to {max(steps)}, median "
        f"{np.median(steps):.0f}.\n"
    )
    print(text)
    if options.write:
        parts = re.split(r"(?m)^(?=## )", RESULTS.read_text())
        kept = [part.rstrip() + "\n" for part in parts if not part.startswith(HEAD.splitlines()[0])]
        RESULTS.write_text("\n".join([*kept, text]))


if __name__ == "__main__":
    main()
