"""The command `xai-tf`."""


def main() -> None:
    """Run the command with the arguments in `sys.argv`.

    Raises:
        SystemExit: at the end; the code is 0, 2 after an error that the user can fix, or 130 where
            the user stopped it.
    """
    from xai_tf.cli.run import main as run

    run()
