"""The sections of `benchmarks/results.md`."""

import re
from pathlib import Path

RESULTS = Path(__file__).with_name("results.md")


def write_section(text: str) -> None:
    """Put a section in place of the one with the same heading, or at the end."""
    heading = text.splitlines()[0]
    parts = [p.rstrip() + "\n" for p in re.split(r"(?m)^(?=## )", RESULTS.read_text())]
    found = [i for i, part in enumerate(parts) if part.splitlines()[0] == heading]
    if found:
        parts[found[0]] = text
    else:
        parts.append(text)
    RESULTS.write_text("\n".join(parts))
