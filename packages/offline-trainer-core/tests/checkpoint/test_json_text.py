"""JSON in which every float comes back, infinities included."""

from __future__ import annotations

import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline_trainer.checkpoint.json_text import from_json, to_json

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("$float"), inner),
    max_leaves=20,
)


@given(plain)
def test_plain_data_comes_back_exactly(value: object) -> None:
    back = from_json(to_json(value))
    assert back == value
    assert repr(back) == repr(value)  # tells 1 from 1.0 and from True, and 0.0 from -0.0


@given(st.floats(width=64))
def test_floats_come_back_bit_for_bit(value: float) -> None:
    back = from_json(to_json(value))
    if math.isnan(value):
        assert math.isnan(back)
    else:
        assert struct.pack("<d", back) == struct.pack("<d", value)


def test_what_is_written_is_json_for_any_reader() -> None:
    text = to_json({"best": math.inf, "$float": "inf"})

    def refuse(name: str) -> None:
        raise AssertionError(name)

    assert json.loads(text, parse_constant=refuse) == {
        "best": {"$float": "inf"},
        "$$float": "inf",
    }


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, {2, 3}]}, r"`a\[1\]` is a builtins.set"),
        ({"a": {"b": b"x"}}, "`a.b` is a builtins.bytes"),
        ({"a": {1: 2}}, "`a` has the key 1"),
        (object(), "`the value` is a builtins.object"),
    ],
)
def test_what_json_cannot_hold_is_named(value: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        to_json(value)


@pytest.mark.parametrize(
    "text", ["NaN", '{"$float": "1.5"}', '{"$float": []}', "[" * 100_000, "{", "\xff"]
)
def test_anything_else_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (json's own messages)
        from_json(text)
