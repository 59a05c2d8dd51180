"""Lines for the person at the terminal that are no error: notes, warnings, what was moved where."""

from __future__ import annotations

import sys


def notice(text: str) -> None:
    """Print one line on stderr, marked as coming from this program."""
    sys.stderr.write(f"ot: {text}\n")
