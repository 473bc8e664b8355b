"""Whole searches in parallel, from a file with the arguments of one `xai-tf tune` per line."""

from __future__ import annotations

import os
import shlex
import time
from dataclasses import dataclass
from pathlib import Path

from tuning.search_folder import write_json
from tuning.subprocesses import Child, start, stop, thread_limits
from xai_tf.errors import InputError, SettingError
from xai_tf.progress import Progress, silent

RESULTS = "outcomes.json"
POLL_SECONDS = 0.2
# The command, in a process that ends with this one.
CODE = (
    "from tuning.subprocesses import exit_with_parent; exit_with_parent({parent}); "
    "from xai_tf.cli import main; main()"
)


@dataclass(frozen=True)
class SearchResult:
    """How one of several searches ended.

    Attributes:
        name: its `--name`, or the number of its line.
        exit_code: 0 if it succeeded; negative if a signal ended it.
        seconds: its duration.
        log: the file with its output.
    """

    name: str
    exit_code: int
    seconds: float
    log: Path

    def to_dict(self) -> dict[str, str | int | float]:
        """The result as it is stored in `outcomes.json`."""
        return {
            "name": self.name,
            "code": self.exit_code,
            "seconds": self.seconds,
            "log": str(self.log),
        }


def run_searches(file: Path, processes: int = 1, progress: Progress = silent) -> list[SearchResult]:
    """Run searches, several at a time. Run again, each of them resumes where it was stopped.

    A search that fails does not stop the others; Ctrl-C stops all. Logs and `outcomes.json` are
    written to a folder that is named after the file, beside it.

    Args:
        file: one search per line, as it would be typed after `xai-tf tune`; `#` starts a comment.
        processes: how many run at a time. They share the cores.
        progress: is called with searches done, searches in all, and what happened.

    Returns:
        The results, in the order of the lines.

    Raises:
        InputError: the file cannot be read, or names no search, or the same one twice.
        SettingError: `processes` is not positive.
    """
    if processes < 1:
        raise SettingError(f"Invalid value for processes: {processes}. Expected at least 1.")
    waiting = read_searches(file)
    folder, names, total = file.with_suffix(""), list(waiting), len(waiting)
    folder = folder if folder != file else file.with_name(f"{file.name}_logs")
    running: list[Child] = []
    results: dict[str, SearchResult] = {}
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                name = next(iter(waiting))
                running.append(_start(name, ["tune", *waiting.pop(name)], folder, processes))
                progress(len(results), total, f"{name} started")
            for child in [c for c in running if c.process.poll() is not None]:
                running.remove(child)
                results[child.name] = _result(child)
                _write(folder, [results[name] for name in names if name in results])
                ending = f"failed, {child.describe_exit()}" if child.process.returncode else "ended"
                progress(len(results), total, f"{child.name} {ending}")
            time.sleep(POLL_SECONDS)
    finally:
        stop(running)
    return [results[name] for name in names]


def read_searches(file: Path) -> dict[str, list[str]]:
    """The arguments of each search, by its name or the number of its line.

    Raises:
        InputError: the file cannot be read, or names no search, or the same one twice.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot read {file}: {error}. Give a text file.") from error
    searches: dict[str, list[str]] = {}
    for number, line in enumerate(lines, start=1):
        try:
            arguments = shlex.split(line, comments=True)
        except ValueError as error:
            raise InputError(
                f"Cannot read line {number} of {file}: {error}. Fix its quotes."
            ) from error
        if not arguments:
            continue
        name = _name(arguments) or f"line_{number}"
        if name in searches:
            raise InputError(
                f"Line {number} of {file} uses the name {name!r} again. Give each search its own "
                "--name."
            )
        searches[name] = arguments
    if not searches:
        raise InputError(
            f"{file} contains no search. Write the arguments of `xai-tf tune`, one search per line."
        )
    return searches


def _start(name: str, arguments: list[str], folder: Path, processes: int) -> Child:
    code = CODE.format(parent=os.getpid())
    log = folder / f"{name.replace(os.sep, '_')}.log"
    return start(name, ["-c", code, *arguments], log, thread_limits(processes))


def _result(child: Child) -> SearchResult:
    seconds = round(time.time() - child.since, 1)
    return SearchResult(child.name, child.process.returncode, seconds, child.log)


def _write(folder: Path, results: list[SearchResult]) -> None:
    write_json(folder / RESULTS, [result.to_dict() for result in results])


def _name(arguments: list[str]) -> str:
    for place, argument in enumerate(arguments):
        if argument.startswith("--name="):
            return argument.removeprefix("--name=")
        if argument == "--name" and place + 1 < len(arguments):
            return arguments[place + 1]
    return ""
