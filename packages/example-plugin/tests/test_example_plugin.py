"""It behaves as a plugin must, its components do what they say, and its experiment trains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offline_trainer.deps.model_constructor import ParameterError, Registry
from offline_trainer.protocols import DataModule
from offline_trainer.testing import PluginConformance, RunCli
from offline_trainer.testing.autograd import Variable
from ot_example_plugin.data import ConstantRegression
from ot_example_plugin.loss import PseudoHuber
from ot_example_plugin.trainer import VerboseTrainer

pytest_plugins = ["offline_trainer.testing.fixtures"]

EXPERIMENT = Path(__file__).parent.parent / "experiment.yaml"


class TestPlugin(PluginConformance):
    """Light to import, every key with help and a class behind it, no clash, and so on."""

    plugin = "example"


def test_the_experiment_trains(ot_cli: RunCli, tmp_path: Path) -> None:
    result = ot_cli("run", str(EXPERIMENT), f"run.out_dir={tmp_path / 'run'}")
    assert result.exit_code == 0, result.stderr
    assert "trainer.verbose: training with max_epochs=3" in result.stdout
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    assert losses[-1] < 0.1 * losses[0]


def test_a_stopped_experiment_goes_on_to_the_same_numbers(ot_cli: RunCli, tmp_path: Path) -> None:
    whole, parts = (f"run.out_dir={tmp_path / name}" for name in ("whole", "parts"))
    for arguments in ((whole,), (parts, "trainer.max_steps=17"), (parts, "--resume", "auto")):
        assert ot_cli("run", str(EXPERIMENT), *arguments).exit_code == 0
    metrics = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("whole", "parts")]
    assert metrics[0] == metrics[1]


def test_a_size_below_one_is_shown_at_its_line(ot_cli: RunCli) -> None:
    result = ot_cli("run", str(EXPERIMENT), "data.batch_size=0")
    assert result.exit_code == 2
    assert "data.batch_size" in result.stderr
    assert "must be at least 1, got 0" in result.stderr


def test_an_epoch_has_the_asked_batches() -> None:
    data = ConstantRegression(batch_size=4, steps_per_epoch=3, x_shape=[5], y_shape=[2], value=7.0)
    assert isinstance(data, DataModule)
    data.setup("fit")
    for _ in range(2):
        batches = list(data.train_dataloader())
        assert len(batches) == 3
        for batch in batches:
            assert np.array_equal(batch["x"], np.ones((4, 5), np.float32))
            assert np.array_equal(batch["y"], np.full((4, 2), 7, np.float32))
            assert batch["x"].dtype == batch["y"].dtype == np.float32


def test_it_goes_on_from_a_position() -> None:
    data = ConstantRegression(steps_per_epoch=10)
    data.set_position(epoch=4, batch=7)
    assert len(list(data.train_dataloader())) == 3
    assert len(list(data.train_dataloader())) == 10


@pytest.mark.parametrize("parameter", ["batch_size", "steps_per_epoch"])
def test_a_size_below_one_is_refused_by_name(parameter: str) -> None:
    sizes: dict[str, Any] = {parameter: 0}
    with pytest.raises(ParameterError, match="at least 1, got 0") as caught:
        ConstantRegression(**sizes)
    assert caught.value.parameter == (parameter,)


def test_the_loss_is_squared_for_small_differences_and_absolute_for_large_ones() -> None:
    loss = PseudoHuber(delta=2.0)
    for difference, expected in ((1e-3, 0.5e-6), (1e6, 2e6)):
        outputs, targets = Variable(np.full((4, 2), difference)), {"y": np.zeros((4, 2))}
        result = loss(outputs=outputs, targets=targets, batch=None, stage="train").loss
        assert float(result.value) == pytest.approx(expected, rel=1e-5)


def test_a_delta_that_is_not_above_zero_is_refused_by_name() -> None:
    with pytest.raises(ParameterError, match="above 0, got 0") as caught:
        PseudoHuber(delta=0)
    assert caught.value.parameter == ("delta",)


def test_the_verbose_trainer_hands_everything_over() -> None:
    class Recorder:
        def __init__(self, **kwargs: Any) -> None:
            self.kwargs = kwargs

        def fit(self, **parts: Any) -> Any:
            return self.kwargs, parts

    registry = Registry()
    registry.add("trainer.default", Recorder)
    parts = {"model": object(), "registry": registry, "context": object(), "new_part": object()}
    kwargs, handed = VerboseTrainer(max_epochs=3, log_every_n_steps=5).fit(**parts)
    assert kwargs == {"max_epochs": 3, "log_every_n_steps": 5}
    assert handed == parts
