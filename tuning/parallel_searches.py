"""Whole searches side by side: a file with the arguments of `xai-tf tune`, a line a search."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from tuning.search_folder import write_json
from tuning.subprocesses import Child, start, stop, threads_each
from xai_tf.errors import InputError, SettingError

Report = Callable[[str, int, int], None]
OUTCOMES = "outcomes.json"
PAUSE = 0.2
# Ends with this process; then it is the command.
CODE = (
    "from tuning.subprocesses import follow; follow({parent}); "
    "from xai_tf.cli.main import main; main()"
)


@dataclass(frozen=True)
class Outcome:
    """How a search of several ended.

    Attributes:
        name: its `--name`, or the number of its line.
        code: the exit code; 0 where it went well, below 0 where a signal ended it.
        seconds: that it took.
        log: what it said.
    """

    name: str
    code: int
    seconds: float
    log: Path


def run_many(file: Path, processes: int = 1, report: Report = lambda *_: None) -> list[Outcome]:
    """Run searches, some at a time. Each goes on where it was stopped, so this may run again.

    One that fails does not stop the others; Ctrl-C stops all. Logs and `outcomes.json` go into a
    folder beside the file that is named after it.

    Args:
        file: a line a search, as it would be typed after `xai-tf tune`; `#` begins a comment.
        processes: how many run at once. They share the cores.
        report: called with (what happened, searches done, searches in all).

    Returns:
        Of each line, in their order.

    Raises:
        InputError: the file cannot be read, or names no search, or one twice.
    """
    if processes < 1:
        raise SettingError(f"processes is {processes}. Give at least 1.")
    waiting = read_searches(file)
    folder, names, total = file.with_suffix(""), list(waiting), len(waiting)
    folder = folder if folder != file else file.with_name(f"{file.name}_logs")
    running: list[Child] = []
    found: dict[str, Outcome] = {}
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                name = next(iter(waiting))
                running.append(_start(name, ["tune", *waiting.pop(name)], folder, processes))
                report(f"{name} began", len(found), total)
            for child in [c for c in running if c.process.poll() is not None]:
                running.remove(child)
                found[child.name] = _outcome(child)
                _write(folder, [found[name] for name in names if name in found])
                how = "ended" if not child.process.returncode else f"failed, {child.ending()}"
                report(f"{child.name} {how}", len(found), total)
            time.sleep(PAUSE)
    finally:
        stop(running)
    return [found[name] for name in names]


def read_searches(file: Path) -> dict[str, list[str]]:
    """The arguments of each search, by its name or the number of its line.

    Raises:
        InputError: the file cannot be read, or names no search, or one twice.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot read {file} ({error}). Give a text file.") from error
    found: dict[str, list[str]] = {}
    for number, line in enumerate(lines, start=1):
        try:
            arguments = shlex.split(line, comments=True)
        except ValueError as error:
            raise InputError(f"Line {number} of {file}: {error}. Mend the quotes.") from error
        if not arguments:
            continue
        name = _name(arguments) or f"line_{number}"
        if name in found:
            raise InputError(
                f"Line {number} of {file} names {name!r} again. Give each search its own --name."
            )
        found[name] = arguments
    if not found:
        raise InputError(
            f"{file} names no search. Write the arguments of `xai-tf tune`, a line each."
        )
    return found


def _start(name: str, arguments: list[str], folder: Path, processes: int) -> Child:
    code = CODE.format(parent=os.getpid())
    log = folder / f"{name.replace(os.sep, '_')}.log"
    return start(name, ["-c", code, *arguments], log, threads_each(processes))


def _outcome(child: Child) -> Outcome:
    seconds = round(time.time() - child.since, 1)
    return Outcome(child.name, child.process.returncode, seconds, child.log)


def _write(folder: Path, outcomes: list[Outcome]) -> None:
    write_json(folder / OUTCOMES, [asdict(o) | {"log": str(o.log)} for o in outcomes])


def _name(arguments: list[str]) -> str:
    for place, argument in enumerate(arguments):
        if argument.startswith("--name="):
            return argument.removeprefix("--name=")
        if argument == "--name" and place + 1 < len(arguments):
            return arguments[place + 1]
    return ""
