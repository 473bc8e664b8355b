"""The views of the page: each one draws a part of the state."""
