"""Importing the targets of keys, to see whether they can be; a plugin may raise anything there."""

from __future__ import annotations

from model_constructor.errors import ConfigError
from model_constructor.foreign import error_text
from model_constructor.registry import Entry


def failure_of(entry: Entry) -> BaseException | None:
    """Why an entry's target cannot be imported; None if it can, or if what it needs is missing.

    >>> failure_of(Entry("data.none", "offline_trainer:Absent"))
    AttributeError("module 'offline_trainer' has no attribute 'Absent'")
    """
    if entry.missing_requirements():
        return None
    try:
        _ = entry.target
    except ConfigError as error:
        return error.__cause__ or error
    return None


def on_one_line(error: BaseException) -> str:
    """An exception's type and message, without the line breaks and escapes that may be in it."""
    text = " ".join(error_text(error).split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
