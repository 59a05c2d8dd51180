"""What a YAML syntax error says: the parser's words, and a next step for the usual mistakes."""

from __future__ import annotations

import re
from typing import Any

from model_constructor.config.nodes import depth_error
from model_constructor.config.scalars import shorten
from model_constructor.config.text import LINE_BREAK, SURROGATE
from model_constructor.errors import ConfigError, ConfigPath, Note, Span

_COLON = "mapping values are not allowed"
_UNSPACED = re.compile(r"[ -]*([\w.-]+):(?![\s:/])([^:]*?)\s*")


def syntax_error(error: Exception, text: str, name: str, path: ConfigPath) -> ConfigError:
    """A parser's exception as a `ConfigError` at its place."""
    mark: Any = getattr(error, "problem_mark", None)
    if mark is None:
        return ConfigError(
            f"not valid YAML: {str(error).splitlines()[0] if str(error) else 'unreadable'}",
            code="OT0105",
            config_path=path,
            span=Span(name, 1, 1, 1, 1),
        )
    span = Span(name, mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2)
    if "maximum nesting depth" in str(getattr(error, "problem", "")):
        return depth_error(path, span)  # libyaml's own limit, met while it looks ahead
    lines = LINE_BREAK.split(text)
    line = lines[mark.line] if mark.line < len(lines) else ""
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent or line[mark.column : mark.column + 1] == "\t":
        column = line.find("\t") + 1
        return ConfigError(
            "YAML does not allow a tab as indentation",
            code="OT0104",
            config_path=path,
            span=Span(name, span.line, column, span.line, column + 1),
            help="indent with spaces",
        )
    problem = str(getattr(error, "problem", None) or error)
    unspaced = _UNSPACED.fullmatch(lines[mark.line - 1]) if mark.line else None
    if unspaced and _COLON in problem:
        key, rest = unspaced[1], unspaced[2]
        colon = unspaced.end(1) + 1
        return ConfigError(
            "not valid YAML: no space after the colon, so this is text and no key",
            code="OT0105",
            config_path=path,
            span=Span(name, mark.line, colon, mark.line, colon + 1),
            notes=[Note("which cannot be followed by a key", span)],
            help=f"write `{key}: {shorten(rest)}`",
        )
    notes = []
    start: Any = getattr(error, "context_mark", None)
    if start is not None and start.index != mark.index:
        where = Span(name, start.line + 1, start.column + 1, start.line + 1, start.column + 2)
        context = getattr(error, "context", None) or "inside what"
        if mark.index >= len(text.rstrip()):
            # The end of a text says nothing; what was left open there does.
            problem, span = f"{problem} ({context})", where
        else:
            notes = [Note(f"{context} that starts here", where)]
    return ConfigError(
        f"not valid YAML: {problem}",
        code="OT0105",
        config_path=path,
        span=span,
        notes=notes,
        help=_help(problem, line, mark.column),
    )


def bad_escape(text: str) -> str:
    """What is wrong with the characters that escapes made; empty if nothing is."""
    if not text.isascii() and SURROGATE.search(text):
        return "an escape in this text makes half of a surrogate pair"
    return ""


def _help(problem: str, line: str, column: int) -> str:
    if "${" in line[max(0, column - 2) : column + 2]:
        return "inside [ ] and { } put `${…}` in quotes"
    if _COLON in problem:
        return "a text with `: ` in it needs quotes; or check the indentation"
    if "cannot start any token" in problem:
        return f"a value that starts with `{line[column : column + 1]}` needs quotes"
    return ""
