"""``ot run --dry-run``: everything is built and tried, and nothing is written."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from offline_trainer.dry_run import dry_run
from offline_trainer.errors import ComponentFailedError, DivergedError
from offline_trainer.experiment import run_experiment
from offline_trainer.protocols import LossOutput
from offline_trainer.testing import RunCli
from offline_trainer.testing.numpy_components import SquaredError

pytest_plugins = ["offline_trainer.testing.fixtures"]

MakeConfig = Callable[..., dict[str, Any]]


class Opening:
    """A logger that opens its file as soon as it is made."""

    def __init__(self) -> None:
        Path("opened").write_text("")

    def log_hparams(self, params: Any) -> None: ...

    def log_metrics(self, metrics: Any, *, step: int, stage: str) -> None: ...

    def close(self) -> None: ...


class Nan(SquaredError):
    """A loss that is no number."""

    def __call__(self, **parts: Any) -> LossOutput:
        return LossOutput(super().__call__(**parts).loss * float("nan"))


class Wrapping:
    """`trainer.default`, handed everything."""

    def __init__(self, **kwargs: Any) -> None:
        self._kwargs = kwargs

    def fit(self, **parts: Any) -> Any:
        default = parts["registry"].get_module("trainer.default").target
        return default(**self._kwargs).fit(**parts)


class Heedless:
    """Takes the context and does not begin."""

    def fit(self, **parts: Any) -> None: ...


@pytest.fixture
def own(small_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> MakeConfig:
    """Configs with the components above."""
    module = ModuleType("own_parts")

    def register(registry: Any) -> None:
        registry.add("log.opening", Opening)
        registry.add("loss.nan", Nan)
        registry.add("trainer.wrapping", Wrapping)
        registry.add("trainer.heedless", Heedless)

    vars(module)["register"] = register
    monkeypatch.setitem(sys.modules, "own_parts", module)

    def make(**sections: Any) -> dict[str, Any]:
        return small_config(
            settings={"allowed_import_prefixes": ["offline_trainer.", "own_parts"]},
            imports=["offline_trainer.testing.numpy_engine", "own_parts"],
            **sections,
        )

    return make


def test_it_says_what_was_built_and_what_a_step_gave(own: MakeConfig) -> None:
    tried = dry_run(own(trainer={"accumulate_grad_batches": 3}))
    assert (tried.name, tried.device, tried.precision) == ("small", "cpu", "fp32")
    assert tried.parameters == {"model": (4 * 8 + 8 + 8 * 2 + 2, 4 * 8 + 8 + 8 * 2 + 2)}
    assert tried.learning_rates == {"optimizer": 0.05}
    assert {name: array.shape for name, array in tried.batch.items()} == {"x": (8, 4), "y": (8, 2)}
    assert tried.batches == {"train": 4, "val": 2, "test": 2}
    assert tried.steps_per_epoch == 2
    assert tried.values["loss"] > 0


def test_the_loss_is_that_of_a_run_s_first_step(small_config: MakeConfig) -> None:
    trainer = {"max_steps": 1, "log_every_n_steps": 1, "clip_grad_norm": 1.0}
    tried = dry_run(small_config(trainer=trainer))
    result = run_experiment(small_config(trainer=trainer))
    first = json.loads((result.out_dir / "metrics.jsonl").read_text().splitlines()[0])
    assert dict(tried.values) == {name: first[name] for name in ("loss", "rmse", "grad_norm")}


def test_nothing_is_written(own: MakeConfig, tmp_path: Path) -> None:
    dry_run(own(loggers=[{"_type_": "log.opening"}]))
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_there_stays_as_it_is(small_config: MakeConfig, tmp_path: Path) -> None:
    run_experiment(small_config())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    dry_run(small_config())
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_the_limits_count(small_config: MakeConfig) -> None:
    tried = dry_run(small_config(run={"limit_batches": 1}))
    assert tried.batches == {"train": 1, "val": 1, "test": 1}
    tried = dry_run(small_config(run={"overfit_batch": True}))
    assert tried.batches == {"train": 4, "val": 1, "test": 1}


def test_a_trainer_that_wraps_the_default_one_is_stopped_too(own: MakeConfig) -> None:
    wrapped = dry_run(own(trainer={"_type_": "trainer.wrapping", "max_epochs": 1}))
    assert wrapped.values == dry_run(own()).values


def test_a_trainer_that_does_not_begin_is_an_error(own: MakeConfig) -> None:
    with pytest.raises(ComponentFailedError, match=r"Heedless did not call context\.begin"):
        dry_run(own(trainer={"_type_": "trainer.heedless"}))


def test_a_loss_that_is_not_finite_is_an_error(own: MakeConfig) -> None:
    with pytest.raises(DivergedError, match="first batch is not finite: loss nan") as caught:
        dry_run(own(loss={"_type_": "loss.nan"}))
    assert caught.value.exit_code == 3


def test_the_command_prints_it(ot_cli: RunCli, small_config: MakeConfig) -> None:
    Path("small.yaml").write_text(json.dumps(small_config()))
    done = ot_cli("run", "small.yaml", "--dry-run", "--limit-batches", "3")
    assert done.exit_code == 0, done.stderr
    *lines, step = done.stdout.splitlines()
    assert lines == [
        "dry run of small: nothing was written",
        "  device     cpu, fp32",
        "  model      58 parameters",
        "  optimizer  lr 0.05",
        "  batch      8 samples, {x: (8, 4) float32, y: (8, 2) float32}",
        "  epoch      3 batches, 3 steps",
        "  val        2 batches",
        "  test       2 batches",
    ]
    assert step.startswith("  step       loss ")
    assert [path.name for path in Path().iterdir()] == ["small.yaml"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dry-run", "--resume", "auto"], "leave out --resume"),
        (["--dry-run", "--profile"], "leave out --profile"),
        (["--limit-batches", "0"], "limit_batches must be at least 1, got 0"),
        (["--limit-batches", "few"], "'few' is not a valid integer"),
        (["--dry-run", "trainer.max_epoch=3"], "unknown key `max_epoch`"),
    ],
)
def test_a_mistake_ends_with_2(
    ot_cli: RunCli, small_config: MakeConfig, arguments: list[str], message: str
) -> None:
    Path("small.yaml").write_text(json.dumps(small_config()))
    done = ot_cli("run", "small.yaml", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert [path.name for path in Path().iterdir()] == ["small.yaml"]


def test_the_options_are_values_of_the_config(ot_cli: RunCli, small_config: MakeConfig) -> None:
    Path("small.yaml").write_text(json.dumps(small_config()))
    done = ot_cli("run", "small.yaml", "--limit-batches", "2", "--overfit-batch")
    assert done.exit_code == 0, done.stderr
    assert "done after 4 epochs, 8 steps" in done.stdout
    text = Path("run/config.resolved.yaml").read_text()
    assert "limit_batches: 2  # <cli:1>" in text
    assert "overfit_batch: true  # <cli:2>" in text
