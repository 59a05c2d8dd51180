"""While a config is worked on, its secrets are kept out of errors, notices and records."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock

from model_constructor.redaction import hidden, hide_in_error, is_secret

_LONG_ENOUGH = 8


class _Scope:
    """The secrets of everything under way in this process, for its threads too."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.open = 0
        self.texts: frozenset[str] = frozenset()


_SCOPE = _Scope()


@contextmanager
def secrets_hidden() -> Iterator[None]:
    """Hide what `keep_secret` names until the last such block ends, in what it raises too."""
    with _SCOPE.lock:
        _SCOPE.open += 1
    try:
        yield
    except Exception as error:
        hide_in_error(error, _SCOPE.texts)
        raise
    finally:
        with _SCOPE.lock:
            _SCOPE.open -= 1
            if not _SCOPE.open:
                _SCOPE.texts = frozenset()


def keep_secret(texts: Iterable[str]) -> None:
    """Hide these texts from here on; without an open `secrets_hidden` nothing is done."""
    with _SCOPE.lock:
        if _SCOPE.open:
            _SCOPE.texts |= frozenset(texts)


def shown(text: str) -> str:
    """The text as it may be printed or stored."""
    return hidden(text, _SCOPE.texts)


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
