"""Secrets in data, in text and in exceptions."""

from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import Any

import pytest

from model_constructor.errors import ConfigError, ConfigErrors, Note
from model_constructor.redaction import hidden, hide_in_error, without_secrets

SECRET = 'a"long\\secret value'


@pytest.mark.parametrize(
    "text",
    [
        f"got {SECRET}",
        f"got {SECRET!r}",
        f"got {json.dumps(SECRET)}",
        f"got {SECRET[:14]}…",
        f"{SECRET}{SECRET}",
    ],
)
def test_a_secret_is_hidden_quoted_and_cut_short(text: str) -> None:
    shown = hidden(text, {SECRET})
    assert "secret" not in shown
    assert 'a"long' not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    ("text", "secret", "shown"),
    [
        ("lr 5, 55 epochs, v5", "5", "lr ***, 55 epochs, v5"),
        ("did you mean true?", "true", "did you mean true?"),
        ("nothing", "", "nothing"),
        ("a b a b c", "a b a b c", "***"),
        ("got 'line one'", "line one\nline two", "got '***'"),
        ("x=abcdefgh y=abcd", "abcd", "x=***efgh y=***"),
    ],
)
def test_what_is_hidden_and_what_is_not(text: str, secret: str, shown: str) -> None:
    assert hidden(text, {secret}) == shown


def test_the_longer_of_two_secrets_goes_first() -> None:
    assert hidden("abcdefgh", {"abcd", "abcdefgh"}) == "***"


def test_an_error_its_parts_and_its_causes_are_cleaned() -> None:
    one = ConfigError(f"got {SECRET}", help=SECRET, label=SECRET, suggestions=[SECRET])
    two = ConfigError("two", notes=[Note(SECRET)], config_path=("a",))
    both = ConfigErrors([one, two])
    vars(both)["__notes__"] = [SECRET]
    both.__cause__ = FileNotFoundError(2, "No such file", SECRET)
    hide_in_error(both, {SECRET})
    told = "".join(traceback.format_exception(both))
    told += "".join(str(vars(error)) for error in (both, *both.errors))
    assert "secret" not in told
    assert "No such file" in told
    assert both.errors[0].code == "OT0100"
    assert both.errors[1].config_path == ("a",)


class Refused(Exception):
    """An error with fields of its own, in the ways that a class may have them."""

    __slots__ = ("headers", "unset")

    def __init__(self, headers: dict[str, object]) -> None:
        super().__init__("refused")
        self.headers = headers
        self.sent = {"body": [frozenset({SECRET})], "raw": SECRET.encode()}

    def __str__(self) -> str:
        return f"refused {self.headers} {self.sent}"


@pytest.mark.parametrize(
    "error",
    [
        OSError(5, f"refused {SECRET}", "here", None, "there"),
        FileNotFoundError(2, "none", "here", None, SECRET),
        FileNotFoundError(2, "none", Path(SECRET)),
        UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, f"got {SECRET}"),
        ImportError("none", name=SECRET, path=SECRET),
        KeyError({SECRET: 1}),
        Refused({"token": {SECRET: SECRET}}),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_field_of_an_error_is_cleaned(error: Exception) -> None:
    kept = getattr(error, "headers", None)
    hide_in_error(error, {SECRET})
    fields = [getattr(error, name, None) for name in dir(error) if name != "__init__"]
    told = f"{error} {error!r} {[each for each in fields if not callable(each)]}"
    assert "secret" not in told
    assert "***" in told
    assert kept is None or kept == {"token": {SECRET: SECRET}}


@pytest.mark.parametrize("fields", [(5, "none"), (2, "none", "here"), (2, "a", "b", None, "c")])
def test_an_error_without_a_secret_reads_as_before(fields: tuple[Any, ...]) -> None:
    error = OSError(*fields)
    before = str(error)
    hide_in_error(error, {SECRET})
    assert str(error) == before


def test_a_field_that_holds_itself_ends() -> None:
    error = RuntimeError("odd")
    loop: dict[str, object] = {"text": SECRET}
    loop["self"] = loop
    vars(error)["loop"] = loop
    hide_in_error(error, {SECRET})
    assert "secret" not in str(vars(error))


def test_data_is_hidden_by_path() -> None:
    data = {"a": ["x", {"b": "y"}], "c": {"d": "z"}}
    assert without_secrets(data, {("a", 1, "b"), ("c",), ("gone", 3)}) == {
        "a": ["x", {"b": "***"}],
        "c": "***",
    }
    assert data["c"] == {"d": "z"}
