"""Lines for the person at the terminal that are no error: notes, warnings, what was moved where."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from model_constructor.errors import Note


def notice(text: str) -> None:
    """Print one line on stderr, marked as coming from this program."""
    sys.stderr.write(f"ot: {text}\n")


def warn(notes: Iterable[Note]) -> None:
    """One line for each thing that is legal and probably not meant, with its place."""
    for note in notes:
        notice(f"{note.span}: {note.text}" if note.span else note.text)
