"""What every report says of its limits."""

from __future__ import annotations

MEDICAL = "Not a medical device: nothing here may be used to diagnose or treat anyone."


NOTICE = "Maps show what the network used, which need not be what a person would use. " + MEDICAL
