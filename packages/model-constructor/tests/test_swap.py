"""The swap rule: what a lower layer said to another component is left behind with a note."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest

from model_constructor.binding import Binder
from model_constructor.config.resolve import resolve_config
from model_constructor.registry import Registry
from model_constructor.signatures import CallOf


@dataclass
class Adam:
    params: Any
    lr: float = 0.1
    betas: tuple[float, float] = (0.9, 0.99)


@dataclass
class Sgd:
    params: Any
    lr: float = 0.1
    momentum: float = 0.0


@dataclass
class Rprop:
    params: Any
    etas: tuple[float, float] = (0.5, 1.2)


@dataclass
class Factory:
    type: Annotated[str, CallOf("opt")]
    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None


@dataclass
class Holder:
    inner: Any


@dataclass
class Small:
    size: int = 1
    depth: int = 1


@dataclass
class Large:
    size: int = 1
    width: int = 1


def takes_anything(**kwargs: Any) -> None: ...


Bind = Callable[..., tuple[Any, Binder]]


@pytest.fixture
def bind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bind:
    """Bind ``params.it`` of a base file, an experiment over it, and overrides.

    The base's ``params.chosen`` is for it to refer to.
    """
    monkeypatch.chdir(tmp_path)
    registry = Registry()
    for target in (Adam, Sgd, Rprop):
        registry.add(f"opt.{target.__name__}", target)
    registry.add("factory.opt", Factory)
    registry.add("part.holder", Holder)
    registry.add("part.small", Small)
    registry.add("part.large", Large)
    registry.add("part.any", takes_anything)
    registry.add_alias("part.little", "part.small", since="2")

    def run(
        base: str, upper: str, *overrides: str, top: str = "", chosen: str = ""
    ) -> tuple[Any, Binder]:
        Path("base.yaml").write_text(f"params:\n  it: {base}\n  chosen: {chosen}\n")
        Path("upper.yaml").write_text(f"defaults: [base.yaml]\nparams:\n  it: {upper}\n")
        it = f"params:\n  it: {top}\n" if top else ""
        Path("main.yaml").write_text(f"schema_version: 1\ndefaults: [upper.yaml]\n{it}")
        config = resolve_config("main.yaml", overrides)
        binder = Binder(registry, config.source_map, config.settings)
        return binder.bind(config.data["params"]["it"], ("params", "it")), binder

    return run


def test_what_the_new_component_does_not_take_is_left_behind_with_a_note(bind: Bind) -> None:
    bound, binder = bind("{_type_: part.small, size: 3, depth: 2}", "{_type_: part.large}")
    assert not binder.errors
    assert bound == {"_type_": "part.large", "size": 3}
    assert binder.warnings == [
        "base.yaml:2:37: `params.it.depth` is dropped: part.small became part.large at "
        "upper.yaml:3:16, which does not take it"
    ]


def test_what_is_set_with_the_new_component_is_checked(bind: Bind) -> None:
    _, binder = bind("{_type_: part.small}", "{_type_: part.large, depth: 2}")
    assert [error.config_path for error in binder.errors] == [("params", "it", "depth")]


def test_what_is_set_above_the_new_component_is_checked(bind: Bind) -> None:
    _, binder = bind("{_type_: part.small}", "{_type_: part.large}", top="{depth: 2}")
    assert [error.config_path for error in binder.errors] == [("params", "it", "depth")]
    assert not binder.warnings


def test_the_layer_that_changed_counts_not_one_that_repeats_it(bind: Bind) -> None:
    _, binder = bind(
        "{_type_: part.small}", "{_type_: part.large, depth: 2}", top="{_type_: part.large}"
    )
    assert [error.config_path for error in binder.errors] == [("params", "it", "depth")]


def test_a_key_below_a_component_that_nobody_changed_is_an_error(bind: Bind) -> None:
    for upper in ("{_type_: part.small}", "{size: 2}"):
        _, binder = bind("{_type_: part.small, width: 2}", upper)
        assert [error.config_path for error in binder.errors] == [("params", "it", "width")]


def test_a_component_that_takes_anything_is_given_everything(bind: Bind) -> None:
    bound, binder = bind("{_type_: part.small, depth: 2}", "{_type_: part.any}")
    assert bound == {"_type_": "part.any", "depth": 2}
    assert not binder.warnings


def test_a_nested_component_is_swapped_too(bind: Bind) -> None:
    bound, binder = bind(
        "{_type_: part.holder, inner: {_type_: part.small, size: 3, depth: 2}}",
        "{inner: {_type_: part.large, width: 5}}",
    )
    assert not binder.errors
    assert bound["inner"] == {"_type_": "part.large", "size": 3, "width": 5}


def test_arguments_of_an_optimizer_go_with_its_type(bind: Bind) -> None:
    bound, binder = bind(
        "{_type_: factory.opt, type: opt.Adam, kwargs: {lr: 1, betas: [0.5, 0.9]}}",
        "{type: opt.Sgd, kwargs: {momentum: 0.9}}",
    )
    assert not binder.errors
    assert bound["kwargs"] == {"lr": 1.0, "momentum": 0.9}
    (note,) = binder.warnings
    assert "`params.it.kwargs.betas` is dropped: opt.Adam became opt.Sgd" in note


def test_positional_arguments_stay_only_where_they_mean_the_same(bind: Bind) -> None:
    base = "{_type_: factory.opt, type: opt.Adam, args: [0.5]}"
    bound, _ = bind(base, "{type: opt.Sgd}")
    assert bound["args"] == [0.5]
    bound, binder = bind(base, "{type: opt.Rprop}")
    assert bound["args"] == []
    assert "`params.it.args` is dropped" in binder.warnings[0]


def test_all_overrides_are_one_layer(bind: Bind) -> None:
    base = "{_type_: part.small, depth: 2}"
    overrides = ["params.it.depth=3", "params.it._type_=part.large"]
    _, binder = bind(base, "{}", *overrides)
    assert [error.config_path for error in binder.errors] == [("params", "it", "depth")]
    bound, binder = bind(base, "{}", overrides[1])
    assert not binder.errors
    assert bound == {"_type_": "part.large"}


@pytest.mark.parametrize("base", ["${params.chosen}", "part.little", "part.smal${.tail,l}"])
def test_another_spelling_of_one_component_is_no_swap(bind: Bind, base: str) -> None:
    spec = f"{{_type_: '{base}', widht: 2, _args_: [1, 2]}}"
    bound, binder = bind(spec, "{_type_: part.small}", chosen="part.small")
    assert [error.config_path for error in binder.errors] == [("params", "it", "widht")]
    assert bound["_args_"] == [1, 2]
    assert not binder.warnings


def test_a_reference_that_means_another_component_now_is_a_swap(bind: Bind) -> None:
    base = "{_type_: '${params.chosen}', depth: 2}"
    bound, binder = bind(base, "{}", "params.chosen=part.large", chosen="part.small")
    assert not binder.errors
    assert bound == {"_type_": "part.large"}
    (note,) = binder.warnings
    assert "part.small became part.large at <cli:1>:1:15," in note


def test_a_whole_component_that_is_referred_to_is_swapped_too(bind: Bind) -> None:
    chosen = "{_type_: part.small, depth: 2}"
    it = "'${params.chosen}'"
    bound, binder = bind(it, it, "params.chosen._type_=part.large", chosen=chosen)
    assert not binder.errors
    assert bound == {"_type_": "part.large"}


def test_what_was_written_for_a_component_that_is_now_referred_to_is_checked(bind: Bind) -> None:
    chosen = "{a: {_type_: part.small, depth: 2}, b: {_type_: part.large, widht: 2}}"
    _, binder = bind("'${params.chosen.a}'", "'${params.chosen.b}'", chosen=chosen)
    assert [error.config_path for error in binder.errors] == [("params", "it", "widht")]
    assert not binder.warnings


def test_items_that_a_layer_moved_are_not_swapped_for_each_other(bind: Bind) -> None:
    _, binder = bind(
        "[{_type_: part.small, widht: 2}, {_type_: part.large, depht: 2}]",
        "{_merge_: prepend, _value_: [{_type_: part.large}]}",
    )
    assert [error.config_path[-1] for error in binder.errors] == ["widht", "depht"]


def test_what_a_template_of_a_lower_layer_chose_counts(bind: Bind) -> None:
    chosen = "x\ntemplates: {it: {_type_: part.small, depth: 2}}"
    bound, binder = bind("{_template_: it}", "{_type_: part.large}", chosen=chosen)
    assert not binder.errors
    assert bound == {"_type_": "part.large"}
