"""Notices that every report shows."""

from __future__ import annotations

MEDICAL = "Not a medical device: do not use it to diagnose or treat anyone."

NOTICE = (
    f"Maps show what the network used, which may differ from what a person would use. {MEDICAL}"
)
