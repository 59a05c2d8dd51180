"""Tables for people: as wide as the terminal, and plain tab-separated lines when piped."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click


def on_terminal() -> bool:
    """Whether a person looks at stdout."""
    return sys.stdout.isatty()


def plain_rows(rows: Sequence[Sequence[str]]) -> None:
    """One line for each row, its cells between tabs and free of tabs and line breaks."""
    for row in rows:
        click.echo("\t".join(" ".join(cell.split()) for cell in row))
