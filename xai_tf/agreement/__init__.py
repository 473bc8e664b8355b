"""How well maps agree, and where they disagree."""
