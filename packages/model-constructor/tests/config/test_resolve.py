"""The resolved config as a whole: settings, top-level keys, source map, provenance, mappings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from model_constructor.config.nodes import MAX_DEPTH, Hop
from model_constructor.config.resolve import Settings, resolve_config
from model_constructor.config.schema import TOP_LEVEL_KEYS
from model_constructor.errors import ConfigError

# --- top level ---------------------------------------------------------------------------------


def test_every_top_level_key_is_known() -> None:
    names = set(TOP_LEVEL_KEYS) - {"schema_version", "settings", "defaults", "templates"}
    config = resolve_config({"schema_version": 1, **dict.fromkeys(names)})
    assert set(config.data) == names | {"schema_version"}


def test_unknown_top_level_key_suggests(resolve: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("optimiser: {}\ntrainer: {}\nfoo: 1\n")
    first, second = caught.value.errors
    assert (first.code, first.location, first.suggestions) == (
        "OT0120",
        "main.yaml:2:1",
        ("optimizer",),
    )
    assert second.config_path == ("foo",)


@pytest.mark.parametrize("name", ["include", "extends", "_base_"])
def test_other_tools_words_for_base_files_are_known(resolve: Any, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(f"{name}: [base.yaml]")
    assert (caught.value.code, caught.value.suggestions) == ("OT0120", ("defaults",))


@pytest.mark.parametrize("version", ["2", "0", "'1'", "1.0", "true", "null", "[1]", "x"])
def test_schema_version_must_be_1(folder: Path, version: str) -> None:
    (folder / "c.yaml").write_text(f"schema_version: {version}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        resolve_config("c.yaml")
    assert (caught.value.code, caught.value.location) == ("OT0121", "c.yaml:1:17")


def test_schema_version_is_required() -> None:
    with pytest.raises(ConfigError, match="`schema_version` is missing"):
        resolve_config({"params": {}})


def test_schema_version_of_a_base_file_counts(resolve: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("defaults: [base.yaml]", files={"base.yaml": "schema_version: 2"})
    assert caught.value.location == "base.yaml:1:17"


# --- settings ----------------------------------------------------------------------------------


def test_settings_have_defaults(resolve: Any) -> None:
    assert resolve("").settings == Settings(
        strict=True,
        allow_imports=True,
        allowed_import_prefixes=("model_constructor.",),
        allow_target=False,
    )


def test_settings_are_read(resolve: Any) -> None:
    text = "settings: {strict: false, allow_target: true, allowed_import_prefixes: [a., b.c]}"
    settings = resolve(text, "settings.allow_imports=false").settings
    assert settings == Settings(False, False, ("a.", "b.c"), True)


def test_untrusted_settings_allow_nothing(resolve: Any) -> None:
    settings = resolve("settings: {allow_target: true}", untrusted=True).settings
    assert (settings.allow_imports, settings.allow_target) == (False, False)


BAD_SETTINGS = [
    ("[1]", ("settings",), "must be a mapping, got a list"),
    ("{strct: true}", ("settings", "strct"), "unknown setting"),
    ("{strict: yes}", ("settings", "strict"), "did you mean true"),
    ("{strict: 'true'}", ("settings", "strict"), "expected true or false"),
    ("{allow_target: 1}", ("settings", "allow_target"), "expected true or false"),
    ("{allow_imports: null}", ("settings", "allow_imports"), "got null"),
    ("{allowed_import_prefixes: a.}", ("settings", "allowed_import_prefixes"), "must be a list"),
    ("{allowed_import_prefixes: [1]}", ("settings", "allowed_import_prefixes", 0), "not the start"),
    ("{allowed_import_prefixes: ['']}", ("settings", "allowed_import_prefixes", 0), "not the star"),
    ("{allowed_import_prefixes: [[]]}", ("settings", "allowed_import_prefixes", 0), "got a list"),
    ("{allowed_import_prefixes: [a..]}", ("settings", "allowed_import_prefixes", 0), "not the st"),
]


@pytest.mark.parametrize(("text", "path", "message"), BAD_SETTINGS)
def test_bad_setting(resolve: Any, text: str, path: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        resolve(f"settings: {text}")
    assert caught.value.code == "OT0122"
    assert caught.value.config_path == path
    assert caught.value.location is not None


# --- source map and provenance -----------------------------------------------------------------


def test_source_map_knows_spans_text_and_layers(resolve: Any) -> None:
    config = resolve(
        "defaults: [base.yaml]\nrun:\n  name: 3.10\n  tags: ['a', b]\n",
        files={"base.yaml": "run: {out_dir: 'x'}"},
    )
    source = config.source_map
    assert str(source.span(("run", "name"))) == "main.yaml:4:9"
    assert str(source.key_span(("run", "name"))) == "main.yaml:4:3"
    assert source.text(("run", "name")) == "3.10"
    assert source.text(("run", "tags", 0)) is None
    assert source.text(("run", "tags", 1)) == "b"
    assert str(source.key_span(("run", "tags", 1))) == "main.yaml:5:15"
    assert source["run", "out_dir"].layer == 0
    assert source["run", "name"].layer == 1
    span = source.span(("run", "tags"))
    assert span is not None
    assert (span.end_line, span.end_column) == (5, 17)


def test_provenance_keeps_every_value_a_field_had(resolve: Any) -> None:
    config = resolve(
        "defaults: [base.yaml]\nparams: {lr: 1e-2}\noptimizer: {kwargs: {lr: '${params.lr}'}}\n",
        "params.lr=1e-1",
        files={"base.yaml": "params: {lr: 1e-3}\noptimizer: {kwargs: {lr: 5}}\n"},
    )
    lr = config.provenance["params", "lr"]
    assert [(layer.value, str(layer.span)) for layer in lr] == [
        ("1e-3", "base.yaml:1:14"),
        ("1e-2", "main.yaml:3:14"),
        ("1e-1", "<cli:1>:1:11"),
    ]
    used = config.provenance["optimizer", "kwargs", "lr"]
    assert [(layer.value, str(layer.span)) for layer in used] == [
        ("5", "base.yaml:2:26"),
        ("'${params.lr}'", "main.yaml:4:26"),
    ]
    assert used[-1].references == (Hop("${params.lr}", ("params", "lr")),)
    assert config.data["optimizer"]["kwargs"]["lr"] == 0.1


def test_provenance_survives_replace(resolve: Any) -> None:
    config = resolve(
        "defaults: [base.yaml]\noptimizer: {_merge_: replace, _value_: {kwargs: {lr: 2}}}\n",
        files={"base.yaml": "optimizer: {kwargs: {lr: 1, b: 1}}"},
    )
    layers = config.provenance["optimizer", "kwargs", "lr"]
    assert [layer.value for layer in layers] == ["1", "2"]


def test_provenance_of_a_mapping_remembers_what_it_took_the_place_of(resolve: Any) -> None:
    config = resolve(
        "defaults: [a.yaml, b.yaml]\nparams: {x: {c: 1}}",
        files={"a.yaml": "params: {x: null}", "b.yaml": "params: {x: {b: 1}}"},
    )
    layers = config.provenance["params", "x"]
    assert [(layer.name, layer.value) for layer in layers] == [
        ("a.yaml", "null"),
        ("main.yaml", "{b, c}"),
    ]


def test_a_colon_without_a_space_is_named_where_it_stands(resolve: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("params:\n  a:1\n  b: 2\n")
    error = caught.value.errors[0]
    assert (error.location, error.help) == ("main.yaml:3:4", "write `a: 1`")
    with pytest.raises(ConfigError, match="mapping values are not allowed"):
        resolve("params:\n  a\n  b: 2\n")


def test_every_leaf_has_a_provenance(resolve: Any) -> None:
    config = resolve("params: {a: [1, {b: 2}], c: {}, d: []}")
    assert {path for path in config.provenance if path[0] == "params"} == {
        ("params", "a", 0),
        ("params", "a", 1, "b"),
        ("params", "c"),
        ("params", "d"),
    }


# --- mappings from Python ----------------------------------------------------------------------


def test_mapping_resolves_like_a_file() -> None:
    config = resolve_config(
        MappingProxyType(
            {
                "schema_version": 1,
                "templates": {"t": {"a": 1}},
                "params": {"x": (1, 2.5), "y": "${params.x.1}", "z": {"_template_": "t"}},
                "data": {"path": Path("a") / "b.csv", "list": {"_merge_": "append", "_value_": []}},
            }
        ),
        ["params.y=3"],
    )
    assert config.data["params"] == {"x": [1, 2.5], "y": 3, "z": {"a": 1}}
    assert config.data["data"] == {"path": str(Path("a") / "b.csv"), "list": []}
    assert config.files == ()


LOOP: dict[str, Any] = {"schema_version": 1}
LOOP["params"] = LOOP
DEEP: Any = 1
for _ in range(MAX_DEPTH + 1):
    DEEP = [DEEP]
WIDE: Any = [1]
for _ in range(12):
    WIDE = [WIDE] * 10

BAD_MAPPINGS: list[tuple[Any, str]] = [
    ({1: 2}, "OT0110"),
    ({"": 2}, "OT0110"),
    ({None: 2}, "OT0110"),
    ({"params": {"a": object()}}, "OT0117"),
    ({"params": {"a": {1, 2}}}, "OT0117"),
    ({"params": {"a": b"x"}}, "OT0117"),
    ({"params": {"a": 2**64}}, "OT0113"),
    ({"params": {"a": "\ud800"}}, "OT0103"),
    ({"params": {"a": "${"}}, "OT0240"),
    ({"defaults": ["a.yaml"]}, "OT0206"),
    ({"params": {"a": DEEP}}, "OT0114"),
    ({"params": {"a": WIDE}}, "OT0115"),
    (LOOP, "OT0114"),
]


@pytest.mark.parametrize(("mapping", "code"), BAD_MAPPINGS, ids=range(len(BAD_MAPPINGS)))
def test_bad_mapping(mapping: Any, code: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve_config({"schema_version": 1, **mapping} if mapping is not LOOP else LOOP)
    assert caught.value.code == code


def test_source_mapping_is_not_changed() -> None:
    source = {"schema_version": 1, "params": {"a": [1], "b": "${params.a}"}}
    resolve_config(source, ["params.a+=2"]).data["params"]["a"].append(3)
    assert source == {"schema_version": 1, "params": {"a": [1], "b": "${params.a}"}}


# --- determinism -------------------------------------------------------------------------------

SCRIPT = """
import json, sys
from model_constructor.config.resolve import resolve_config
config = resolve_config("main.yaml", ["++params.zz=1", "params.l+=9"], environ={})
print(json.dumps(config.data), list(config.source_map), list(config.provenance))
"""


def test_same_bytes_for_every_hash_seed(folder: Path) -> None:
    (folder / "base.yaml").write_text(
        "params: {c: 1, a: {y: 1, x: 2}, l: [1], t: {_template_: t, q: 1}}\n"
        "templates: {t: {p: 1, o: 2, q: 3}}\n",
        encoding="utf-8",
    )
    (folder / "main.yaml").write_text(
        "schema_version: 1\ndefaults: [base.yaml]\n"
        "params: {b: '${params.a}', a: {z: 1}, l: {_merge_: prepend, _value_: [0]}}\n",
        encoding="utf-8",
    )
    source = Path(resolve_config.__code__.co_filename).parents[2]
    outputs = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=folder,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(source)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in map(str, range(20))
    }
    assert len(outputs) == 1


@pytest.mark.parametrize("text", ["", "a:1\n", "- 1\n", "a: \0\n", "b: 1\n a: 2\n"])
def test_an_error_at_the_root_of_a_file_is_told_once(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        resolve_config(file)
    messages = [error.message for error in caught.value.errors]
    assert len(messages) == len(set(messages))
