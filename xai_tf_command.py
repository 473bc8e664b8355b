"""The program `xai-tf`. It stands beside the packages, which take a second or more to import.

Ctrl-C in that time would print a traceback of whatever was being imported.
"""

import os
import signal
import sys


def main() -> None:
    """Run the command with the arguments in `sys.argv`; see `xai_tf.cli.main`."""
    signal.signal(signal.SIGINT, _stop)
    from xai_tf.cli import main as run

    run()


def _stop(number: int, frame: object) -> None:
    # Nothing is begun yet, or all is ended. An exception could be lost in what is imported.
    print("Stopped.", file=sys.stderr, flush=True)  # noqa: T201  (what prints is not imported yet)
    os._exit(130)
