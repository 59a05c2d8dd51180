"""Lines for the person at the terminal that are no error: notes, warnings, what was moved where."""

from __future__ import annotations

import sys
from typing import TextIO

from offline_trainer.secrets_scope import shown

_NO_BREAK = "\N{NO-BREAK SPACE}"


def notice(text: str) -> None:
    """Print one line on stderr, marked as coming from this program; secrets are hidden."""
    sys.stderr.write(wrapped(f"ot: {shown(text)}", sys.stderr, indent="    ") + "\n")


def wrapped(text: str, stream: TextIO, *, indent: str = "") -> str:
    """A line, broken between words where a terminal would break inside one.

    Where no person looks it stays one line, for grep.

    Args:
        text: The line.
        stream: Where it is going to.
        indent: What further lines start with.
    """
    if not stream.isatty():
        return text
    import shutil
    import textwrap

    # What to type stays on one line, to be copied.
    said, gap, way_out = text.partition("  [")
    lines = textwrap.wrap(
        said + gap[1:] + way_out.replace(" ", _NO_BREAK),
        shutil.get_terminal_size().columns,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines).replace(_NO_BREAK, " ")
