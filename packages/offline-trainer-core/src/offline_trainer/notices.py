"""Lines for the person at the terminal that are no error: notes, warnings, what was moved where."""

from __future__ import annotations

import sys

from offline_trainer.secrets_scope import shown


def notice(text: str) -> None:
    """Print one line on stderr, marked as coming from this program; secrets are hidden."""
    sys.stderr.write(f"ot: {shown(text)}\n")
