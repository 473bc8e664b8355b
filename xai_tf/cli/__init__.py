"""The command `xai-tf`."""
