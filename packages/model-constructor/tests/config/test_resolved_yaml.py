"""The resolved config is read back equal, by PyYAML and by our own rules for scalars."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from model_constructor.config.resolve import resolve_config
from model_constructor.config.resolved_yaml import dump_resolved
from model_constructor.config.scalars import parse_scalar
from model_constructor.errors import ConfigPath, Span
from model_constructor.source_map import Source, SourceMap

NOWHERE = SourceMap()

TRICKY = [
    *("yes", "No", "on", "OFF", "y", "n", "true", "null", "~", "", " ", "012", "1e3", "1e-3"),
    *("0x1F", "0o17", "1_000", "12:30:45", "2026-01-02", ".inf", ".nan", "-.5", "+1", "1.", "="),
    *("<<", "- a", "? a", "a: b", "a #b", "#a", "!!int 3", "&a", "*a", "'", '"', "\\", "%a", "@a"),
    *("a\nb", "\n", "\t", "\r\n", "\x00", "\x85", "\u2028", "\ufeff", "\U0001f600", "é", "${x}"),
    *("[", "{}", "|", ">", "---", "...", "nn.ReLU", "runs/one", "a-b_c+d", "e5", "_1", "x" * 500),
    *("\x7f", "\xa0", "\u200b", "\ue000", "\ufffe", "\ud800", "\uffff"),
]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=30)
    | st.sampled_from(TRICKY)
)
keys = st.text(max_size=20) | st.sampled_from([key for key in TRICKY if len(key) < 50])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=15,
)


def read_by_our_rules(text: str) -> Any:
    """Read with PyYAML's parser and our scalar rules."""

    def build(node: yaml.Node | None) -> Any:
        if isinstance(node, yaml.MappingNode):
            return {build(key): build(value) for key, value in node.value}
        if isinstance(node, yaml.SequenceNode):
            return [build(item) for item in node.value]
        assert isinstance(node, yaml.ScalarNode)
        return parse_scalar(node.value) if node.style is None else node.value

    return build(yaml.compose(text, Loader=yaml.SafeLoader))


def unescaped(value: Any) -> Any:
    """The data as the resolver leaves it: `$${` is a literal `${`."""
    if isinstance(value, dict):
        return {key: unescaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unescaped(item) for item in value]
    return value.replace("$${", "${") if isinstance(value, str) else value


def assert_reads_back(data: dict[str, Any], text: str) -> None:
    for back in (yaml.safe_load(text), read_by_our_rules(text)):
        assert repr(unescaped(back)) == repr(data)  # tells 1 from 1.0 and True


@given(st.dictionaries(keys, values, max_size=5))
def test_any_data_is_read_back_equal(data: dict[str, Any]) -> None:
    assert_reads_back(data, dump_resolved(data, NOWHERE))


@given(st.dictionaries(keys, values, max_size=5), st.text(max_size=20))
def test_comments_change_nothing(data: dict[str, Any], file: str) -> None:
    sources = SourceMap({(): Source(Span(file, 3, 1, 3, 2))})
    assert_reads_back(data, dump_resolved(data, sources))


@pytest.mark.parametrize("text", ["$${x}", "a ${b} $${c}", "$", "${", "$$${", "{$}"])
def test_what_is_no_reference_any_more_stays_text(text: str, tmp_path: Path) -> None:
    data = {"schema_version": 1, "params": {"text": text}}
    (tmp_path / "config.yaml").write_text(dump_resolved(data, NOWHERE))
    assert resolve_config(tmp_path / "config.yaml").data == data


@pytest.mark.parametrize("text", TRICKY)
def test_every_string_that_looks_like_something_else_stays_a_string(text: str) -> None:
    assert_reads_back({"a": text, "b": [text]}, dump_resolved({"a": text, "b": [text]}, NOWHERE))


@pytest.mark.parametrize(
    "number", [1e-3, 1e-5, 1e5, 1e16, 1e300, -0.0, 5e-324, math.inf, -math.inf]
)
def test_floats_are_floats_for_both_readers(number: float) -> None:
    assert_reads_back({"a": number}, dump_resolved({"a": number}, NOWHERE))


def test_nan_is_read_back() -> None:
    assert dump_resolved({"a": math.nan}, NOWHERE) == "a: .nan\n"


def test_the_layout_with_sources() -> None:
    data = {
        "run": {"name": "one", "out_dir": None},
        "layers": [{"_type_": "mlp", "dims": [None, 64]}, [1, []], "x"],
        "loggers": [],
        "params": {},
    }

    def at(file: str, line: int) -> Source:
        return Source(Span(file, line, 1, line, 2))

    sources: dict[ConfigPath, Source] = {
        (): at("exp.yaml", 1),
        ("run", "name"): at("<cli:2>", 1),
        ("layers", 0): at("base/model.yaml", 7),
    }
    assert dump_resolved(data, SourceMap(sources)) == (
        "run:\n"
        "  name: one  # <cli:2>:1\n"
        "  out_dir: null  # exp.yaml:1\n"
        "layers:\n"
        "  - _type_: mlp  # base/model.yaml:7\n"
        "    dims:\n"
        "      - null  # base/model.yaml:7\n"
        "      - 64  # base/model.yaml:7\n"
        "  - - 1  # exp.yaml:1\n"
        "    - []  # exp.yaml:1\n"
        "  - x  # exp.yaml:1\n"
        "loggers: []  # exp.yaml:1\n"
        "params: {}  # exp.yaml:1\n"
    )


@pytest.mark.parametrize(
    ("value", "typed", "written"),
    [
        (3.1, "3.10", "3.10"),  # a version, perhaps: a str parameter gets it as typed
        (5, "5", "5"),
        (0.001, "1e-3", "0.001"),
        (31, "0x1F", "31"),
        ("012", "012", '"012"'),
        (True, "TRUE", "true"),
        (4, "3.10", "4"),  # interpolated or overridden since
        (1.0, "1", "1.0"),
    ],
)
def test_numbers_stay_as_typed_where_all_readers_agree(
    value: object, typed: str, written: str
) -> None:
    sources = SourceMap({("a",): Source(None, text=typed)})
    assert dump_resolved({"a": value}, sources) == f"a: {written}\n"


def test_other_objects_are_refused() -> None:
    with pytest.raises(TypeError, match="cannot be written to a config"):
        dump_resolved({"a": {1, 2}}, NOWHERE)
    assert dump_resolved({}, NOWHERE) == "{}\n"
