"""The server of the app: its guards, login and settings."""
