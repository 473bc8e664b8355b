"""How fast does the dashboard answer, and does it hold when many explore it at once?

A real server with an empty cache, a real Chromium, and a crowd of websocket clients (crowd.py):

1. Warm latency from a dropped file that nobody has seen to its prediction and its first map
   on the page, and from the click on a sample that is known; against the bare passes of the model.
2. A crowd explores. Meanwhile a toggle in Chromium and `/healthz` are timed, and half-way a busy
   worker is killed. After everybody has left, a shorter round shows whether memory grows.

Run: python benchmarks/dashboard.py [--sessions 20] [--seconds 300] [--write]; it prints a section
for `benchmarks/results.md`, and writes it there with --write.
"""

import argparse
import itertools
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from threading import Event, Thread
from urllib.request import urlopen

import numpy as np
import soundfile
from browsing import choose_method, choose_mode, drop, take, take_another, visit
from PIL import Image
from playwright.sync_api import Page
from processes import megabytes, workers
from results_file import write_section

from weights_keras import FOLDER
from xai_tf.cli.demo import SAMPLES

HERE = Path(__file__).parent
SERVE = "import dashboards.commands; from xai_tf.cli import main; main()"
ROUNDS = 10  # of each latency
TITLES = {"xray_opacity.jpg": "Chest X-ray, opacity", "speech_human.wav": "Human speech"}
MODELS = {"xray_opacity.jpg": "xray_mobilenetv2", "speech_human.wav": "audio_mobilenetv2"}
AFTERWARDS = 120  # seconds in which a server forgets who has left; it drops them after 60 to 75
FAULT = re.compile("error|traceback|failed", re.IGNORECASE)


@dataclass
class Load:
    """What a round of a crowd showed; seconds and megabytes.

    Attributes:
        diary: of the crowd.
        toggles, modes, health: seconds of a method, a mode and a `/healthz`, each.
        before, during, after: memory of the server, at the end with all visitors, and of the
            workers after it.
        left: folders of sessions that are still there.
    """

    diary: dict
    toggles: list[float] = field(default_factory=list)
    modes: list[float] = field(default_factory=list)
    health: list[float] = field(default_factory=list)
    before: float = 0.0
    during: float = 0.0
    after: float = 0.0
    of_workers: list[float] = field(default_factory=list)
    left: int = 0


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, int]]:
    """A server in a process of its own; gives its address and its pid."""
    command = [sys.executable, "-c", SERVE, "serve", "--no-browser", "--port", "0"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--cache", str(folder / "cache")],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=HERE.parent,
        )
    try:
        yield process.stdout.readline().strip().rstrip("/"), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def variants(folder: Path, name: str) -> Iterator[Path]:
    """Copies of a sample that differ a little, each from all others."""
    rng = np.random.default_rng(0)
    for number in itertools.count():
        if name.endswith(".wav"):
            path = folder / f"{number}.wav"
            wave, rate = soundfile.read(SAMPLES / name)
            wave[rng.integers(len(wave))] += 0.01
            soundfile.write(path, wave, rate)
        else:
            path = folder / f"{number}.png"
            pixels = np.asarray(Image.open(SAMPLES / name).convert("L")).copy()
            pixels[tuple(rng.integers(pixels.shape))] ^= 0xFF
            Image.fromarray(pixels).save(path)
        yield path


def floor(name: str) -> tuple[float, float]:
    """Seconds of one forward and one gradient pass of a sample's model."""
    with get_context("spawn").Pool(1) as process:
        return process.apply(_passes, (name,))


def _passes(name: str) -> tuple[float, float]:
    from xai_tf.classifiers.loading import load

    classifier = load(FOLDER / f"{MODELS[name]}.keras")
    image = classifier.read(SAMPLES / name).image[None]
    target = classifier.target(0)[None]
    runs = classifier.passes.scores, classifier.passes.gradients
    for run in runs:
        run(image, target)
    return tuple(
        median(_seconds(lambda run=run: run(image, target).numpy()) for _ in range(20))
        for run in runs
    )


def latencies(page: Page, folder: Path) -> list[str]:
    """Rows of the table of latencies, of a server that is warm."""
    rows = []
    for name, title in TITLES.items():
        forward, gradient = floor(name)
        take(page, title)
        files = variants(folder, name)
        for path in itertools.islice(files, 3):  # the worker prepares its model meanwhile
            drop(page, path)
            page.wait_for_timeout(5000)
        rows.append(
            _row(f"{name}, new", _medians(lambda: drop(page, next(files)), page), forward, gradient)
        )
        other = next(other for other in TITLES.values() if other != title)
        take(page, other)

        def again(title: str = title, other: str = other) -> tuple[float, float]:
            spent = take_another(page, title)
            page.wait_for_timeout(500)
            take_another(page, other)
            return spent

        rows.append(_row(f"{name}, known", _medians(again, page), forward, gradient))
    return rows


def _medians(run, page: Page) -> list[float]:
    spent = []
    for _ in range(ROUNDS):
        spent.append(run())
        page.wait_for_timeout(500)
    return [median(column) for column in zip(*spent, strict=True)]


def _row(name: str, spent: list[float], forward: float, gradient: float) -> str:
    parts = [f"{1000 * value:.0f}" for value in (forward, gradient, *spent)]
    ratios = [f"{spent[0] / forward:.1f}", f"{spent[1] / (forward + gradient):.1f}"]
    return "| " + " | ".join([name, *parts, *ratios]) + " |"


