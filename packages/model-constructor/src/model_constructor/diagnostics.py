"""Errors as text for people: the message, the line of the file with a caret, what to do next.

Plain text; colour and JSON are for whoever prints it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path

from model_constructor.config.text import LINE_BREAK, MAX_FILE_BYTES
from model_constructor.errors import MAX_SHOWN_ERRORS, ConfigError, Span, format_config_path

MAX_LINE = 100


def render(error: ConfigError, sources: Mapping[str, str] | None = None) -> str:
    """An error, or each of several, with its place in the file.

    Args:
        error: What was raised.
        sources: Texts by the names that spans use, for what is not a file: command line arguments
            (see `model_constructor.config.overrides.override_sources`).
    """
    lines = _Lines(sources or {})
    errors = error.errors
    blocks = [_render_one(single, lines) for single in errors[:MAX_SHOWN_ERRORS]]
    if len(errors) > 1:
        hidden = len(errors) - MAX_SHOWN_ERRORS
        shown = f", of which {hidden} are not shown" if hidden > 0 else ""
        blocks.append(f"{len(errors)} errors{shown}")
    return _printable("\n\n".join(blocks))


def _render_one(error: ConfigError, lines: _Lines) -> str:
    span = error.span
    text = [f"error[{error.code}]: {error.message}"]
    width = len(str(span.line)) if span is not None else 1
    gutter = " " * (width + 1) + "|"
    if span is not None:
        text.append(f"{' ' * width}--> {span}")
        line = lines.get(span)
        if line is not None:
            shown, caret = _underlined(line, span)
            label = f" {error.label}" if error.label else ""
            text += [gutter, f"{span.line} | {shown}", f"{gutter} {caret}{label}", gutter]
    places = [note for note in error.notes if note.span is not None]
    longest = max((len(str(note.span)) for note in places), default=0)
    for note in error.notes:
        place = f"{note.span!s:<{longest}}   " if note.span is not None else ""
        text.append(f"{' ' * width}::: {place}{note.text}")
    if error.config_path:
        text.append(f"{' ' * width}= path: {format_config_path(error.config_path)}")
    help = "  ".join(part for part in (_did_you_mean(error), error.help) if part)
    if help:
        text.append(f"{' ' * width}help: {help}")
    return "\n".join(text)


def _did_you_mean(error: ConfigError) -> str:
    names = [f"`{name}`" for name in error.suggestions]
    if not names:
        return ""
    either = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
    return f"did you mean {either}?"


class _Lines:
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


def _underlined(line: str, span: Span) -> tuple[str, str]:
    """The line and the carets under it, cut to a window around them if it is long."""
    start = min(span.column - 1, len(line))
    end = span.end_column - 1 if span.end_line == span.line else len(line)
    end = max(min(end, len(line)), start + 1)
    first = 0
    if len(line) > MAX_LINE:
        first = max(0, min(start - MAX_LINE // 4, len(line) - MAX_LINE))
    last = first + MAX_LINE
    before = "…" if first else ""
    after = "…" if len(line) > last else ""
    shown = before + line[first:last].replace("\t", " ") + after
    indent = " " * (len(before) + _columns(line[first:start]))
    carets = "^" * max(1, _columns(line[start : min(end, last)]))
    return shown, indent + carets


def _columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    marks = sum(unicodedata.combining(char) != 0 for char in text)
    return len(text) + wide - marks


def _printable(text: str) -> str:
    """The text with control characters, which a terminal would obey, written as escapes."""
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in text
    )
