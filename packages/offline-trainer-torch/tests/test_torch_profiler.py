"""`cb.profiler`: files in the run directory, and nothing else is different."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from small_experiment import SMALL
from small_runs import config

from model_constructor.errors import ParameterError
from offline_trainer.experiment import run_experiment
from offline_trainer.testing import RunCli
from offline_trainer_torch.profiler import Profiler

pytest_plugins = ["offline_trainer.testing.fixtures"]


def weights(out_dir: Path) -> str:
    newest = max((out_dir / "checkpoints").glob("step-*"))
    return hashlib.sha256((newest / "model.safetensors").read_bytes()).hexdigest()


def test_a_profile_is_written_into_the_run_directory_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
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
    names = {event.get("name") for event in trace["traceEvents"]}
    assert names >= {"aten::addmm", "copy", "forward", "backward", "optimizer"}
    assert "aten::addmm" in (result.out_dir / "profile/step-000000000006.txt").read_text()
    assert weights(result.out_dir) == weights(golden.out_dir)
    said = capsys.readouterr().err
    assert "no step's parts were timed: each came with a validation or a save" in said
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


def rows(table: str) -> dict[str, float]:
    """Microseconds by part."""
    lines = [line.split() for line in table.splitlines() if line.endswith(" %")]
    return {name: float(microseconds) for name, microseconds, *_ in lines}


@pytest.mark.parametrize("optimizer", ["AdamW", "LBFGS"])
def test_the_parts_of_a_step_add_up_to_it(
    optimizer: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    made = config("parts", {"max_steps": 20, "val_every_n_steps": 5})
    made["optimizer"] = {"_type_": "optim_factory.torch", "type": f"optim_cls.{optimizer}"}
    few = {"skip_steps": 0, "warmup_steps": 1, "active_steps": 1, "timed_steps": 10}
    made["callbacks"] = [{"_type_": "cb.profiler", **few}]
    result = run_experiment(made)
    (path,) = (result.out_dir / "profile").glob("*.parts.txt")
    table = path.read_text()
    assert table in capsys.readouterr().out
    # Steps 3 to 14 are looked at; a validation came before 6 and 11.
    assert path.name == "step-000000000014.parts.txt"
    assert "mean of 10 steps; 2 with a validation or a save left out" in table
    parts = rows(table)
    assert list(parts) == ["data", "copy", "forward", "backward", "optimizer", "loop", "step"]
    assert min(parts.values()) > 0.0
    assert sum(parts.values()) == pytest.approx(2 * parts["step"], abs=1.0)


def test_ot_run_profile_adds_the_callback(
    tmp_path: Path,
    ot_cli: RunCli,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    (tmp_path / "small.yaml").write_text(json.dumps(config("small", {"max_steps": 20})))
    done = ot_cli("run", "small.yaml", "--profile", "~callbacks")
    assert (done.exit_code, done.stderr, capfd.readouterr().err) == (0, "", "")
    *_, table = done.stdout.partition("where a step's time goes, mean of ")
    assert table.startswith("4 steps")
    assert set(rows(table)) >= {"data", "copy", "forward", "backward", "optimizer", "loop", "step"}
    written = {"".join(path.suffixes) for path in (tmp_path / "runs/small/profile").iterdir()}
    assert written == {".trace.json", ".txt", ".parts.txt"}


def test_an_engine_that_does_not_name_its_parts_has_the_step_as_one(
    tmp_path: Path, ot_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(json.dumps({**SMALL, "callbacks": []}))
    done = ot_cli("run", "small.yaml", "--profile", "trainer.max_epochs=8")
    assert done.exit_code == 0, done.output
    *_, table = done.stdout.partition("where a step's time goes, mean of ")
    assert list(rows(table))[:4] == ["data", "train_step", "loop", "step"]


def test_a_run_too_short_to_be_timed_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    made = config("short", {"max_steps": 4})
    made["callbacks"] = [{"_type_": "cb.profiler"}]
    run_experiment(made)
    said = capsys.readouterr().err
    assert "no step's parts were timed: the run had 4 steps, and it begins after 14" in said


@pytest.mark.parametrize("name", ["skip_steps", "warmup_steps", "active_steps", "timed_steps"])
def test_numbers_out_of_range_are_refused(name: str) -> None:
    with pytest.raises(ParameterError) as caught:
        Profiler(**{name: -1})
    assert caught.value.parameter == (name,)


def test_two_profilers_of_a_run_are_refused() -> None:
    class Engine:
        def train_step(self, window: Any) -> None: ...

    engine = Engine()
    Profiler().attach(engine)
    with pytest.raises(ParameterError, match="there is a"):
        Profiler().attach(engine)
