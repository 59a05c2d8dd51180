"""Importing the targets of keys, to see whether they can be; a plugin may raise anything there."""

from __future__ import annotations

from model_constructor.errors import ConfigError
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
    except (ConfigError, SystemExit) as error:
        return error.__cause__ or error
    return None


def on_one_line(error: BaseException) -> str:
    """An exception's type and message; messages of others may have several lines."""
    return " ".join(f"{type(error).__name__}: {error}".split())
