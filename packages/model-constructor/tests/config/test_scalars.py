"""What a plain scalar means: one table, checked wherever a scalar can be written."""

from __future__ import annotations

import math
from typing import Any

import pytest

from model_constructor.config.scalars import parse_scalar, write_scalar
from model_constructor.errors import ConfigError

NAN = math.nan

TABLE: list[tuple[str, Any]] = [
    # null
    ("", None),
    ("~", None),
    ("null", None),
    ("Null", None),
    ("NULL", None),
    ("nUll", "nUll"),
    ("none", "none"),
    ("None", "None"),
    # booleans
    ("true", True),
    ("True", True),
    ("TRUE", True),
    ("false", False),
    ("False", False),
    ("FALSE", False),
    ("tRue", "tRue"),
    ("yes", "yes"),
    ("no", "no"),
    ("on", "on"),
    ("off", "off"),
    ("Yes", "Yes"),
    ("NO", "NO"),
    ("y", "y"),
    ("n", "n"),
    # integers
    ("0", 0),
    ("1", 1),
    ("-1", -1),
    ("+12", 12),
    ("-0", 0),
    ("123456789", 123456789),
    ("9223372036854775807", 2**63 - 1),
    ("-9223372036854775808", -(2**63)),
    ("0x1F", 31),
    ("0xff", 255),
    ("0x0", 0),
    ("0o17", 15),
    ("0o0", 0),
    ("0x", "0x"),
    ("0xg", "0xg"),
    ("0X1F", "0X1F"),
    ("0o8", "0o8"),
    ("0b101", "0b101"),
    ("-0x1F", "-0x1F"),
    ("+0x1F", "+0x1F"),
    ("-0o17", "-0o17"),
    ("0x1_F", "0x1_F"),
    ("0x00000000000000001F", 31),
    ("+0", 0),
    ("+-1", "+-1"),
    ("00e5", "00e5"),
    ("012", "012"),
    ("00", "00"),
    ("-07", "-07"),
    ("01.5", "01.5"),
    ("1_000", "1_000"),
    ("1:30", "1:30"),
    ("190:20:30", "190:20:30"),
    ("1 2", "1 2"),
    ("٣", "٣"),
    # floats
    ("1e-3", 1e-3),
    ("1e5", 1e5),
    ("1E5", 1e5),
    ("1e+5", 1e5),
    ("+1e-3", 1e-3),
    ("-1e-3", -1e-3),
    ("1.", 1.0),
    ("1.0", 1.0),
    (".5", 0.5),
    ("-.5", -0.5),
    ("+.5", 0.5),
    ("1.e3", 1000.0),
    ("1.5e3", 1500.0),
    ("0.0", 0.0),
    ("-0.0", -0.0),
    ("0.1", 0.1),
    ("3.10", 3.1),
    ("5319E7", 5319e7),
    ("1e-400", 0.0),
    ("0e5", 0.0),
    ("+.5e-3", 0.0005),
    (".5.", ".5."),
    ("1e+", "1e+"),
    (".e5", ".e5"),
    (".inf", math.inf),
    (".Inf", math.inf),
    ("+.INF", math.inf),
    ("-.inf", -math.inf),
    (".nan", NAN),
    (".NaN", NAN),
    (".NAN", NAN),
    ("inf", "inf"),
    ("nan", "nan"),
    ("NaN", "NaN"),
    ("1e", "1e"),
    ("e5", "e5"),
    ("1e5.0", "1e5.0"),
    (".", "."),
    ("-", "-"),
    ("+", "+"),
    ("..5", "..5"),
    ("1.2.3", "1.2.3"),
    ("1e-3x", "1e-3x"),
    # dates and other text
    ("2024-01-01", "2024-01-01"),
    ("2024-01-01T10:00:00Z", "2024-01-01T10:00:00Z"),
    ("12:30", "12:30"),
    ("=", "="),
    ("<<", "<<"),
    ("hello", "hello"),
    ("hello world", "hello world"),
    ("a-b_c.d", "a-b_c.d"),
    ("$x", "$x"),
    ("$$x", "$$x"),
    ("é", "é"),
    ("😀", "😀"),
    ("op:add", "op:add"),
]

TOO_LARGE = [
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "0x8000000000000000",
    "0o1000000000000000000000",
    "1" * 5000,
    "0x" + "f" * 5000,
    "1e400",
    "-1e400",
    "1" * 400 + ".0",
]


def same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        both_nan = math.isnan(a) and math.isnan(b)
        return both_nan or (a == b and math.copysign(1, a) == math.copysign(1, b))
    return type(a) is type(b) and a == b


