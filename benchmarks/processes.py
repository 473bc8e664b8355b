"""The processes of a server, as Linux sees them."""

import time
from pathlib import Path

PROC = Path("/proc")


def workers(server: int) -> list[int]:
    """The pids of the processes that compute for a server."""
    children = (PROC / f"{server}/task/{server}/children").read_text().split()
    threads = (PROC / f"{server}/task").glob("*/children")
    children += [pid for path in threads for pid in path.read_text().split()]
    return [int(pid) for pid in set(children) if "spawn_main" in _command(pid)]


def busiest(server: int, seconds: float = 0.5) -> int:
    """The pid of the worker that computes most in the next moment."""
    before = {pid: cpu_seconds(pid) for pid in workers(server)}
    time.sleep(seconds)
    return max(before, key=lambda pid: cpu_seconds(pid) - before[pid])


def cpu_seconds(pid: int) -> float:
    """What a process has computed so far, in seconds of one processor."""
    fields = (PROC / f"{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def megabytes(pid: int) -> float:
    """The memory of a process that lies in RAM."""
    lines = (PROC / f"{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


def _command(pid: str) -> str:
    try:
        return (PROC / pid / "cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
