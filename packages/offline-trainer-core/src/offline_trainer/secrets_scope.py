"""While a config is worked on, its secrets are kept out of errors, notices and records."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from model_constructor.redaction import hidden, hide_in_error, is_secret

_SECRETS: ContextVar[set[str] | None] = ContextVar("secrets", default=None)

_LONG_ENOUGH = 8


@contextmanager
def secrets_hidden() -> Iterator[None]:
    """Hide what `keep_secret` names until the outermost such block ends, in what it raises too."""
    if _SECRETS.get() is not None:
        yield
        return
    secrets: set[str] = set()
    token = _SECRETS.set(secrets)
    try:
        yield
    except Exception as error:
        hide_in_error(error, secrets)
        raise
    finally:
        _SECRETS.reset(token)


def keep_secret(texts: Iterable[str]) -> None:
    """Hide these texts from here on; without an open `secrets_hidden` nothing is done."""
    secrets = _SECRETS.get()
    if secrets is not None:
        secrets.update(texts)


def shown(text: str) -> str:
    """The text as it may be printed or stored."""
    return hidden(text, _SECRETS.get() or ())


def shown_argument(text: str) -> str:
    """A command line argument as it may be stored.

    The shell may have put a secret variable into it, which the config then never named.
    """
    secrets = {
        value
        for name, value in os.environ.items()
        if is_secret(name) and len(value) >= _LONG_ENOUGH
    }
    return hidden(shown(text), secrets)