# A lone dash starts a list item, in YAML's grammar and before any scalar rule.
IN_YAML = [row for row in TABLE if row[0] != "-"]


@pytest.mark.parametrize(("text", "value"), TABLE)
def test_scalar_by_itself(text: str, value: Any) -> None:
    assert same(parse_scalar(text), value)


@pytest.mark.parametrize(("text", "value"), IN_YAML)
def test_scalar_in_a_file(resolve: Any, text: str, value: Any) -> None:
    assert same(resolve(f"params:\n  x: {text}\n").data["params"]["x"], value)


@pytest.mark.parametrize(("text", "value"), IN_YAML)
def test_scalar_in_an_override(resolve: Any, text: str, value: Any) -> None:
    assert same(resolve("params: {x: old}", f"params.x={text}").data["params"]["x"], value)


@pytest.mark.parametrize(("text", "value"), TABLE)
def test_scalar_in_the_environment(resolve: Any, text: str, value: Any) -> None:
    config = resolve("params: {x: '${env:X}'}", environ={"X": text})
    assert same(config.data["params"]["x"], value)


@pytest.mark.parametrize(("text", "value"), TABLE)
def test_scalar_as_a_default(resolve: Any, text: str, value: Any) -> None:
    config = resolve("params:\n  x: ${nothing," + text + "}\n")
    assert same(config.data["params"]["x"], value)


@pytest.mark.parametrize("text", [text for text, _ in IN_YAML if "'" not in text])
def test_quoted_scalar_is_text(resolve: Any, text: str) -> None:
    assert resolve(f"params:\n  x: '{text}'\n").data["params"]["x"] == text


@pytest.mark.parametrize("text", TOO_LARGE)
def test_number_beyond_64_bits_is_an_error(resolve: Any, text: str) -> None:
    with pytest.raises(ValueError, match="64-bit"):
        parse_scalar(text)
    with pytest.raises(ConfigError, match="64-bit") as caught:
        resolve(f"params:\n  x: {text}\n")
    assert caught.value.location == "main.yaml:3:6"
    with pytest.raises(ConfigError, match="64-bit") as caught:
        resolve("params: {x: 1}", f"params.x={text}")
    assert caught.value.location == "<cli:1>:1:10"
    assert "in quotes it is text" in caught.value.message


@pytest.mark.parametrize("key", ["on", "no", "true", "1", "1e-3", "null", "~", "2024-01-01"])
def test_keys_are_text_as_typed(resolve: Any, key: str) -> None:
    assert resolve(f"params: {{{key}: 1}}").data["params"] == {key: 1}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (None, "null"),
        (1, "1"),
        (0.001, "0.001"),
        (1e-7, "1e-07"),
        (math.inf, ".inf"),
        (-math.inf, "-.inf"),
        (NAN, ".nan"),
        ("x", "x"),
    ],
)
def test_written_scalar_reads_back_as_itself(value: Any, text: str) -> None:
    assert write_scalar(value) == text
    assert same(parse_scalar(text), value)


TAGGED: list[tuple[str, Any]] = [
    ("!!str 3", "3"),
    ("! 3", "3"),
    ("!!int '3'", 3),
    ("!!int 0x10", 16),
    ("!!float 1", 1.0),
    ("!!float '1e-3'", 1e-3),
    ("!!bool 'true'", True),
    ("!!null ''", None),
    ("!!null ~", None),
    ("!!map {}", {}),
    ("!!seq [1]", [1]),
    ("!<tag:yaml.org,2002:str> 3", "3"),
]

BAD_TAGS = [
    "!!int x",
    "!!int 1.5",
    "!!int true",
    "!!float x",
    "!!bool yes",
    "!!null x",
    "!!map [1]",
    "!!seq {}",
    "!!str {}",
    "!!map 3",
    "!!timestamp 2024-01-01",
    "!!binary aGk=",
    "!!set {a}",
    "!custom 3",
    "!!python/object/apply:os.system ['true']",
    "!!python/name:os.system ''",
    "!!Int 3",
]


@pytest.mark.parametrize(("text", "value"), TAGGED)
def test_core_tags_decide_the_type(resolve: Any, text: str, value: Any) -> None:
    assert same(resolve(f"params:\n  x: {text}\n").data["params"]["x"], value)


@pytest.mark.parametrize("text", BAD_TAGS)
def test_bad_tag_is_an_error_at_its_position(resolve: Any, text: str) -> None:
    with pytest.raises(ConfigError, match="tag") as caught:
        resolve(f"params:\n  x: {text}\n")
    assert caught.value.code == "OT0112"
    assert caught.value.location == "main.yaml:3:6"
