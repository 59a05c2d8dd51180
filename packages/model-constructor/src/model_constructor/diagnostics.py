"""Errors as text for people: the message, the line of the file with a caret, what to do next.

The text comes in pieces, each with the part it plays, so that whoever prints it can colour it; the
pieces put together are the plain text. For programs there is `model_constructor.error_records`.
"""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Literal

from model_constructor.errors import (
    MAX_COLLECTED_ERRORS,
    MAX_SHOWN_ERRORS,
    ConfigError,
    Span,
    either,
    format_config_path,
)
from model_constructor.excerpts import Lines, underlined

Role = Literal["error", "message", "frame", "caret", "help", "text"]
Piece = tuple[str, Role]

READING = ("OT01", "OT02")
MAX_LINE = 100
MIN_COLUMN = 30
"""Fewer columns than this are no place for a sentence; it goes to a line of its own."""


def render(error: ConfigError, sources: Mapping[str, str] | None = None) -> str:
    """An error, or each of several, with its place in the file.

    Args:
        error: What was raised.
        sources: Texts by the names that spans use, for what is not a file: command line arguments
            (see `model_constructor.config.overrides.override_sources`).
    """
    return "".join(text for text, _ in pieces(error, sources))


def pieces(
    error: ConfigError, sources: Mapping[str, str] | None = None, *, width: int | None = None
) -> list[Piece]:
    """`render`, in pieces.

    Args:
        width: Columns of the terminal that sentences are wrapped to; without it no line is broken.
    """
    lines = Lines(sources or {})
    errors = in_reading_order(error.errors)
    found: list[Piece] = []
    above: Span | None = None
    for single in errors[:MAX_SHOWN_ERRORS]:
        if found:
            found.append(("\n\n", "text"))
        found += _Block(single, lines, width, above).pieces()
        above = single.span
    if len(errors) > 1:
        found.append((f"\n\n{_count(errors)}", "message"))
    return [(printable(text), role) for text, role in found]


def in_reading_order(errors: Sequence[ConfigError]) -> list[ConfigError]:
    """What hinders reading the config, as the rest may follow from it; then the rest.

    In each part file by file, from top to bottom; what has no place comes first.
    """
    files: dict[str, int] = {}
    for error in errors:
        if error.span is not None:
            files.setdefault(error.span.file, len(files))

    def place(error: ConfigError) -> tuple[bool, int, int, int]:
        span = error.span
        where = (files[span.file], span.line, span.column) if span is not None else (-1, 0, 0)
        return not error.code.startswith(READING), *where

    return sorted(errors, key=place)


def shown_place(span: Span) -> str:
    """``file:line:col``, the file named from the current folder where that is shorter."""
    file = span.file
    if os.path.isabs(file):  # noqa: PTH117 (a span's file may be no path at all)
        with suppress(OSError, ValueError):
            file = min(file, os.path.relpath(file), key=len)
    return f"{file}:{span.line}:{span.column}"


