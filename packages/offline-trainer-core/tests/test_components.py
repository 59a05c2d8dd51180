"""The engine that is taken where a config names none."""

from __future__ import annotations

import pytest

from model_constructor.config.schema import Settings
from model_constructor.errors import ConfigError
from model_constructor.registry import Registry
from model_constructor.source_map import SourceMap
from offline_trainer.components import Builder, best_engine
from offline_trainer.engine import RunSettings
from offline_trainer.testing.numpy_engine import NumpyEngine


class Refusing(NumpyEngine):
    def __init__(self) -> None:
        raise RuntimeError("no card")


def with_engines(**engines: tuple[str, int]) -> Registry:
    registry = Registry()
    for name, (loads, priority) in engines.items():
        registry.add_lazy(f"engine.{name}", loads, help="", tags=(f"priority:{priority}",))
    return registry


def test_the_highest_priority_that_can_be_loaded_wins_and_the_rest_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    registry = with_engines(
        low=("json:loads", 1), high=("json:dumps", 5), broken=("json:nothing", 999)
    )
    registry.add_lazy(
        "engine.absent", "absent:Engine", help="", tags=("priority:9999",), requires=("absent_x",)
    )
    assert best_engine(registry) == "engine.high"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ot: engine passed over: engine.broken from this process cannot be ")
    assert "has no attribute 'nothing'" in line


def test_without_any_engine_that_can_be_loaded_each_is_told() -> None:
    registry = with_engines(broken=("json:nothing", 9))
    registry.add_lazy("engine.absent", "absent:Engine", help="", requires=("absent_x",))
    with pytest.raises(ConfigError, match="no engine can be used here: ") as caught:
        best_engine(registry)
    assert caught.value.code == "OT0601"
    assert "engine.absent needs absent_x" in caught.value.message
    assert (
        "engine.broken from this process cannot be loaded: AttributeError" in caught.value.message
    )


def test_an_engine_chosen_by_priority_that_cannot_be_built_says_that_it_was() -> None:
    registry = with_engines(refusing=(f"{__name__}:Refusing", 999))
    for data, help in (
        ({}, "`engine.refusing` has the highest priority; choose by `engine:`"),
        ({"engine": {"_type_": "engine.refusing"}}, ""),
    ):
        builder = Builder(data, registry, SourceMap(), Settings())
        with pytest.raises(ConfigError, match="no card") as caught:
            builder.engine(RunSettings())
        assert caught.value.help == help
