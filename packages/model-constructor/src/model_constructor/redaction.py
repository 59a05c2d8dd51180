"""Keeping secrets out of what is shown or stored: in data by their path, in text by their value.

Imports nothing but the standard library and the errors it cleans.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any

from model_constructor.errors import ConfigPath, Note

HIDDEN = "***"

_SECRET_NAME = re.compile("KEY|TOKEN|SECRET|PASSWORD", re.IGNORECASE)
_SHORT = 4
_HEAD = 12
_NEVER_SECRET = frozenset({"", "true", "false", "null", "none"})
_PLACES = frozenset({"code", "config_path", "span"})
_MAX_DEPTH = 16
_FIELDS = (GetSetDescriptorType, MemberDescriptorType)


def is_secret(name: str) -> bool:
    """Whether the value of an environment variable is redacted wherever it would be shown."""
    return _SECRET_NAME.search(name) is not None


def without_secrets(value: Any, secrets: Collection[ConfigPath], path: ConfigPath = ()) -> Any:
    """A copy of plain data in which the values at the given paths are hidden.

    >>> without_secrets({"user": "ada", "token": "hunter2"}, {("token",)})
    {'user': 'ada', 'token': '***'}
    """
    if path in secrets:
        return HIDDEN
    if isinstance(value, Mapping):
        return {key: without_secrets(item, secrets, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [without_secrets(item, secrets, (*path, i)) for i, item in enumerate(value)]
    return value


def hidden(text: str, secrets: Collection[str]) -> str:
    """The text with every secret in it hidden, also one that was quoted or cut short.

    A secret of few characters is hidden only where it stands alone, or no word would be safe.

    >>> hidden("no user 'ada:hunter2'", {"hunter2"})
    "no user 'ada:***'"
    """
    for form in sorted(_forms(secrets), key=len, reverse=True):
        if len(form) < _SHORT:
            text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", HIDDEN, text)
        else:
            text = _hide(text, form)
    return text


def hide_in_error(error: BaseException, secrets: Collection[str]) -> None:
    """Hide secrets in an exception, in the errors it stands for, and in what caused it."""
    if secrets:
        _Cleaner(secrets).clean(error)


def _forms(secrets: Collection[str]) -> set[str]:
    """How a secret may be written in a message: itself, its lines, and as in quotes."""
    lines = {line for secret in secrets for line in (secret, *secret.splitlines())}
    wanted = {line for line in lines if line.lower() not in _NEVER_SECRET}
    quoted = {write(line)[1:-1] for line in wanted for write in (repr, json.dumps)}
    return wanted | quoted


def _hide(text: str, secret: str) -> str:
    """The text without the secret and without a beginning of it that tells much."""
    pieces, position = [], 0
    head = secret[:_HEAD]
    while (found := text.find(head, position)) >= 0:
        pieces += [text[position:found], HIDDEN]
        pairs = zip(text[found:], secret, strict=False)
        position = found + sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return "".join([*pieces, text[position:]])


class _Cleaner:
    """Goes through an exception and all that hangs on it, each once."""

    def __init__(self, secrets: Collection[str]) -> None:
        self.secrets = secrets
        self.seen: set[int] = set()

    def clean(self, error: BaseException) -> None:
        if id(error) in self.seen:
            return
        self.seen.add(id(error))
        for name, value in vars(error).items():
            if name not in _PLACES:
                vars(error)[name] = self.cleaned(value)
        # What is not in `vars`: `args`, `__slots__`, and such as `strerror` of built-in classes.
        for kind in type(error).__mro__:
            for name, field in vars(kind).items():
                if not isinstance(field, _FIELDS) or name.startswith("__"):
                    continue
                with suppress(AttributeError, TypeError):  # unset, or read-only
                    value = field.__get__(error)
                    if value is not None:  # a file name that is set to None would be shown
                        field.__set__(error, self.cleaned(value))
        for other in (error.__cause__, error.__context__):
            if other is not None:
                self.clean(other)

    def cleaned(self, value: Any, depth: int = 0) -> Any:
        if depth > _MAX_DEPTH:
            return HIDDEN
        if isinstance(value, str):
            return hidden(value, self.secrets)
        if isinstance(value, bytes):
            text = value.decode(errors="surrogateescape")
            return hidden(text, self.secrets).encode(errors="surrogateescape")
        if isinstance(value, Path):
            return Path(hidden(str(value), self.secrets))
        if isinstance(value, Note):
            return Note(hidden(value.text, self.secrets), value.span)
        if isinstance(value, BaseException):
            self.clean(value)
        if type(value) in (tuple, list, set, frozenset):
            return type(value)(self.cleaned(item, depth + 1) for item in value)
        if type(value) is dict:
            cleaned = [[self.cleaned(each, depth + 1) for each in pair] for pair in value.items()]
            return dict(cleaned)
        return value
