"""What a visitor chose and what came of it: no widget, no HTML."""
