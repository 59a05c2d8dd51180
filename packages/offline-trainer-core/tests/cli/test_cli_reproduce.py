"""``ot reproduce``: what differs is named, a run comes out again, and it stays as it is."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offline_trainer.experiment import run_experiment
from offline_trainer.testing.command_line import CliResult, run_cli
from offline_trainer.testing.numpy_engine import NumpyEngine

MakeConfig = Callable[..., dict[str, Any]]
MakeRun = Callable[..., Path]

ROWS = [(n, n % 3, n % 5, n % 7, n % 2, n % 4) for n in range(40)]
TABLE = "a,b,c,d,e,f\n" + "".join(",".join(map(str, row)) + "\n" for row in ROWS)
DATA = {
    "_type_": "data.table",
    "path": "table.csv",
    "target": ["e", "f"],
    "batch_size": 8,
    "val_fraction": 0.2,
}


@pytest.fixture
def run(small_config: MakeConfig) -> MakeRun:
    """``run(*overrides, resume=None, **sections)`` trains on ``table.csv``, which is made."""

    def make(*overrides: str, resume: str | None = None, **sections: Any) -> Path:
        if not Path("table.csv").exists():
            Path("table.csv").write_text(TABLE)
        sections = {
            "data": DATA,
            "loggers": [{"_type_": "log.jsonl", "path": "own.jsonl"}],
            **sections,
        }
        return run_experiment(small_config(**sections), overrides, resume=resume).out_dir

    return make


def reproduce(run: Path | str, *arguments: str) -> CliResult:
    return run_cli("reproduce", str(run), "--trust", *arguments)


def check(run: Path | str, *arguments: str) -> CliResult:
    return reproduce(run, "--check", *arguments)


def content(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def edit_json(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_a_run_comes_out_again_to_the_byte_and_stays_as_it_is(run: MakeRun) -> None:
    recorded = run(
        callbacks=[
            {
                "_type_": "cb.model_checkpoint",
                "every_n_epochs": 1,
                "save_dir": "${run.out_dir}/checkpoints",
            }
        ]
    )
    before = content(recorded), Path("own.jsonl").read_bytes()
    done = reproduce(recorded)
    assert done.exit_code == 0, done
    assert "nothing differs that may change the bytes\n" in done.stdout
    assert "reproduced: 12 metrics lines and 11 tensors are byte-identical\n" in done.stdout
    assert (content(recorded), Path("own.jsonl").read_bytes()) == before
    made = Path("run.reproduced").resolve()
    assert (made / "metrics.jsonl").read_bytes() == (recorded / "metrics.jsonl").read_bytes()
    assert len(list((made / "checkpoints").glob("step-*"))) == 4
    assert done.stdout.endswith("outputs in run.reproduced\n")


def test_what_was_made_before_is_moved_aside(run: MakeRun) -> None:
    recorded = run("trainer.max_epochs=1")
    for _ in range(2):
        assert reproduce(recorded, "--output", "again").exit_code == 0
    assert len(list(Path().glob("again.*-*/run.json"))) == 1


def test_a_check_of_the_same_says_so_and_writes_nothing(run: MakeRun) -> None:
    recorded = run(params={"lr": 0.04}, optimizer={"lr": "${params.lr}"})
    before = content(Path())
    done = check(recorded)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "nothing differs that may change the bytes\n"
    assert content(Path()) == before
    done = check(recorded, "params.lr=0.05")  # nothing reads it any more
    assert "`params.lr` is never used" in done.stderr


def test_a_changed_data_file_is_named_and_found_in_the_result(run: MakeRun) -> None:
    recorded = run()
    Path("table.csv").write_text(TABLE.replace("39,0", "38,0"))
    done = check(recorded)
    assert done.exit_code == 1
    assert done.stdout.startswith(f"first difference: data file {Path('table.csv').resolve()}: ")
    done = reproduce(recorded)
    assert done.exit_code == 1
    assert "  metrics.jsonl line 1: train loss " in done.stdout
    assert "  checkpoint of step 4: model.safetensors: tensor `" in done.stdout


@pytest.mark.parametrize("text", [None, "a,b\n"])
def test_a_data_file_that_cannot_be_used_is_named_all_the_same(
    text: str | None, run: MakeRun
) -> None:
    recorded = run()
    if text is None:
        Path("table.csv").unlink()
    else:
        Path("table.csv").write_text(text)
    done = check(recorded)
    assert (done.exit_code, done.stderr) == (1, "")
    assert "first difference: data file " in done.stdout
    done = reproduce(recorded)
    assert done.exit_code == 2
    assert "first difference: data file " in done.stdout
    assert "table.csv" in done.stderr
    assert not Path("run.reproduced").exists()


def test_data_that_moved_is_found_where_an_override_says(run: MakeRun) -> None:
    recorded = run()
    Path("elsewhere").mkdir()
    Path("table.csv").rename("elsewhere/table.csv")
    done = check(recorded, "data.path=elsewhere/table.csv")
    assert done.exit_code == 0
    assert "no effect: config data.path: " in done.stdout
    assert "no effect: data file: " in done.stdout
    assert reproduce(recorded, "data.path=elsewhere/table.csv").exit_code == 0
    Path("elsewhere/table.csv").write_text(TABLE + "1,2,3,4,5,6\n")
    assert check(recorded, "data.path=elsewhere/table.csv").exit_code == 1


def test_a_file_more_in_a_folder_of_arrays_is_named(run: MakeRun) -> None:
    Path("arrays").mkdir()
    for name, width in (("x", 4), ("y", 2)):
        np.save(f"arrays/{name}.npy", np.ones((16, width)))
    recorded = run(data={"_type_": "data.arrays", "path": "arrays", "batch_size": 8})
    assert check(recorded).exit_code == 0
    np.save("arrays/z.npy", np.ones(16))
    done = check(recorded)
    assert done.exit_code == 1
    assert f"data file {Path('arrays/z.npy').resolve()}: none in the run" in done.stdout


def test_data_that_cannot_be_used_for_another_reason_is_an_error(run: MakeRun) -> None:
    recorded = run("trainer.max_epochs=1")
    done = check(recorded, "data.features=[absent]")
    assert done.exit_code == 2
    assert "no column `absent`" in done.stderr


def test_what_a_run_did_not_record_is_said(run: MakeRun) -> None:
    recorded = run()
    hardware = json.loads((recorded / "run.json").read_text())["hardware"]
    edit_json(recorded / "run.json", data=None, hardware={"device": hardware["device"]})
    done = check(recorded)
    assert done.exit_code == 0
    assert "not compared, for the run did not record it: data files, threads\n" in done.stdout


@pytest.mark.parametrize(
    ("field", "changes", "told"),
    [
        ("versions", {"numpy": "1.0"}, "numpy: 1.0 in the run, "),
        ("plugins", {"lion": "0.1"}, "lion: 0.1 in the run, none here"),
        ("hardware", {"device": "cuda:0 (card)"}, "device: cuda (card) in the run, cpu here"),
        ("hardware", {"threads": 99}, "threads: 99 in the run, "),
        (
            "git",
            {"commit": "a" * 40, "dirty": False},
            "git commit: aaaaaaaaaaaa in the run, no rep",
        ),
    ],
)
def test_each_kind_of_difference_is_named(
    field: str, changes: dict[str, Any], told: str, run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(Path.cwd().parent))
    recorded = run("trainer.max_epochs=1")
    present = json.loads((recorded / "run.json").read_text())[field] or {}
    edit_json(recorded / "run.json", **{field: {**present, **changes}})
    done = check(recorded)
    assert done.exit_code == 1
    assert done.stdout.startswith(f"first difference: {told}")


def test_what_does_not_change_the_bytes_is_told_after_the_rest(run: MakeRun) -> None:
    recorded = run("trainer.max_epochs=1")
    hardware = json.loads((recorded / "run.json").read_text())["hardware"]
    edit_json(recorded / "run.json", hardware={**hardware, "cpu_count": 999})
    done = check(recorded)
    assert done.exit_code == 0
    assert done.stdout.startswith("no effect: cpu_count: 999 in the run, ")
    edit_json(recorded / "run.json", hardware={**hardware, "cpu_count": 999, "threads": 99})
    words = [line.partition(":")[0] for line in check(recorded).stdout.splitlines()]
    assert words == ["first difference", "no effect"]


def test_a_config_that_was_changed_and_overrides_are_differences(run: MakeRun) -> None:
    recorded = run("optimizer.lr=0.04")
    done = check(recorded, "optimizer.lr=0.05", "run.name=other")
    assert done.exit_code == 1
    assert done.stdout == "first difference: config optimizer.lr: 0.04 in the run, 0.05 here\n"
    file = recorded / "config.resolved.yaml"
    file.write_text(file.read_text().replace("lr: 0.04", "lr: 0.05"))
    done = check(recorded)
    assert done.exit_code == 1
    assert done.stdout.startswith("first difference: hash of config.resolved.yaml: ")


def test_a_tampered_line_of_metrics_is_the_first_difference(run: MakeRun) -> None:
    recorded = run()
    file = recorded / "metrics.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    row = json.loads(lines[4])
    lines[4] = json.dumps({**row, "loss": 0.25}) + "\n"
    file.write_text("".join(lines))
    done = reproduce(recorded)
    assert done.exit_code == 1
    told = f"  metrics.jsonl line 5: {row['stage']} loss 0.25 in the run, {row['loss']} now\n"
    assert f"not reproduced; the first that differs:\n{told}outputs in" in done.stdout


@pytest.mark.parametrize(("resume", "arguments"), [("auto", ()), (None, ("run.resume_from=run",))])
def test_a_run_that_was_resumed_comes_out_as_if_it_had_not_been(
    resume: str | None, arguments: tuple[str, ...], run: MakeRun
) -> None:
    recorded = stop_after(run, 6)
    run(*arguments, resume=resume)
    assert json.loads((recorded / "run.json").read_text())["attempt"] == 2
    done = reproduce(recorded)
    assert done.exit_code == 0, done
    assert "reproduced: 12 metrics lines and 11 tensors" in done.stdout


def stop_after(run: MakeRun, step: int, **sections: Any) -> Path:
    """A run that a signal ends after a step."""
    original = NumpyEngine.train_step

    def train_step(self: NumpyEngine, window: Any) -> Any:
        output = original(self, window)
        if self.snapshot().values["steps"] == step:
            signal.raise_signal(signal.SIGTERM)
        return output

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NumpyEngine, "train_step", train_step)
        return run(**sections)


@pytest.mark.parametrize("callbacks", [[{"_type_": "cb.model_checkpoint", "every_n_steps": 5}], []])
def test_a_run_that_was_stopped_is_compared_up_to_its_last_checkpoint(
    callbacks: list[Any], run: MakeRun
) -> None:
    recorded = stop_after(run, 7, callbacks=callbacks, data={**DATA, "test_fraction": 0.2})
    assert json.loads((recorded / "status.json").read_text())["state"] == "interrupted"
    done = reproduce(recorded)
    assert done.exit_code == 0, done
    assert "compared up to its last checkpoint, step 7" in done.stderr
    lines = len((recorded / "metrics.jsonl").read_text().splitlines())
    assert f"reproduced: {lines} metrics lines and 11 tensors" in done.stdout


def test_a_run_that_its_time_ended_goes_to_the_same_step(run: MakeRun) -> None:
    recorded = run(trainer={"max_epochs": None, "max_steps": 7, "max_time": "2h"})
    file = recorded / "config.resolved.yaml"
    file.write_text(file.read_text().replace("max_steps: 7", "max_steps: 70"))
    done = reproduce(recorded)
    assert done.exit_code == 0, done
    assert json.loads(Path("run.reproduced/status.json").read_text())["step"] == 7


@pytest.mark.parametrize("how", ["resume_from", "init_from"])
def test_a_run_that_started_from_another_needs_its_checkpoint(how: str, run: MakeRun) -> None:
    first = run("run.out_dir=first", "trainer.max_epochs=2")
    recorded = run(f"run.{how}={first}")
    run("run.out_dir=first", resume="auto")  # it has newer checkpoints now
    done = reproduce(recorded)
    assert done.exit_code == 0, done
    first.rename("moved")
    done = check(recorded)
    assert done.exit_code == 1
    assert f"first difference: checkpoint it started from, {first}" in done.stdout
    done = reproduce(recorded)
    assert done.exit_code == 1
    assert "the checkpoint that the run started from is not there" in done.stderr
    assert f"run.{how}=PATH" in done.stderr
    done = reproduce(recorded, f"run.{how}=moved/checkpoints/step-000000000008")
    assert "reproduced: " in done.stdout, done


def test_another_config_before_a_resume_is_told(run: MakeRun) -> None:
    run("trainer.max_epochs=2", "optimizer.lr=0.01")
    recorded = run(resume="auto")
    for done in (check(recorded), reproduce(recorded)):
        assert "went on from step 8 with another config" in done.stderr
    assert done.exit_code == 1


def test_a_name_that_is_that_of_the_directory_stays_a_name(run: MakeRun) -> None:
    Path("table.csv").write_text(TABLE.replace("e,f", "run,f"))
    recorded = run("trainer.max_epochs=1", data={**DATA, "target": ["run", "f"]})
    assert recorded.name == "run"
    assert reproduce(recorded).exit_code == 0


def test_data_in_the_run_directory_is_read_from_there(run: MakeRun) -> None:
    Path("runs/one").mkdir(parents=True)
    Path("runs/one/table.csv").write_text(TABLE)
    where = Path("runs/one").resolve()
    recorded = run(f"run.out_dir={where}", f"data.path={where}/table.csv", "trainer.max_epochs=1")
    assert reproduce(recorded).exit_code == 0


def test_loggers_do_not_write_again_unless_they_are_given(run: MakeRun) -> None:
    recorded = run("trainer.max_epochs=1")
    before = Path("own.jsonl").read_bytes()
    assert reproduce(recorded, "loggers[0].path=other.jsonl").exit_code == 0
    assert Path("own.jsonl").read_bytes() == before == Path("other.jsonl").read_bytes()


@pytest.mark.parametrize("output", [".", "run", "run/checkpoints/new"])
def test_the_run_cannot_be_the_place_of_the_new_one(output: str, run: MakeRun) -> None:
    recorded = run("trainer.max_epochs=1")
    before = content(recorded)
    for arguments in (("--output", output), (f"run.out_dir={output}",)):
        done = reproduce(recorded, *arguments)
        assert done.exit_code == 2
        assert "--output" in done.stderr
    assert content(recorded) == before


def test_a_folder_of_checkpoints_elsewhere_is_not_written_to(run: MakeRun) -> None:
    saver = {"_type_": "cb.model_checkpoint", "save_dir": "kept"}
    recorded = run(callbacks=[saver])
    before = content(Path("kept"))
    done = reproduce(recorded)
    assert done.exit_code == 2
    assert "kept holds checkpoints of another run" in done.stderr
    done = reproduce(recorded, "callbacks[0].save_dir=new")
    assert "reproduced: 12 metrics lines and 11 tensors" in done.stdout
    assert content(Path("kept")) == before


def test_a_secret_has_to_be_given_and_is_never_shown(
    run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "a-secret-table")
    Path("a-secret-table.csv").write_text(TABLE)
    recorded = run(
        data={**DATA, "path": "${env:MY_KEY}.csv"},
        params={"token": "${env:MY_KEY}"},
        loggers=[{"_type_": "log.jsonl", "path": "${env:MY_KEY}.jsonl"}],
    )
    assert "a-secret" not in "".join(f.read_text() for f in recorded.iterdir() if f.is_file())
    monkeypatch.delenv("MY_KEY")
    for refused in (check(recorded), reproduce(recorded)):
        assert refused.exit_code == 2
        assert "data.path was made from a secret, which a run does not store" in refused.stderr
        assert "give it: ot reproduce … data.path=…" in refused.stderr
        assert "params" not in refused.stderr
    assert check(recorded, "data.path=a-secret-table.csv").exit_code == 0
    done = reproduce(recorded, "data.path=a-secret-table.csv")
    assert done.exit_code == 0, done
    monkeypatch.setenv("MY_KEY", "a-secret-table")
    done = check(recorded, "data.path='${env:MY_KEY}.csv'")
    assert (done.exit_code, "a-secret" in done.stdout + done.stderr) == (0, False)


def test_imports_need_the_callers_word(run: MakeRun) -> None:
    recorded = run("trainer.max_epochs=1")
    for arguments in ((), ("--check",)):
        done = run_cli("reproduce", str(recorded), *arguments)
        assert done.exit_code == 2
        assert "OT0318" in done.stderr
        assert "--trust" in done.stderr


def test_errors_can_be_json(tmp_path: Path) -> None:
    done = run_cli("reproduce", str(tmp_path), "--format", "json")
    assert done.exit_code == 2
    shown = json.loads(done.stderr)
    assert shown["exit_code"] == 2
    assert "is not a run directory: it has no run.json" in str(shown["errors"])


HOSTILE: dict[str, Callable[[Path], Any]] = {
    "no directory": shutil.rmtree,
    "a file": lambda run: (shutil.rmtree(run), run.write_text("run")),
    "no run.json": lambda run: (run / "run.json").unlink(),
    "garbage run.json": lambda run: (run / "run.json").write_bytes(b"\xff\x00{"),
    "run.json of another kind": lambda run: (run / "run.json").write_text("[1]"),
    "a folder run.json": lambda run: ((run / "run.json").unlink(), (run / "run.json").mkdir()),
    "versions of another kind": lambda run: edit_json(run / "run.json", versions=[1]),
    "a newer format": lambda run: edit_json(run / "run.json", format_version=9),
    "no config": lambda run: (run / "config.resolved.yaml").unlink(),
    "garbage config": lambda run: (run / "config.resolved.yaml").write_bytes(b"\xff\x00{"),
    "config of another kind": lambda run: (run / "config.resolved.yaml").write_text("run: 3\n"),
    "run of another kind": lambda run: edit_config(run, "seed: 3", "seed: [3]"),
    "an unknown component": lambda run: edit_config(run, "data.table", "data.tabel"),
    "callbacks of another kind": lambda run: edit_config(run, "callbacks:\n", "callbacks: 3\nx:\n"),
}

HOSTILE_WHEN_RUN: dict[str, Callable[[Path], Any]] = {
    "no status": lambda run: (run / "status.json").unlink(),
    "garbage status": lambda run: (run / "status.json").write_bytes(b"\xff"),
    "status of another kind": lambda run: (run / "status.json").write_text("[]"),
    "no metrics": lambda run: (run / "metrics.jsonl").unlink(),
    "stopped without a checkpoint": lambda run: (
        edit_json(run / "status.json", state="running"),
        shutil.rmtree(run / "checkpoints"),
    ),
    "stopped with garbage": lambda run: (
        edit_json(run / "status.json", state="failed"),
        [file.write_bytes(b"{}") for file in run.glob("checkpoints/*/*")],
    ),
    "stopped with a damaged state": lambda run: (
        edit_json(run / "status.json", state="failed"),
        [file.write_bytes(b"{}") for file in run.glob("checkpoints/*/state.json")],
    ),
}


def edit_config(run: Path, old: str, new: str) -> None:
    file = run / "config.resolved.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


@pytest.mark.parametrize("harm", HOSTILE)
def test_a_directory_that_is_no_run_is_one_message(harm: str, run: MakeRun) -> None:
    recorded = run("trainer.max_epochs=1")
    HOSTILE[harm](recorded)
    for done in (check(recorded), reproduce(recorded)):
        assert done.exit_code == 2, done
        assert done.stderr.startswith("error"), done.stderr
    assert not Path("run.reproduced").exists()


@pytest.mark.parametrize("harm", HOSTILE_WHEN_RUN)
def test_a_run_with_nothing_to_compare_with_is_not_run_again(harm: str, run: MakeRun) -> None:
    recorded = run("trainer.max_epochs=1")
    HOSTILE_WHEN_RUN[harm](recorded)
    assert check(recorded).exit_code == 0
    done = reproduce(recorded)
    assert done.exit_code == 2, done
    assert "error: " in done.stderr
    assert not Path("run.reproduced").exists()


def test_files_that_never_end_are_not_read(run: MakeRun) -> None:
    recorded = run("trainer.max_epochs=1")
    Path("table.csv").unlink()
    data = [{"path": path, "bytes": 1, "sha256": ""} for path in ("/dev/zero", "/", "\0")]
    edit_json(recorded / "run.json", data=data)
    done = check(recorded)
    assert done.exit_code == 1
    assert "first difference: data file /dev/zero: 1 bytes" in done.stdout
