"""The lines of files that errors point at, with carets under what is meant."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path

from model_constructor.config.text import LINE_BREAK, MAX_FILE_BYTES
from model_constructor.errors import Span


class Lines:
    """Lines of the files that errors name, each file read once."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._texts = {name: LINE_BREAK.split(text) for name, text in sources.items()}

    def get(self, span: Span) -> str | None:
        """The line a span starts in; None where there is none to show."""
        if span.file not in self._texts:
            self._texts[span.file] = _read_lines(span.file)
        lines = self._texts[span.file]
        return lines[span.line - 1] if 0 < span.line <= len(lines) else None


def _read_lines(name: str) -> list[str]:
    path = Path(name)
    try:
        if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
            return []
        text = path.read_bytes().decode("utf-8", errors="replace")
    except (OSError, ValueError):
        # The error itself is the news; a file that is gone by now only costs the excerpt.
        return []
    return LINE_BREAK.split(text.removeprefix("\ufeff"))


def underlined(line: str, span: Span, limit: int) -> tuple[str, str, str]:
    """The line cut to at most ``limit`` characters around the span, the indent and the carets."""
    start = min(span.column - 1, len(line))
    end = span.end_column - 1 if span.end_line == span.line else len(line)
    end = max(min(end, len(line)), start + 1)
    first = 0
    if len(line) > limit:
        first = max(0, min(start - limit // 4, len(line) - limit))
    last = first + limit
    before = "…" if first else ""
    after = "…" if len(line) > last else ""
    shown = before + line[first:last].replace("\t", " ") + after
    indent = " " * (len(before) + _columns(line[first:start]))
    carets = "^" * max(1, _columns(line[start : min(end, last)]))
    return shown, indent, carets


def _columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    marks = sum(unicodedata.combining(char) != 0 for char in text)
    return len(text) + wide - marks
