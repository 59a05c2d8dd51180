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
        click.echo("\t".join(map(on_one_line, row)))


def on_one_line(text: str) -> str:
    """Text of a file or a name, which may be a stranger's, for one line of a terminal.

    >>> on_one_line("two\\nlines \\x1b[2J")
    'two lines \\\\x1b[2J'
    """
    from model_constructor.diagnostics import printable

    return printable(" ".join(text.split()))
