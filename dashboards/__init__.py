"""The web app: upload, predict, explain, compare, listen, analyze errors, follow a search."""
