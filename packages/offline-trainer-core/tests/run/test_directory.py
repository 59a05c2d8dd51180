"""One run per directory: nothing mixed, nothing overwritten, nothing deleted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from offline_trainer.errors import RunDirectoryError
from offline_trainer.run.directory import RunDirectory
from offline_trainer.run.manifest import RunManifest, describe_run
from offline_trainer.run.status import Status

STARTED = "2026-03-04T05:06:07+02:00"


def manifest(earlier: RunManifest | None = None) -> RunManifest:
    made = describe_run(
        versions={}, plugins={}, seed=0, device="cpu", config_hash="", earlier=earlier
    )
    return made if earlier else replace(made, started=STARTED)


def run_once(out_dir: Path) -> None:
    with RunDirectory.open(out_dir, resume=False) as run:
        run.write_manifest(manifest())
        run.write_status(Status("done", step=10, epoch=2, exit_code=0))


def test_a_fresh_directory(tmp_path: Path) -> None:
    with RunDirectory.open(tmp_path / "runs" / "one", resume=False) as run:
        assert run.root == tmp_path / "runs" / "one"
        assert run.earlier is None
        assert not run.root.exists()
        assert run.begin() is None
        assert list(run.root.iterdir()) == []
        assert run.checkpoints == run.root / "checkpoints"
        assert run.quarantine == run.root / "quarantine"
        assert run.metrics_file == run.root / "metrics.jsonl"
    assert (tmp_path / "runs" / "one.lock").exists()


def test_relative_directories_are_held_as_absolute_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with RunDirectory.open(Path("run"), resume=False) as run:
        assert run.root == tmp_path / "run"
        with pytest.raises(RunDirectoryError, match="in use"):
            RunDirectory.open(tmp_path / "x" / ".." / "run", resume=False)


def test_an_earlier_run_is_moved_aside_whole(tmp_path: Path) -> None:
    out_dir = tmp_path / "run"
    run_once(out_dir)
    for moved in ("run.20260304-050607", "run.20260304-050607-2"):
        with RunDirectory.open(out_dir, resume=False) as run:
            assert (out_dir / "run.json").exists()  # opening alone moves nothing
            assert run.begin() == f"earlier run in {out_dir} moved to {tmp_path / moved}"
            assert list(out_dir.iterdir()) == []
            run.write_manifest(manifest())
        assert (tmp_path / moved / "run.json").exists()
    assert (tmp_path / "run.20260304-050607" / "status.json").exists()


def test_an_earlier_run_with_an_unreadable_manifest_is_moved_aside_too(tmp_path: Path) -> None:
    out_dir = tmp_path / "run"
    out_dir.mkdir()
    (out_dir / "run.json").write_text("torn")
    with RunDirectory.open(out_dir, resume=False) as run:
        assert run.begin() is not None
    assert len(list(tmp_path.glob("run.*-*/run.json"))) == 1


def test_resuming_keeps_everything_in_its_place(tmp_path: Path) -> None:
    run_once(tmp_path / "run")
    with RunDirectory.open(tmp_path / "run", resume=True) as run:
        assert run.begin() is None
        assert run.earlier is not None
        assert (run.root / "status.json").exists()
        run.write_manifest(manifest(run.earlier))
    with RunDirectory.open(tmp_path / "run", resume=True) as run:
        assert run.earlier is not None
        assert (run.earlier.attempt, run.earlier.started) == (2, STARTED)


def test_resuming_where_there_is_nothing_starts(tmp_path: Path) -> None:
    with RunDirectory.open(tmp_path / "run", resume=True) as run:
        assert run.earlier is None


@pytest.mark.parametrize("resume", [False, True])
def test_files_that_are_no_runs_are_never_overwritten(resume: bool, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("mine")
    with pytest.raises(RunDirectoryError, match=r"holds config\.yaml, but no run\.json"):
        RunDirectory.open(tmp_path / "run", resume=resume)
    (tmp_path / "run" / "config.yaml").rename(tmp_path / "run" / "notes.txt")
    RunDirectory.open(tmp_path / "run", resume=resume).close()  # the failed one left no lock


def test_the_current_folder_is_not_moved_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_once(tmp_path / "run")
    (tmp_path / "run" / "below").mkdir()
    monkeypatch.chdir(tmp_path / "run" / "below")
    with (
        RunDirectory.open(tmp_path / "run", resume=False) as run,
        pytest.raises(RunDirectoryError, match="is the current folder or contains it"),
    ):
        run.begin()
    assert (tmp_path / "run" / "run.json").exists()


def test_a_file_in_its_place_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(RunDirectoryError, match="is not a directory"):
        RunDirectory.open(tmp_path / "run", resume=False)


def test_the_config_is_stored_as_given_and_as_resolved(tmp_path: Path) -> None:
    files = {"exp/digits.yaml": "a: 1\n", "base/run.yaml": "b: é\n", "base/x/run.yaml": "c: 3\n"}
    with RunDirectory.open(tmp_path / "run", resume=False) as run:
        run.write_config(files, "a: 1  # exp/digits.yaml:1\n")
        assert (run.root / "config.yaml").read_text() == "a: 1\n"
        assert (run.root / "config" / "01-run.yaml").read_text("utf-8") == "# base/run.yaml\nb: é\n"
        assert (run.root / "config" / "02-run.yaml").read_text() == "# base/x/run.yaml\nc: 3\n"
        assert (run.root / "config.resolved.yaml").read_text() == "a: 1  # exp/digits.yaml:1\n"


def test_status_and_events(tmp_path: Path) -> None:
    with RunDirectory.open(tmp_path / "run", resume=False) as run:
        run.write_status(Status("running"))
        run.write_status(Status("diverged", step=5, epoch=1, exit_code=3, message="loss"))
        run.append_event("started", attempt=1)
        run.append_event("checkpoint", step=5)
        events = [json.loads(line) for line in run.events_file.read_text().splitlines()]
        status = json.loads((run.root / "status.json").read_text())
    assert [event["kind"] for event in events] == ["started", "checkpoint"]
    assert events[1]["step"] == 5
    assert status == {
        "state": "diverged",
        "step": 5,
        "epoch": 1,
        "exit_code": 3,
        "message": "loss",
    }
