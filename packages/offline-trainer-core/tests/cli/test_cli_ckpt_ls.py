"""``ot ckpt ls``: what is listed, and how."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from offline_trainer.checkpoint.reading import step_name
from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.checkpoint.writing import Save
from offline_trainer.cli import ckpt_ls, ckpt_table
from offline_trainer.engine import HostState

Ot = Callable[..., Result]
Train = Callable[..., Path]

BEST = [{"_type_": "cb.model_checkpoint", "every_n_epochs": 1, "monitor": "val_loss"}]


def checkpoint(run: Path, step: int) -> Path:
    return run / "checkpoints" / step_name(step)


def listed(ot: Ot, *arguments: str) -> dict[str, Any]:
    result = ot("ckpt", "ls", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    data: dict[str, Any] = json.loads(result.stdout)
    return data


def marks(data: dict[str, Any]) -> dict[int, list[str]]:
    return {each["step"]: each["marks"] for each in data["checkpoints"]}


def test_a_run_is_listed_with_its_metrics_sizes_and_marks(train: Train, ot: Ot) -> None:
    run = train(callbacks=BEST)
    data = listed(ot, "run")
    best = min(data["checkpoints"], key=lambda each: each["metrics"]["val_loss"])
    assert [each["step"] for each in data["checkpoints"]] == [4, 8, 12, 16]
    assert [each["epoch"] for each in data["checkpoints"]] == [1, 2, 3, 4]
    assert "last" in marks(data)[16]
    assert [step for step, of in marks(data).items() if "best" in of] == [best["step"]]
    first = data["checkpoints"][0]
    assert first["path"] == str(checkpoint(run, 4))
    assert first["bytes"] == sum(file.stat().st_size for file in checkpoint(run, 4).iterdir())
    assert first["attempt"] == 1


def test_a_folder_and_one_checkpoint_are_listed_too(train: Train, ot: Ot) -> None:
    train()
    assert list(marks(listed(ot, "run/checkpoints"))) == [4, 8, 12, 16]
    assert marks(listed(ot, "run@last")) == {16: ["last"]}
    assert marks(listed(ot, str(checkpoint(Path("run"), 8)))) == {8: []}


def test_where_a_program_reads_each_is_a_line_of_nine_columns(train: Train, ot: Ot) -> None:
    run = train()
    lines = ot("ckpt", "ls", "run").stdout.splitlines()
    rows = [line.split("\t") for line in lines]
    assert [len(row) for row in rows] == [9] * 4
    assert rows[3][:4] == [str(checkpoint(run, 16)), "16", "4", "1"]
    assert rows[3][6] == "last"
    assert any(text.startswith("val_loss=0.") for text in rows[3][7].split())


def test_pinned_damaged_and_unreadable_ones_are_marked(train: Train, ot: Ot) -> None:
    run = train()
    assert ot("ckpt", "pin", "run@4").exit_code == 0
    (checkpoint(run, 8) / "state.json").write_text("{}")
    newer = checkpoint(run, 12) / "MANIFEST.json"
    newer.write_bytes(manifest_of_a_newer_format(newer))
    data = listed(ot, "run")
    assert marks(data) == {4: ["pinned"], 8: ["damaged"], 12: ["unreadable"], 16: ["last"]}
    reasons = {each["step"]: each["reason"] for each in data["checkpoints"]}
    assert reasons[8].startswith("state.json has 2 bytes, its manifest says ")
    assert reasons[12].startswith("MANIFEST.json needs a reader of checkpoint format 2")
    assert not reasons[4]


def manifest_of_a_newer_format(file: Path) -> bytes:
    import hashlib

    fields = json.loads(file.read_bytes())
    del fields["sha256"]
    fields |= {"format_version": 2, "minimum_reader": 2}
    text = (json.dumps(fields, indent=1) + "\n").encode()
    fields["sha256"] = hashlib.sha256(text).hexdigest()
    return (json.dumps(fields, indent=1) + "\n").encode()


def test_a_line_that_was_left_behind_is_marked_until_it_is_trash(tmp_path: Path, ot: Ot) -> None:
    save(tmp_path / "run", attempt=1, steps=(4, 8, 12))
    save(tmp_path / "again", attempt=2, steps=(6,))
    # A crash has come between the first save of the new line and the moving away of the old.
    (new,) = (tmp_path / "again/checkpoints").glob("step-*")
    new.rename(tmp_path / "run/checkpoints" / new.name)
    data = listed(ot, str(tmp_path / "run"))
    assert marks(data) == {4: [], 6: [], 8: ["abandoned"], 12: ["last", "abandoned"]}
    (tmp_path / "run/checkpoints/trash").mkdir()
    checkpoint(tmp_path / "run", 8).rename(tmp_path / "run/checkpoints/trash" / step_name(8))
    (trash,) = listed(ot, str(tmp_path / "run"))["trash"]
    assert (trash["path"][-23:], trash["reason"]) == ("trash/step-000000000008", "")


def save(run: Path, *, attempt: int, steps: tuple[int, ...]) -> None:
    store = CheckpointStore(
        run / "checkpoints",
        run_id="run",
        config_hash="",
        quarantine=run / "quarantine",
        attempt=attempt,
    )
    for step in steps:
        store.save(Save(HostState({"model": {}}, {}), None, step, 0))


def test_what_was_set_aside_is_listed_with_its_reason(train: Train, ot: Ot) -> None:
    run = train(trainer={"max_epochs": 4})
    (checkpoint(run, 16) / "state.json").write_text("{}")
    train(resume="auto", trainer={"max_epochs": 4})
    data = listed(ot, "run")
    (aside,) = data["quarantine"]
    assert aside["path"] == f"run/quarantine/{step_name(16)}"
    assert aside["reason"].startswith("state.json has 2 bytes")
    assert marks(data)[16] == ["last"]
    assert listed(ot, "run@8")["quarantine"] == []
    rows = [line.split("\t") for line in ot("ckpt", "ls", "run").stdout.splitlines()]
    assert [row[6] for row in rows if "quarantine" in row[0]] == ["quarantine"]


def test_a_run_whose_checkpoints_are_all_in_quarantine_is_listed(train: Train, ot: Ot) -> None:
    run = train()
    (run / "checkpoints").rename(run / "quarantine")
    data = listed(ot, "run")
    assert (data["checkpoints"], len(data["quarantine"])) == ([], 4)


def test_one_that_its_run_removes_meanwhile_is_left_out(
    train: Train, ot: Ot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from offline_trainer.checkpoint import inventory

    run = train()
    check = inventory.check_complete

    def removed_first(path: Path) -> Any:
        shutil.rmtree(checkpoint(run, 4), ignore_errors=True)
        return check(path)

    monkeypatch.setattr(inventory, "check_complete", removed_first)
    assert list(marks(listed(ot, "run"))) == [8, 12, 16]


def test_a_table_is_printed_in_the_width_of_the_terminal(
    train: Train,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = train(callbacks=BEST)
    (checkpoint(run, 8) / "state.json").write_text("{}")
    for columns, shown in {"72": ["val_loss", "val_rmse"], "40": []}.items():
        monkeypatch.setenv("COLUMNS", columns)
        ckpt_table.print_listing(ckpt_ls.listing_of("run"))
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith("run/checkpoints  4 checkpoints, ")
        assert [name for name in lines[1].split() if name.startswith("val_")] == shown
        assert lines[1].split()[:5] == ["step", "epoch", "attempt", "saved", "size"]
        assert all(len(line) <= max(int(columns), 62) for line in lines)
        assert any(line.startswith("step 8: state.json has 2 bytes") for line in lines)
        assert ("no room for val_loss" in " ".join(lines)) is (not shown)


def test_where_there_is_none_it_is_said_where_there_may_be(train: Train, ot: Ot) -> None:
    train(out_dir="runs/one")
    result = ot("ckpt", "ls")
    assert result.exit_code == 2
    assert result.stderr == "error: no checkpoint in .\n  help: runs below it: runs/one\n"
    shutil.rmtree("runs/one/checkpoints")
    assert "its config has save_dir" not in ot("ckpt", "ls", "runs/one").stderr
    train(
        out_dir="runs/two",
        callbacks=[{"_type_": "cb.model_checkpoint", "save_dir": "elsewhere", "every_n_epochs": 1}],
    )
    assert "its config has save_dir: elsewhere" in ot("ckpt", "ls", "runs/two").stderr
    assert list(marks(listed(ot, "elsewhere"))) == [4, 8, 12, 16]
    assert "there is no such directory" in ot("ckpt", "ls", "nowhere").stderr
