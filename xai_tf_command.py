"""The program `xai-tf`. It stands beside the packages, which take a second or more to import.

Ctrl-C in that time would print a traceback of whatever was being imported.
"""

import os
import signal


def main() -> None:
    """Run the command with the arguments in `sys.argv`; see `xai_tf.cli.main`."""
    signal.signal(signal.SIGINT, _stop)
    from xai_tf.cli import main as run

    run()


def _stop(number: int, frame: object) -> None:
    # Nothing is begun yet, or all is ended. An exception could be lost in what is imported, and
    # `print` could be interrupted in itself.
    os.write(2, b"Stopped.\n")
    os._exit(130)
