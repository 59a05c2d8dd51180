"""`cb.profiler`: two files in the run directory, and nothing else is different."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from small_runs import config

from model_constructor.errors import ParameterError
from offline_trainer.experiment import run_experiment
from offline_trainer_torch.profiler import Profiler


def weights(out_dir: Path) -> str:
    newest = max((out_dir / "checkpoints").glob("step-*"))
    return hashlib.sha256((newest / "model.safetensors").read_bytes()).hexdigest()


def test_a_profile_is_written_into_the_run_directory_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))

    def make(name: str, *more: dict[str, Any]) -> dict[str, Any]:
        made = config(name)
        return {**made, "callbacks": [*more, *made["callbacks"]]}

    golden = run_experiment(make("golden"))
    some = {"_type_": "cb.profiler", "skip_steps": 2, "active_steps": 3}
    result = run_experiment(make("profiled", some))
    assert sorted(path.name for path in (result.out_dir / "profile").iterdir()) == [
        "step-000000000006.trace.json",
        "step-000000000006.txt",
    ]
    trace = json.loads((result.out_dir / "profile/step-000000000006.trace.json").read_text())
    assert {event.get("name") for event in trace["traceEvents"]} >= {"aten::addmm"}
    assert "aten::addmm" in (result.out_dir / "profile/step-000000000006.txt").read_text()
    assert weights(result.out_dir) == weights(golden.out_dir)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]


def test_a_run_that_ends_too_soon_writes_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    made = config("short", {"max_steps": 4})
    made["callbacks"] = [{"_type_": "cb.profiler", "skip_steps": 1, "active_steps": 30}]
    result = run_experiment(made)
    assert sorted(path.name for path in (result.out_dir / "profile").iterdir()) == [
        "step-000000000004.trace.json",
        "step-000000000004.txt",
    ]


@pytest.mark.parametrize("name", ["skip_steps", "warmup_steps", "active_steps"])
def test_numbers_out_of_range_are_refused(name: str) -> None:
    with pytest.raises(ParameterError) as caught:
        Profiler(**{name: -1})
    assert caught.value.parameter == (name,)