def load(site: tuple[str, int], page: Page, folder: Path, sessions: int, seconds: float) -> Load:
    """Let a crowd in, time what one browser and a machine see meanwhile, and wait afterwards."""
    url, server = site
    before = megabytes(server)
    arguments = [url, str(server), str(sessions), str(seconds), str(int(before))]
    crowd = subprocess.Popen(
        [sys.executable, HERE / "crowd.py", *arguments], stdout=subprocess.PIPE, text=True
    )
    found = Load({}, before=before)
    over = Event()
    prober = Thread(target=_probe, args=(f"{url}/healthz", found.health, over))
    prober.start()
    answer: list[str] = []
    reader = Thread(target=lambda: answer.append(crowd.stdout.read()))
    reader.start()
    turns = itertools.cycle([("Saliency", "Map"), ("Grad-CAM", "Overlay")])
    while reader.is_alive():
        method, mode = next(turns)
        found.toggles.append(choose_method(page, method))
        found.modes.append(choose_mode(page, mode))
        found.during = max(found.during, megabytes(server))
        page.wait_for_timeout(2000)
    over.set()
    prober.join()
    found.diary = json.loads(answer[0])
    time.sleep(AFTERWARDS)
    found.after, found.of_workers = megabytes(server), [megabytes(pid) for pid in workers(server)]
    found.left = len(list((folder / "cache/uploads").iterdir())) - 1  # our own page is still open
    return found


def _probe(url: str, health: list[float], over: Event) -> None:
    while not over.wait(1):
        health.append(_seconds(lambda: urlopen(url, timeout=60).read()))


def _seconds(run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def quantiles(seconds: list[float]) -> str:
    """Median, 95th and 99th percentile in milliseconds, and of how many."""
    if not seconds:
        return "- | - | - | 0"
    shares = [f"{1000 * np.quantile(seconds, share):.0f}" for share in (0.5, 0.95, 0.99)]
    return " | ".join([*shares, str(len(seconds))])


def section(rows: list[str], rounds: list[Load], options: argparse.Namespace, log: str) -> str:
    """The section of `results.md`."""
    first = rounds[0]
    answers = first.diary["answers"]
    known = {
        f"{title} of a map that is known{', Grad-CAM' if method else ''}": [
            took
            for kind, by, before, took in answers
            if kind == action and before and by == (method or by)
        ]
        for action, title in (("method", "method"), ("label", "class"), ("sample", "sample"))
        for method in ("grad_cam", "")
    }
    timed = known | {
        "map that is new": [took for *_, before, took in answers if not before],
        "page of a new visitor": first.diary["arrivals"],
        "Chromium: another known method": first.toggles,
        "Chromium: overlay or map": first.modes,
        "/healthz": first.health,
    }
    lines = [
        "## Dashboard",
        "",
        f"By `benchmarks/dashboard.py`, {date.today()}, two processor cores, the browser and the "
        "crowd on the same ones. Milliseconds.",
        f"Medians of {ROUNDS}, warm; `new`: a file nobody has seen, from the drop in Chromium; "
        "`known`: a click on a sample.",
        "",
        "| file | floor: forward | floor: gradient | to prediction | to the first map | "
        "prediction / forward | first map / forward and gradient |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
        f"{options.sessions} visitors explore at once for {options.seconds:.0f} s and think for "
        f"1 to 5 s between two things; {len(answers)} answers to "
        f"{len(first.diary['arrivals'])} sessions.",
        "",
        "| what | median | 95 % | 99 % | of |",
        "|---|---|---|---|---|",
        *(f"| {name} | {quantiles(seconds)} |" for name, seconds in timed.items()),
        "",
        "| round | wrong or failed | workers killed | saw the retry | server MB: before | most | "
        "after | workers MB | sessions left | longest message kB |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_memory(number, round) for number, round in enumerate(rounds, 1)),
        "",
        f"Lines of the server's log with a fault: {len(FAULT.findall(log))}.",
    ]
    return "\n".join(lines) + "\n"


def _memory(number: int, load: Load) -> str:
    diary = load.diary
    parts = [
        number,
        len(diary["faults"]),
        diary["kills"],
        diary["retries"],
        f"{load.before:.0f}",
        f"{load.during:.0f}",
        f"{load.after:.0f}",
        ", ".join(f"{m:.0f}" for m in load.of_workers),
        load.left,
        f"{diary['largest'] / 1000:.0f}",
    ]
    return "| " + " | ".join(map(str, parts)) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--write", action="store_true", help="into benchmarks/results.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with serving(folder) as site, visit(site[0]) as page:
            rows = latencies(page, folder)
            print("\n".join(rows), file=sys.stderr)
            take(page, TITLES["xray_opacity.jpg"])
            choose_method(page, "Saliency")
            rounds = [
                load(site, page, folder, options.sessions, seconds)
                for seconds in (options.seconds, options.seconds / 4)
            ]
        log = (folder / "log").read_text()
        print(
            "\n".join(fault for round in rounds for fault in round.diary["faults"]) + f"\n{log}",
            file=sys.stderr,
        )
        text = section(rows, rounds, options, log)
    print(text)
    if options.write:
        write_section(text)


if __name__ == "__main__":
    main()
