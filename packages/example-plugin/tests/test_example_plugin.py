"""The plugin with core alone: found by its entry point, light, and its components work."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from typing import Any

import numpy as np
import pytest

from offline_trainer.deps.model_constructor import ParameterError, Registry
from offline_trainer.protocols import DataModule
from ot_example_plugin import plugin
from ot_example_plugin.data import ConstantRegression
from ot_example_plugin.trainer import VerboseTrainer

KEYS = ["data.constant_regression", "trainer.verbose"]


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    plugin.ot_register_components(registry)
    return registry


def test_the_entry_point_names_the_plugin_module() -> None:
    (found,) = entry_points(group="offline_trainer.plugins", name="example")
    assert found.load() is plugin


def test_every_key_has_help_and_leads_to_its_class(registry: Registry) -> None:
    assert registry.list_modules() == KEYS
    assert all(entry.help for entry in registry.entries())
    assert registry.get_module(KEYS[0]).target is ConstantRegression
    assert registry.get_module(KEYS[1]).target is VerboseTrainer


def test_registering_imports_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from model_constructor.registry import Registry\n"
        "from ot_example_plugin import plugin\n"
        "plugin.ot_register_components(Registry())\n"
        "heavy = {'numpy', 'torch', 'yaml', 'ot_example_plugin.data'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


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


def test_the_verbose_trainer_announces_itself_and_hands_everything_over(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    class Recorder:
        def __init__(self, **kwargs: Any) -> None:
            self.kwargs = kwargs

        def fit(self, **parts: Any) -> Any:
            return self.kwargs, parts

    registry.add("trainer.default", Recorder)
    parts = {"model": object(), "registry": registry, "context": object(), "new_part": object()}
    kwargs, handed = VerboseTrainer(max_epochs=3, log_every_n_steps=5).fit(**parts)
    assert kwargs == {"max_epochs": 3, "log_every_n_steps": 5}
    assert handed == parts
    line = "trainer.verbose: training with max_epochs=3, log_every_n_steps=5\n"
    assert capsys.readouterr().out == line
