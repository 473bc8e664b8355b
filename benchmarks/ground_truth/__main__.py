"""Which method finds what decided? Plants things in real files, trains, scores, writes a page.

Run: python -m benchmarks.ground_truth --data DATA [--json]; DATA holds samples, chest_xray,
brain_mri, speech and weights. It writes a result for each puzzle and backbone as soon as it is
there (RESULTS), goes on where it was stopped, and in the end writes docs/leaderboard.md and its
picture. With --write-only it writes the page of the results that are there.
"""

import argparse
import json
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from functools import partial
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.ground_truth.drawing import draw
from benchmarks.ground_truth.leaderboard import rounds_of, standings
from benchmarks.ground_truth.learning import LEARNERS
from benchmarks.ground_truth.puzzles import PUZZLES
from benchmarks.ground_truth.running import Plan, keep_to_one_core, made_by, read_result, run_puzzle
from benchmarks.ground_truth.writing import page

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ground_truth",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, help="the data folder")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--docs", type=Path, default=DOCS)
    parser.add_argument("--puzzles", nargs="+", choices=PUZZLES, default=list(PUZZLES))
    parser.add_argument("--backbones", nargs="+", choices=LEARNERS, default=list(LEARNERS))
    parser.add_argument("--files", type=int, default=Plan.files, help="explained in each round")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--networks", type=Path, help="folder where trained networks are kept")
    parser.add_argument("--write-only", action="store_true")
    parser.add_argument("--json", action="store_true", help="the standings, as JSON")
    given = parser.parse_args()
    say = partial(print, flush=True)
    plan, start = Plan(files=given.files), time.perf_counter()
    made_by()  # before anything is changed that is read when the last round is done
    given.results.mkdir(parents=True, exist_ok=True)
    if given.networks:
        given.networks.mkdir(parents=True, exist_ok=True)
    if not given.write_only:
        if not (given.data and given.data.is_dir()):
            parser.error(
                f"--data {given.data} is no folder. Give the one with samples, speech, ..."
            )
        with ProcessPoolExecutor(
            given.processes, multiprocessing.get_context("spawn"), keep_to_one_core
        ) as pool:
            # The larger network first, so that the processes end at about the same time.
            jobs = [
                pool.submit(
                    run_puzzle,
                    name,
                    backbone,
                    given.data,
                    given.results,
                    plan,
                    say,
                    given.networks,
                )
                for backbone in LEARNERS
                for name in given.puzzles
                if backbone in given.backbones
            ]
            try:
                for job in as_completed(jobs):
                    job.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)  # what is under way is still written
                raise
    found = {
        f"{name} on {backbone}": read_result(given.results, name, backbone, plan)
        for name in given.puzzles
        for backbone in given.backbones
    }
    missing = [title for title, result in found.items() if result is None]
    if missing:
        parser.error(f"{given.results} lacks {', '.join(missing)}, made by this code. Give --data.")
    results = list(found.values())
    rounds = rounds_of(results)
    given.docs.mkdir(parents=True, exist_ok=True)
    (given.docs / "leaderboard.md").write_text(page(results, "leaderboard.png"))
    if rounds:
        draw(rounds, given.docs / "leaderboard.png")
    places = standings(rounds)
    if given.json:
        print(json.dumps([asdict(one) for one in places], indent=1))
    else:
        for place, one in enumerate(places, start=1):
            print(f"{place:3d} {one.entry:22s} rank {one.rank:5.2f} skill {one.skill:.3f}")
        used = getrusage(RUSAGE_CHILDREN)
        print(
            f"{given.docs / 'leaderboard.md'} written after {time.perf_counter() - start:.0f} s, "
            f"{used.ru_utime + used.ru_stime:.0f} s of processor time in the processes"
        )


if __name__ == "__main__":
    main()
