"""Late typing: what the receiving parameter's annotation makes of a value."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union

import pytest

from model_constructor.config.late_typing import coerce
from model_constructor.config.scalars import parse_scalar
from model_constructor.source_map import Source


def plain(text: str, annotation: Any) -> Any:
    return coerce(parse_scalar(text), annotation, Source(None, text=text))


FITS: list[tuple[str, Any, Any]] = [
    ("3.10", str, "3.10"),
    ("no", str, "no"),
    ("012", str, "012"),
    ("5319E7", str, "5319E7"),
    ("true", str, "true"),
    ("1e-3", str, "1e-3"),
    ("1", int, 1),
    ("1e5", int, 100000),
    ("1.0", int, 1),
    ("-2", int, -2),
    ("0x1F", int, 31),
    ("1", float, 1.0),
    ("1e-3", float, 1e-3),
    (".inf", float, float("inf")),
    ("true", bool, True),
    ("FALSE", bool, False),
    ("data/x.csv", Path, Path("data/x.csv")),
    ("012", Path, Path("012")),
    ("3.10", Optional[str], "3.10"),  # noqa: UP045
    ("3.10", str | None, "3.10"),
    ("null", str | None, None),
    ("~", Optional[int], None),  # noqa: UP045
    ("1", float | None, 1.0),
    ("3.10", Annotated[str, "a version"], "3.10"),
    ("3.10", Any, 3.1),
    ("1", Union[int, str], 1),  # noqa: UP007
    ("3.10", str | float, 3.1),
    ("one", str | Path, "one"),
    ("one", Literal["one"], "one"),
]


@pytest.mark.parametrize(("text", "annotation", "value"), FITS)
def test_plain_scalar_becomes_what_is_declared(text: str, annotation: Any, value: Any) -> None:
    result = plain(text, annotation)
    assert type(result) is type(value)
    assert result == value


REFUSED: list[tuple[str, Any, str]] = [
    ("yes", bool, "did you mean true"),
    ("on", bool, "did you mean true"),
    ("no", bool, "did you mean false"),
    ("Off", bool, "did you mean false"),
    ("1", bool, "did you mean true"),
    ("x", bool, "expected true or false, got 'x'"),
    ("1.5", int, "not a whole number"),
    ("1e300", int, "expected an integer"),
    ("true", int, r"expected an integer, got true \(true or false\)"),
    ("012", int, "did you mean 12"),
    ("1_000", int, "did you mean 1000"),
    ("x", int, "expected an integer, got 'x'"),
    ("true", float, "expected a number"),
    ("012", float, "did you mean 12"),
    ("inf", float, "did you mean .inf"),
    ("-inf", float, "did you mean -.inf"),
    ("nan", float, "did you mean .nan"),
    ("null", str, "expected a string, got null"),
    ("null", int, "got null"),
    ("", bool, "got null"),
    ("~", Path, "expected a path, got null"),
]


@pytest.mark.parametrize(("text", "annotation", "message"), REFUSED)
def test_plain_scalar_that_does_not_fit(text: str, annotation: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plain(text, annotation)


@pytest.mark.parametrize(
    ("value", "annotation", "message"),
    [
        ("3", int, "write 3 without quotes"),
        ("1e-3", float, "write 1e-3 without quotes"),
        ("true", bool, "did you mean true"),
        ("yes", bool, "did you mean true"),
        (True, int, "got true"),
        (True, float, "got true"),
        (3, str, "expected a string, got 3"),
        (3.5, Path, "expected a path"),
        ([1], int, "got a list"),
        ({}, str, "got a mapping"),
        ([], Path, "got a list"),
        ({"a": 1}, bool, "got a mapping"),
        ([1], str | None, "got a list"),
        (object(), float, "got a object"),
    ],
)
def test_other_value_that_does_not_fit(value: Any, annotation: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        coerce(value, annotation, Source(None))


def test_text_as_typed_survives_a_reference(resolve: Any) -> None:
    config = resolve("params: {v: 3.10, w: '${params.v}', x: '${env:X}'}", environ={"X": "012"})
    for name, text in (("v", "3.10"), ("w", "3.10"), ("x", "012")):
        path = ("params", name)
        assert coerce(config.data["params"][name], str, config.source_map[path]) == text


def test_text_as_typed_in_an_override(resolve: Any) -> None:
    config = resolve("params: {v: 1}", "params.v=5319E7")
    assert coerce(config.data["params"]["v"], str, config.source_map["params", "v"]) == "5319E7"
