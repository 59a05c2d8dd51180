"""Errors about arguments: what is said, where it points, and what it suggests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest

from model_constructor.argument_check import origin_of
from model_constructor.binding import Binder
from model_constructor.config.resolve import resolve_config
from model_constructor.diagnostics import render
from model_constructor.entry import Entry, Provider
from model_constructor.errors import ConfigError
from model_constructor.instantiate import instantiate_value
from model_constructor.registry import Buffer, Registry
from model_constructor.signatures import CallOf


@dataclass
class Sgd:
    params: Any
    lr: float = 0.1
    momentum: float = 0.0
    nesterov: bool = False


class Factory:
    def __init__(
        self,
        type: Annotated[str, CallOf("opt")],
        args: list[Any] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        self.type, self.args, self.kwargs = type, args, kwargs


@dataclass
class Many:
    a: int = 0
    b: int = 0
    c: int = 0
    d: int = 0
    e: int = 0
    f: int = 0
    max_epochs: int = 1
    hidden_dim: int = 8


Bind = Callable[..., Binder]


@pytest.fixture
def bind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bind:
    """Write files, resolve ``main.yaml`` and bind its ``params.it``."""
    monkeypatch.chdir(tmp_path)
    registry = Registry()
    buffer = Buffer(Provider("ot-opt", "1.2", "opt"))
    buffer.add("opt.Sgd", Sgd)
    buffer.add("factory.opt", Factory)
    buffer.add("part.many", Many)
    registry.commit(buffer)

    def run(**files: str) -> Binder:
        for name, text in files.items():
            Path(f"{name}.yaml").write_text(text)
        config = resolve_config("main.yaml")
        included = {file.name: file.included_at for file in config.files if file.included_at}
        binder = Binder(registry, config.source_map, config.settings, included_at=included)
        binder.bind(config.data["params"]["it"], ("params", "it"))
        return binder

    return run


def test_an_unknown_key_says_all_there_is_to_know(bind: Bind) -> None:
    binder = bind(
        base="params:\n  it:\n    _type_: factory.opt\n    type: opt.Sgd\n",
        middle="defaults: [base.yaml]\n",
        main="schema_version: 1\ndefaults: [middle.yaml]\n"
        "params:\n  it:\n    kwargs:\n      learnig_rate: 1e-3\n",
    )
    (error,) = binder.errors
    assert render(error) == (
        "error[OT0312]: unknown key `learnig_rate` for opt.Sgd\n"
        " --> main.yaml:6:7\n"
        "  |\n"
        "6 |       learnig_rate: 1e-3\n"
        "  |       ^^^^^^^^^^^^ not a parameter of opt.Sgd (ot-opt 1.2)\n"
        "  |\n"
        " ::: base.yaml:4:11     `type: opt.Sgd` was chosen here\n"
        " ::: middle.yaml:1:12   base.yaml included here\n"
        " ::: main.yaml:2:12     middle.yaml included here\n"
        " = path: params.it.kwargs.learnig_rate\n"
        " help: did you mean `lr`?  accepted: lr, momentum, nesterov   (ot describe opt.Sgd)"
    )


def test_where_the_component_was_chosen_is_not_said_of_the_same_file(bind: Bind) -> None:
    main = "schema_version: 1\nparams:\n  it: {_type_: part.many, z: 1}\n"
    (error,) = bind(main=main).errors
    assert error.notes == ()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("epochs", "max_epochs"),
        ("n_epochs", "max_epochs"),
        ("hidden", "hidden_dim"),
        ("Hidden-Size", "hidden_dim"),
        ("max_epoch", "max_epochs"),
    ],
)
def test_names_that_people_type_lead_to_the_one_that_is_meant(
    bind: Bind, written: str, meant: str
) -> None:
    main = f"schema_version: 1\nparams:\n  it: {{_type_: part.many, {written}: 1}}\n"
    (error,) = bind(main=main).errors
    assert error.suggestions[0] == meant
    assert error.help == "accepted: a, b, c, d, e, f, …   (ot describe part.many)"


def test_arguments_inside_kwargs_are_pointed_at_there(bind: Bind) -> None:
    main = (
        "schema_version: 1\nparams:\n  it:\n    _type_: part.many\n"
        "    _args_: [1]\n    _kwargs_:\n      z: 1\n      b: two\n      a: 3\n"
    )
    errors = {error.config_path[2:]: error for error in bind(main=main).errors}
    lines = {path: error.span.line for path, error in errors.items() if error.span is not None}
    assert lines == {("_kwargs_", "z"): 7, ("_kwargs_", "b"): 8, ("_kwargs_", "a"): 9}
    assert "given twice: in `_args_`" in errors["_kwargs_", "a"].message


def test_what_a_component_says_of_an_argument_points_into_kwargs_too(tmp_path: Path) -> None:
    from model_constructor.errors import ParameterError

    def refuse(limit: int) -> None:
        raise ParameterError("too high", parameter="limit")

    registry = Registry()
    registry.add("part.refuse", refuse)
    file = tmp_path / "main.yaml"
    file.write_text(
        "schema_version: 1\nparams:\n  it:\n    _type_: part.refuse\n"
        "    _kwargs_:\n      limit: 9\n"
    )
    config = resolve_config(file)
    with pytest.raises(ConfigError, match="too high") as caught:
        instantiate_value(
            config.data["params"]["it"],
            registry=registry,
            path=("params", "it"),
            sources=config.source_map,
        )
    assert caught.value.config_path == ("params", "it", "_kwargs_", "limit")
    assert caught.value.span is not None
    assert caught.value.span.line == 6


def test_arguments_of_an_inner_call_are_checked_and_typed_with_the_rest(bind: Bind) -> None:
    main = (
        "schema_version: 1\nparams:\n  it:\n    _type_: factory.opt\n    typo: 1\n"
        "    type: opt.Sgd\n    kwargs: {momentun: 1, nesterov: yes, params: []}\n"
    )
    messages = [error.message for error in bind(main=main).errors]
    assert messages == [
        "unknown key `typo` for factory.opt",
        "unknown key `momentun` for opt.Sgd",
        "unknown key `params` for opt.Sgd",
        "expected true or false, got 'yes' (a string); did you mean true?",
    ]


def test_arguments_of_an_inner_call_take_the_type_of_their_parameter() -> None:
    registry = Registry()
    registry.add("opt.Sgd", Sgd)
    registry.add("factory.opt", Factory)
    spec = {"_type_": "factory.opt", "type": "opt.Sgd", "args": [1], "kwargs": {"momentum": 1}}
    built = instantiate_value(spec, registry=registry)
    assert (built.args, built.kwargs) == ([1.0], {"momentum": 1.0})
    assert all(isinstance(value, float) for value in (*built.args, *built.kwargs.values()))


def test_a_component_in_pure_data_is_left_to_the_check_of_the_structure() -> None:
    registry = Registry()
    registry.add("opt.Sgd", Sgd)
    registry.add("factory.opt", Factory)
    binder = Binder(registry)
    inside = {"momentum": {"_type_": "opt.Unknown"}}
    binder.bind({"_type_": "factory.opt", "type": "opt.Sgd", "kwargs": inside})
    assert not binder.errors


def test_what_a_component_needs_has_to_be_installed_though_its_source_is_there() -> None:
    registry = Registry()
    registry.add_lazy("part.x", "zipapp:create_archive", help="x", requires=("no_such_library",))
    binder = Binder(registry)
    binder.bind({"_type_": "part.x", "source": "a"}, ("it",))
    (error,) = binder.errors
    assert "needs no_such_library" in error.message
    assert error.config_path == ("it", "_type_")


def test_a_component_of_another_kind_cannot_be_called_inside() -> None:
    registry = Registry()
    registry.add("opt.Sgd", Sgd)
    registry.add("factory.opt", Factory)
    binder = Binder(registry)
    binder.bind({"_type_": "factory.opt", "type": "factory.Sgd"}, ("optimizer",))
    (error,) = binder.errors
    assert error.config_path == ("optimizer", "type")
    assert error.suggestions == ("opt.Sgd",)


def test_an_unknown_component_does_not_hide_mistakes_in_what_it_holds() -> None:
    registry = Registry()
    registry.add("part.many", Many)
    binder = Binder(registry)
    binder.bind({"_type_": "part.mani", "inner": {"_type_": "part.many", "z": 1}}, ("it",))
    assert [error.config_path for error in binder.errors] == [
        ("it", "_type_"),
        ("it", "inner", "z"),
    ]


def test_the_library_is_named_where_another_package_brings_it() -> None:
    from importlib.metadata import version

    provider = Provider("ot-yaml", "0.3")
    assert origin_of(Entry("x.y", "hypothesis.core:given", provider)) == (
        f"hypothesis {version('hypothesis')}, from ot-yaml 0.3"
    )
    assert origin_of(Entry("x.y", "ot_yaml.parts:Y", provider)) == "ot-yaml 0.3"
    assert origin_of(Entry("x.y", "no_such_module:Y", provider)) == "ot-yaml 0.3"
