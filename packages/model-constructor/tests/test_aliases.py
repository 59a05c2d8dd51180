"""Former names of components and parameters: they work on, and say what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model_constructor.aliases import use_present_names
from model_constructor.config.resolve import ResolvedConfig, resolve_config
from model_constructor.errors import ConfigError
from model_constructor.findings import Findings
from model_constructor.registry import Buffer, Provider, Registry


class Thing:
    def __init__(self, size: int = 1, inner: Any = None) -> None: ...


@pytest.fixture
def registry() -> Registry:
    buffer = Buffer(Provider("ot-things", "0.3"))
    for key in ("nn.Thing", "data.thing", "optim_cls.Thing", "op:thing"):
        buffer.add(key, Thing)
        kind, separator, name = key.rpartition(":") if ":" in key else key.rpartition(".")
        buffer.add_alias(f"{kind}{separator}old_{name}", key, since="0.2")
        buffer.rename_parameter(key, "width", "size", since="0.3")
    buffer.add_alias("old_block", "block", since="0.2")
    registry = Registry()
    registry.commit(buffer)
    return registry


def write(folder: Path, text: str, name: str = "main.yaml") -> Path:
    path = folder / name
    path.write_text(f"schema_version: 1\n{text}")
    return path


class Run:
    """The config with present names, and the warnings."""

    def __init__(self, source: Any, registry: Registry, *overrides: str) -> None:
        self.warnings: list[str] = []
        self.before: ResolvedConfig = resolve_config(source, overrides)
        findings = Findings()
        self.after = use_present_names(self.before, registry, findings, self.warnings.append)
        findings.raise_all()
        self.data = self.after.data


def test_a_former_key_and_parameter_become_the_present_ones(
    registry: Registry, tmp_path: Path
) -> None:
    run = Run(write(tmp_path, "data: {_type_: data.old_thing, width: 3}"), registry)
    assert run.data["data"] == {"_type_": "data.thing", "size": 3}
    assert [text.partition(": ")[2] for text in run.warnings] == [
        "`data.old_thing` is called `data.thing` since ot-things 0.2; "
        "`ot config migrate` rewrites it",
        "`width` of data.thing is called `size` since ot-things 0.3; "
        "`ot config migrate` rewrites it",
    ]
    assert run.warnings[0].startswith(f"{tmp_path}/main.yaml:2:16: ")
    assert run.warnings[1].startswith(f"{tmp_path}/main.yaml:2:32: ")


USES = {
    "inner spec": (
        "data: {_type_: data.thing, width: {_type_: nn.old_Thing, width: 2}}",
        {"_type_": "data.thing", "size": {"_type_": "nn.Thing", "size": 2}},
    ),
    "_kwargs_": (
        "data: {_type_: data.thing, _kwargs_: {width: 2}}",
        {"_type_": "data.thing", "_kwargs_": {"size": 2}},
    ),
    "_args_": (
        "data: {_type_: data.thing, _args_: [{_type_: nn.old_Thing}]}",
        {"_type_": "data.thing", "_args_": [{"_type_": "nn.Thing"}]},
    ),
    "of one provider": (
        "data: {_type_: data.old_thing@ot-things, width: 2}",
        {"_type_": "data.thing@ot-things", "size": 2},
    ),
    "class": (
        "optimizer: {_type_: nn.Thing, type: optim_cls.old_Thing, kwargs: {width: 1}}",
        {"_type_": "nn.Thing", "type": "optim_cls.Thing", "kwargs": {"size": 1}},
    ),
    "class of one model": (
        "optimizer: {actor: {type: optim_cls.old_Thing}}",
        {"actor": {"type": "optim_cls.Thing"}},
    ),
    "operation": (
        "model: {graph: {nodes: [{name: a, call: 'op:old_thing', kwargs: {width: $x}}]}}",
        {"graph": {"nodes": [{"name": "a", "call": "op:thing", "kwargs": {"size": "$x"}}]}},
    ),
    "module of that name": (
        "model: {graph: {nodes: [{name: a, call: 'module:old_thing', kwargs: {width: 1}}]}}",
        {"graph": {"nodes": [{"name": "a", "call": "module:old_thing", "kwargs": {"width": 1}}]}},
    ),
    "a type of another meaning": (
        "data: {_type_: nn.Other, type: optim_cls.old_Thing, width: 1}",
        {"_type_": "nn.Other", "type": "optim_cls.old_Thing", "width": 1},
    ),
    "a type that is no key": (
        "optimizer: {_type_: nn.Other, type: old_block}",
        {"_type_": "nn.Other", "type": "old_block"},
    ),
    "block": (
        "data: {_type_: nn.Other, inner: {_type_: old_block}}",
        {"_type_": "nn.Other", "inner": {"_type_": "block"}},
    ),
    "a parameter of another component": (
        "data: {_type_: nn.Other, width: 3}",
        {"_type_": "nn.Other", "width": 3},
    ),
}


@pytest.mark.parametrize("case", USES)
def test_each_way_to_name_a_component(case: str, registry: Registry, tmp_path: Path) -> None:
    text, expected = USES[case]
    section = text.partition(":")[0]
    assert Run(write(tmp_path, text), registry).data[section] == expected


def test_places_history_and_secrets_move_with_their_field(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "x")
    text = "data: {_type_: data.thing, width: {a: '${env:A_SECRET}'}}"
    run = Run(write(tmp_path, text), registry, "data.width.b=2")
    assert ("data", "width") not in run.after.source_map
    assert run.after.secrets == {("data", "size", "a")}
    for last in ("a", "b"):
        old, new = ("data", "width", last), ("data", "size", last)
        assert run.after.source_map[new] == run.before.source_map[old]
        assert run.after.provenance[new] == run.before.provenance[old]


def test_both_names_in_one_file_are_an_error_that_shows_both(
    registry: Registry, tmp_path: Path
) -> None:
    path = write(tmp_path, "data: {_type_: data.thing, width: 3, size: 4}")
    with pytest.raises(ConfigError) as caught:
        Run(path, registry)
    assert caught.value.code == "OT0340"
    assert caught.value.config_path == ("data", "width")
    assert caught.value.location == f"{path}:2:28"
    assert [str(note.span) for note in caught.value.notes] == [f"{path}:2:38"]


@pytest.mark.parametrize(("base", "main"), [("width", "size"), ("size", "width")])
def test_of_two_files_the_later_counts(
    base: str, main: str, registry: Registry, tmp_path: Path
) -> None:
    write(tmp_path, f"data: {{_type_: data.thing, {base}: 1}}", "base.yaml")
    path = write(tmp_path, f"defaults: [base.yaml]\ndata: {{{main}: 2}}")
    run = Run(path, registry)
    assert run.data["data"] == {"_type_": "data.thing", "size": 2}
    assert len(run.warnings) == 1


def test_the_command_line_counts_more_than_a_file(registry: Registry, tmp_path: Path) -> None:
    run = Run(write(tmp_path, "data: {_type_: data.thing, size: 1}"), registry, "data.width=2")
    assert run.data["data"]["size"] == 2
    assert "<cli:1>" in run.warnings[0]


def test_a_place_used_many_times_warns_once(registry: Registry, tmp_path: Path) -> None:
    text = (
        "templates: {t: {_type_: nn.old_Thing}}\nparams: {a: {_template_: t}, b: {_template_: t}}"
    )
    run = Run(write(tmp_path, text), registry)
    assert [run.data["params"][name]["_type_"] for name in "ab"] == ["nn.Thing", "nn.Thing"]
    assert len(run.warnings) == 1


def test_a_config_without_former_names_is_returned_as_it_is(registry: Registry) -> None:
    run = Run({"schema_version": 1, "data": {"_type_": "data.thing"}}, registry)
    assert run.after is run.before
    assert run.warnings == []


def test_a_mapping_from_python_is_placed_by_its_path(registry: Registry) -> None:
    run = Run({"schema_version": 1, "data": {"_type_": "data.old_thing"}}, registry)
    assert run.warnings[0].startswith("data._type_: ")


def test_a_former_key_is_found_by_code_too(registry: Registry) -> None:
    assert registry.get_module("data.old_thing").key == "data.thing"
    assert registry.get_module("data.old_thing@ot-things").key == "data.thing"
    assert "data.old_thing" in registry
    assert "data.old_thing" not in list(registry)


def test_a_component_takes_precedence_over_a_former_name(registry: Registry) -> None:
    registry.add("data.old_thing", Thing)
    assert registry.alias_of("data.old_thing") is None
    assert registry.get_module("data.old_thing").key == "data.old_thing"


def test_a_name_that_changed_twice_leads_to_the_last(registry: Registry) -> None:
    registry.add_alias("data.oldest", "data.old_thing", since="0.1")
    alias = registry.alias_of("data.oldest")
    assert alias is not None
    assert (alias.old, alias.new, alias.since) == ("data.oldest", "data.thing", "0.2")


def test_plugins_that_disagree_are_named_at_the_place(registry: Registry, tmp_path: Path) -> None:
    other = Buffer(Provider("ot-others", "1"))
    other.add_alias("data.old_thing", "data.other", since="1")
    registry.commit(other)
    with pytest.raises(ConfigError, match=r"data\.thing \(ot-things.*data\.other \(ot-others") as e:
        Run(write(tmp_path, "data: {_type_: data.old_thing}"), registry)
    assert (e.value.code, e.value.config_path) == ("OT0302", ("data", "_type_"))
    assert e.value.span is not None


def test_names_that_replace_each_other_are_an_error_not_a_loop(registry: Registry) -> None:
    registry.add_alias("data.a", "data.b", since="1")
    registry.add_alias("data.b", "data.a", since="2")
    with pytest.raises(ConfigError, match="no one present name"):
        registry.alias_of("data.a")


@pytest.mark.parametrize(
    "call",
    [
        lambda r: r.add_alias("data.a", "data.a", since="1"),
        lambda r: r.add_alias("not a key", "data.a", since="1"),
        lambda r: r.add_alias("data.a", "1.b", since="1"),
        lambda r: r.rename_parameter("data.a", "x y", "z", since="1"),
        lambda r: r.rename_parameter("data.a", "z", "z", since="1"),
        lambda r: r.rename_parameter("no key", "a", "b", since="1"),
    ],
)
def test_a_malformed_name_is_refused_when_it_is_registered(call: Any, registry: Registry) -> None:
    with pytest.raises(ConfigError) as caught:
        call(registry)
    assert caught.value.code == "OT0310"
