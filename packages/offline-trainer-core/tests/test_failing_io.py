"""An io component of a user's own that fails is told at its place, with its line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from run_files import steps

from model_constructor.errors import ConfigError
from offline_trainer.experiment import run_experiment

MakeConfig = Callable[..., dict[str, Any]]


class FailingIo:
    """Does what the small experiment needs, until a method is called for the last time."""

    def __init__(self, method: str, calls: int) -> None:
        self._method = method
        self._left = calls

    def _count(self, method: str) -> None:
        self._left -= method == self._method
        if not self._left:
            raise KeyError("nothing")

    def split(self, batch: Any, stage: str) -> tuple[Any, Any, None]:
        self._count("split")
        return ((), {"x": batch["x"]}), {"y": batch["y"]}, None

    def weight(self, batch: Any) -> float:
        self._count("weight")
        return float(len(batch["x"]))


def register(registry: Any) -> None:
    registry.add("io.failing", FailingIo)


@pytest.fixture
def failing(small_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> MakeConfig:
    """Make a config whose io fails."""
    module = ModuleType("failing")
    module.register = register  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "failing", module)

    def make(method: str, calls: int) -> dict[str, Any]:
        config = small_config(
            imports=["offline_trainer.testing.numpy_engine", "failing"],
            settings={"allowed_import_prefixes": ["offline_trainer.", "failing."]},
            trainer={"accumulate_grad_batches": 2},
        )
        config["io"] = {"_type_": "io.failing", "method": method, "calls": calls}
        return config

    return make


@pytest.mark.parametrize(
    ("method", "calls", "told"),
    [
        ("split", 1, r"io\.failing failed: "),
        ("split", 5, r"the io failed on a batch of \{x: \(8, 4\) float32, y: .*\}: "),
        (
            "weight",
            3,
            r"the io failed on the weight of a batch of \{x: \(8, 4\) float32, y: .*\}: ",
        ),
    ],
)
def test_its_line_is_told_whenever_it_fails(
    failing: MakeConfig, method: str, calls: int, told: str
) -> None:
    with pytest.raises(
        ConfigError, match=told + r"KeyError: 'nothing' \(.*test_failing_io\.py:\d+\)"
    ) as caught:
        run_experiment(failing(method, calls))
    assert caught.value.config_path == ("io",)


def test_inside_a_step_it_goes_back_to_the_last_regular_checkpoint(failing: MakeConfig) -> None:
    with pytest.raises(ConfigError, match="the io failed"):
        run_experiment(failing("split", 12))
    assert steps(Path("run")) == [2]
    config = failing("split", 10**9)
    assert run_experiment(config, resume="auto").outcome == "done"