class _Block:
    """The lines of one error. Each method yields pieces, the last of a line ending in a break.

    Args:
        above: Place of the error above, whose excerpt is not shown again.
    """

    def __init__(
        self, error: ConfigError, lines: Lines, width: int | None, above: Span | None
    ) -> None:
        self.error = error
        self.lines = lines
        self.width = width
        self.above = above
        self.margin = " " * (len(str(error.span.line)) if error.span is not None else 2)

    def pieces(self) -> list[Piece]:
        """The whole block, without the last line break."""
        found = [*self.heading(), *self.excerpt(), *self.notes(), *self.next_step()]
        text, role = found[-1]
        return [*found[:-1], (text.removesuffix("\n"), role)]

    def heading(self) -> Iterator[Piece]:
        word = f"error[{self.error.code}]" if self.error.code else "error"
        yield word, "error"
        yield ": ", "message"
        yield from self.sentence(self.error.message, "message", len(word) + 2, 2)

    def excerpt(self) -> Iterator[Piece]:
        span = self.error.span
        if span is None:
            return
        yield f"{self.margin}--> ", "frame"
        yield f"{shown_place(span)}\n", "text"
        line = self.lines.get(span)
        if line is None or (span == self.above and not self.error.label):
            return
        gutter = f"{self.margin} | "
        limit = min(MAX_LINE, (self.width or MAX_LINE) - len(gutter) - 2)
        shown, indent, carets = underlined(line, span, max(limit, MIN_COLUMN))
        yield f"{gutter.rstrip()}\n", "frame"
        yield f"{span.line} | ", "frame"
        yield f"{shown}\n", "text"
        yield gutter, "frame"
        yield f"{indent}{carets}", "caret"
        yield from self.label(gutter, indent, carets)
        yield f"{gutter.rstrip()}\n", "frame"

    def label(self, gutter: str, indent: str, carets: str) -> Iterator[Piece]:
        """What stands beside the carets, or below them where the terminal ends."""
        label = self.error.label
        used = len(gutter) + len(indent) + len(carets)
        if not label or self.width is None or used + 1 + len(label) <= self.width:
            yield (f" {label}\n" if label else "\n"), "caret"
            return
        indent = indent if self.has_room(len(gutter) + len(indent)) else ""
        for line in _wrapped(label, self.width - len(gutter) - len(indent)):
            yield "\n", "caret"
            yield gutter, "frame"
            yield f"{indent}{line}", "caret"
        yield "\n", "caret"

    def notes(self) -> Iterator[Piece]:
        error = self.error
        places = [shown_place(note.span) if note.span else "" for note in error.notes]
        longest = max(map(len, places), default=0)
        for note, place in zip(error.notes, places, strict=True):
            frame = f"{self.margin}::: "
            column = len(frame)
            yield frame, "frame"
            if place and self.has_room(column + longest + 3):
                yield f"{place:<{longest}}   ", "text"
                column += longest + 3
            elif place:
                yield f"{place}\n{' ' * column}", "text"
            yield from self.sentence(note.text, "text", column, column)
        if error.config_path:
            yield f"{self.margin}= path: ", "frame"
            yield f"{format_config_path(error.config_path)}\n", "text"

    def next_step(self) -> Iterator[Piece]:
        error = self.error
        guess = f"did you mean {either(error.suggestions)}?" if error.suggestions else ""
        help = "  ".join(part for part in (guess, error.help) if part)
        if help:
            start = f"{self.margin}help: "
            yield start, "help"
            yield from self.sentence(help, "text", len(start), len(start))

    def sentence(self, text: str, role: Role, column: int, indent: int) -> Iterator[Piece]:
        """A text that starts at a column; its further lines start at ``indent``."""
        lines: list[str] = []
        for paragraph in text.expandtabs(4).splitlines() or [""]:
            ahead = 0 if lines else column - indent
            lines += _wrapped(paragraph, self.width and self.width - indent, ahead)
        yield f"\n{' ' * indent}".join(lines) + "\n", role

    def has_room(self, column: int) -> bool:
        """Whether a sentence fits beside what ends at a column."""
        return self.width is None or self.width - column >= MIN_COLUMN


def _wrapped(text: str, width: int | None, ahead: int = 0) -> list[str]:
    """A text in lines of a width; quoted names stay whole, and so do words.

    Args:
        ahead: Columns of the first line that are taken.
    """
    if width is None or ahead + len(text) <= width:
        return [text]
    quoted = re.sub(r"`[^`]{1,40}`", lambda name: name[0].replace(" ", "\N{NO-BREAK SPACE}"), text)
    lines = textwrap.wrap(
        quoted,
        max(width, MIN_COLUMN),
        initial_indent=" " * ahead,
        break_long_words=False,
        break_on_hyphens=False,
    )
    first, *others = lines or [""]  # nothing is left of a text of spaces
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in [first[ahead:], *others]]


def _count(errors: Sequence[ConfigError]) -> str:
    files = {error.span.file for error in errors if error.span is not None}
    files -= {name for name in files if name.startswith("<")}  # arguments of the command line
    several = f" in {len(files)} files" if len(files) > 1 else ""
    hidden = len(errors) - MAX_SHOWN_ERRORS
    shown = f", of which {hidden} are not shown" if hidden > 0 else ""
    least = "at least " if len(errors) >= MAX_COLLECTED_ERRORS else ""
    return f"{least}{len(errors)} errors{several}{shown}"


def printable(text: str) -> str:
    """The text with control characters, which a terminal would obey, written as escapes."""
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in text
    )
