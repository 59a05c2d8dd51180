"""Errors as plain data, for programs: what `ot check --format json` prints."""

from __future__ import annotations

from typing import Any

from model_constructor.diagnostics import in_reading_order
from model_constructor.errors import ConfigError, Span, format_config_path


def error_records(error: ConfigError) -> list[dict[str, Any]]:
    """One record for each single error, all of them, in the order in which people read them.

    >>> error = ConfigError("unknown key `lr`", code="OT0312", config_path=("optimizer", "lr"))
    >>> [record] = error_records(error)
    >>> record["code"], record["path"], record["location"]
    ('OT0312', 'optimizer.lr', None)
    """
    return [_record(single) for single in in_reading_order(error.errors)]


def _record(error: ConfigError) -> dict[str, Any]:
    return {
        "code": error.code or None,
        "message": error.message,
        "config_path": list(error.config_path),
        "path": format_config_path(error.config_path),
        "location": _location(error.span),
        "suggestions": list(error.suggestions),
        "label": error.label,
        "notes": [{"text": note.text, "location": _location(note.span)} for note in error.notes],
        "help": error.help,
        "page": f"ot explain {error.code}" if error.code else None,
    }


def _location(span: Span | None) -> dict[str, Any] | None:
    if span is None:
        return None
    return {
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }
