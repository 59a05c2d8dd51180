"""Whatever the bytes, the only exception that leaves the resolver is `ConfigError`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_constructor.config.overrides import override_sources
from model_constructor.config.resolve import resolve_config
from model_constructor.diagnostics import render
from model_constructor.errors import ConfigError

SEARCHING = "FUZZ_EXAMPLES" in os.environ  # set by `make fuzz`

fuzzed = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "400")),
    deadline=None,
    derandomize=not SEARCHING,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

WORDS = st.sampled_from(
    [
        *"abx.,:-?*&!|>%@`'\"#[]{}<~=+$ \t\n\r\0\x07\x85\u2028\ufeffé😀",
        *("${", "}", "${params.a}", "${.b,", "${env:X}", "$${", "${env:int:X,1}"),
        *("_merge_: ", "_value_: ", "append", "replace", "keyed", "delete", "key: a"),
        *("_template_: ", "templates:\n", "params:\n", "params: ", "defaults: [", "optional: "),
        *("\n  ", "\n- ", ": ", "- ", "&a ", "*a", "<<: ", "!!str ", "!!int ", "!x ", "---\n"),
        *("1e400", "1e-3", "0x1F", "012", "true", "null", "yes", "9" * 30, "main.yaml", "b.yaml"),
        *("schema_version: 1\n", "settings: ", "strict: ", "run: ", "{a: 1}", "[1, 2]", "++", "+="),
    ]
)
TEXTS = st.lists(WORDS, max_size=30).map("".join)
ARGUMENTS = st.lists(
    st.lists(WORDS | st.sampled_from(["params", "trainer.a", "params.a[0]", "=", "~"])).map(
        "".join
    ),
    max_size=3,
)

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    TEXTS,
    st.binary(max_size=3),
)
KEYS = st.sampled_from(["a", "b", "_merge_", "_value_", "_template_", "key", "params", "t", "x.y"])
TREES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


def check(source: Any, arguments: Sequence[str] = (), **options: Any) -> None:
    environ = {"X": "7", "A_KEY": "hush"}
    text = "error[OT"
    try:
        resolve_config(source, arguments, environ=environ, **options)
    except ConfigError as error:
        text = render(error, override_sources(arguments))
    assert text.startswith("error[OT")
    assert "hush" not in text


@fuzzed
@given(content=st.binary(max_size=200))
def test_any_bytes(folder: Path, content: bytes) -> None:
    (folder / "main.yaml").write_bytes(content)
    check("main.yaml")


@fuzzed
@given(main=TEXTS, base=TEXTS, arguments=ARGUMENTS, untrusted=st.booleans())
def test_any_files_and_arguments(
    folder: Path, main: str, base: str, arguments: list[str], untrusted: bool
) -> None:
    (folder / "main.yaml").write_text(
        "schema_version: 1\ndefaults: [b.yaml]\n" + main, encoding="utf-8", newline=""
    )
    (folder / "b.yaml").write_text("params: {a: [1, x], b: {c: 1}}\n" + base, encoding="utf-8")
    check("main.yaml", arguments, untrusted=untrusted)


@fuzzed
@given(params=TREES, templates=TREES, model=TREES, arguments=ARGUMENTS)
def test_any_mapping(params: Any, templates: Any, model: Any, arguments: list[str]) -> None:
    sections = {"params": params, "templates": templates, "model": model}
    check({"schema_version": 1, **sections}, arguments)


@fuzzed
@given(text=TEXTS)
def test_any_reference(text: str) -> None:
    check({"schema_version": 1, "params": {"a": 1, "b": {"c": [1]}, "x": "${" + text + "}"}})
    check({"schema_version": 1, "params": {"a": 1, "b": {"c": [1]}, "x": text}})


@fuzzed
@given(text=st.text(max_size=40))
def test_any_argument(text: str) -> None:
    check({"schema_version": 1, "params": {"a": [1]}}, [text])
    check({"schema_version": 1, "params": {"a": [1]}}, ["params.a=" + text])
    check({"schema_version": 1, "params": {"a": [1]}}, ["params." + text + "=1"])
