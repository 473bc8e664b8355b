"""How far maps agree, and where they conflict."""
