"""How the app is served: the server, its guards, login and settings."""
