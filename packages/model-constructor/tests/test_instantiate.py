"""From specs to objects: arguments checked, scalars typed, errors placed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from model_constructor.binding import Binder, prefix_allowed
from model_constructor.config.resolve import resolve_config
from model_constructor.config.schema import Settings
from model_constructor.errors import ConfigError, ConfigErrors, ParameterError
from model_constructor.instantiate import instantiate_value
from model_constructor.registry import Registry
from model_constructor.signatures import OutputPath


@dataclass
class Part:
    name: str
    size: int = 1
    rate: float = 0.5
    on: bool = False
    inner: Any = None


class Files:
    def __init__(self, source: Path, target: OutputPath | None = None) -> None:
        self.source = source
        self.target = target


def refuse(limit: int) -> None:
    raise ParameterError(f"limit {limit} is too high", parameter="limit", help="lower it")


def crash() -> None:
    raise RuntimeError("boom")


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.add("part.x", Part)
    registry.add("part.loose", Part, signature="best_effort")
    registry.add("part.runtime", Part, signature="runtime_only")
    registry.add("part.files", Files)
    registry.add("part.refuse", refuse)
    registry.add("part.crash", crash)
    return registry


def build(value: Any, registry: Registry, **options: Any) -> Any:
    return instantiate_value(value, registry=registry, **options)


def from_yaml(text: str, registry: Registry, folder: Path) -> Any:
    file = folder / "config.yaml"
    file.write_text(f"schema_version: 1\nparams:\n  value: {text}\n")
    config = resolve_config(file)
    path = ("params", "value")
    return instantiate_value(
        config.data["params"]["value"],
        registry=registry,
        path=path,
        sources=config.source_map,
        settings=config.settings,
    )


def test_specs_are_built_innermost_first(registry: Registry) -> None:
    spec = {"_type_": "part.x", "name": "a", "inner": [{"_type_": "part.x", "name": "b"}]}
    assert build(spec, registry) == Part("a", inner=[Part("b")])


def test_positional_and_extra_keyword_arguments(registry: Registry) -> None:
    spec = {"_type_": "part.x", "_args_": ["a", 2], "_kwargs_": {"on": True}}
    assert build(spec, registry) == Part("a", 2, on=True)


def test_what_is_not_a_spec_stays(registry: Registry) -> None:
    assert build({"a": [1, None]}, registry) == {"a": [1, None]}


def test_scalars_take_the_type_of_the_parameter(registry: Registry, tmp_path: Path) -> None:
    part = from_yaml("{_type_: part.x, name: 3.10, size: 1e2, rate: 1}", registry, tmp_path)
    assert part == Part("3.10", 100, 1.0)
    assert isinstance(part.rate, float)


def test_a_wrong_type_is_an_error_at_its_place(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean true") as caught:
        from_yaml("{_type_: part.x, name: a, on: yes}", registry, tmp_path)
    assert caught.value.config_path == ("params", "value", "on")
    assert str(caught.value.location).endswith("config.yaml:3:40")


def test_all_wrong_arguments_are_reported_together(registry: Registry) -> None:
    spec = {"_type_": "part.x", "nane": "a", "size": "big", "inner": {"_type_": "part.y"}}
    with pytest.raises(ConfigErrors) as caught:
        build(spec, registry, path=("data",))
    found = {error.config_path: error for error in caught.value.errors}
    assert found["data", "nane"].suggestions[0] == "name"
    assert "needs `name`" in found["data",].message
    assert ("data", "size") in found
    assert ("data", "inner", "_type_") in found


def test_best_effort_warns_only_when_not_strict(registry: Registry) -> None:
    spec = {"_type_": "part.loose", "name": "a", "colour": 1}
    with pytest.raises(ConfigError, match="colour"):
        build(spec, registry)
    with pytest.warns(UserWarning, match="`colour` is not a parameter"):
        assert build(spec, registry, settings=Settings(strict=False)) == Part("a")


def test_runtime_only_leaves_it_to_the_target(registry: Registry) -> None:
    with pytest.raises(ConfigError, match=r"part\.runtime .* could not be built: TypeError"):
        build({"_type_": "part.runtime", "colour": 1}, registry)


def test_a_parameter_error_points_at_the_parameter(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="limit 9 is too high") as caught:
        from_yaml("{_type_: part.refuse, limit: 9}", registry, tmp_path)
    assert caught.value.config_path == ("params", "value", "limit")
    assert str(caught.value.location).endswith("config.yaml:3:39")
    assert caught.value.help == "lower it"


def test_any_other_exception_names_the_component(registry: Registry) -> None:
    with pytest.raises(ConfigError, match=r"part\.crash.*RuntimeError: boom") as caught:
        build({"_type_": "part.crash"}, registry, path=("loss",))
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_input_paths_are_relative_to_the_file_output_paths_are_not(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    text = "{_type_: part.files, source: ../a.csv, target: out}"
    files = from_yaml(text, registry, tmp_path)
    assert files.source == tmp_path.parent / "a.csv"
    assert files.target == Path("out")


def test_a_component_of_another_kind_is_refused_without_further_errors(
    registry: Registry,
) -> None:
    binder = Binder(registry, kinds={("data",): "data"})
    binder.bind({"_type_": "part.x", "colour": 1}, ("data",))
    (error,) = binder.errors
    assert "`part.x` is of kind `part`; data takes a component of kind `data`" in error.message


def test_target_needs_the_files_and_the_callers_permission(registry: Registry) -> None:
    spec = {"_target_": "fractions:Fraction", "numerator": 1, "denominator": 2}
    own = Settings(allow_target=True, allowed_import_prefixes=("fractions.",))
    for settings, allowed in ((own, False), (Settings(), True)):
        with pytest.raises(ConfigError, match="`_target_` is not allowed"):
            build(spec, registry, settings=settings, targets_allowed=allowed)
    assert str(build(spec, registry, settings=own, targets_allowed=True)) == "1/2"
    with pytest.raises(ConfigError, match="outside settings"):
        build(spec, registry, settings=Settings(allow_target=True), targets_allowed=True)


@pytest.mark.parametrize(
    ("module", "prefix", "allowed"),
    [
        ("torch", "torch.", True),
        ("torch.nn", "torch.", True),
        ("torch_evil", "torch.", False),
        ("torch_evil", "torch", False),
        ("torch", "", False),
    ],
)
def test_prefixes_end_at_a_dot(module: str, prefix: str, allowed: bool) -> None:
    assert prefix_allowed(module, [prefix]) is allowed
