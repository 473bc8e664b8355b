"""The web app: upload, predict, explain, compare, listen, study errors, follow a search."""
