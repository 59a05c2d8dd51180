"""A step that is not finite, on the numpy engine."""

from __future__ import annotations

import copy
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from non_finite_cases import NonFiniteCases, newest_files
from poison import RecordWindows
from small_experiment import SMALL

from offline_trainer.engine import HostState, StepOutput, Task, Window
from offline_trainer.errors import DivergedError
from offline_trainer.experiment import run_experiment
from offline_trainer.testing.numpy_engine import NumpyEngine


class TestNumpyNonFinite(NonFiniteCases):
    def config(self, out_dir: str = "run") -> dict[str, Any]:
        config = copy.deepcopy(SMALL)
        config["run"]["out_dir"] = out_dir
        return config


class LazyEngine(NumpyEngine):
    """Says whether a step was finite so that only reading it tells, as a card does."""

    def setup(self, task: Task, example_batch: Any) -> None:
        super().setup(task, example_batch)
        self._stays, self._left_out = task.stays_at_nonfinite, False

    def train_step(self, window: Window) -> StepOutput:
        before = self.snapshot()
        output = super().train_step(window)
        if self._left_out:
            super().restore(before)
        self._left_out = self._left_out or (self._stays and not output.finite)
        output.finite = np.bool_(output.finite)
        return output

    def restore(self, state: HostState) -> None:
        super().restore(state)
        self._left_out = False


class TestLearntLater(TestNumpyNonFinite):
    """All of it again, where the run learns of such a step at the next log or save only."""

    @pytest.fixture(autouse=True)
    def _lazy_engine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        module = ModuleType("lazy_engine")
        vars(module)["register"] = lambda registry: registry.add("engine.lazy", LazyEngine)
        monkeypatch.setitem(sys.modules, "lazy_engine", module)

    def config(self, out_dir: str = "run") -> dict[str, Any]:
        config = super().config(out_dir)
        config["settings"]["allowed_import_prefixes"].append("lazy_engine")
        config["imports"] = [*config["imports"], "lazy_engine"]
        config["engine"] = {"_type_": "engine.lazy"}
        return config

    def test_the_data_are_read_again_to_repeat_the_step(self) -> None:
        config = self.with_bad_data("raise", "run")
        config["callbacks"][0]["every_n_steps"] = None
        config["trainer"]["log_every_n_steps"] = 50
        with pytest.raises(DivergedError, match="first in the loss"):
            run_experiment(config)
        assert len(RecordWindows.seen) == 4  # it was not learnt before the epoch's end

    def test_when_it_is_learnt_changes_nothing(self) -> None:
        results = []
        for engine in ("engine.lazy", "engine.numpy"):
            config = self.with_bad_data("rollback", engine.replace(".", "-"))
            config["engine"]["_type_"] = engine
            results.append(newest_files(run_experiment(config)))
        assert results[0] == results[1]
