"""``ot ckpt rm``, ``pin`` and ``unpin``: what goes, and what must not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from offline_trainer.checkpoint import pins
from offline_trainer.checkpoint.file_system import FileSystem
from offline_trainer.checkpoint.pointers import pointed_step
from offline_trainer.checkpoint.reading import step_directories, step_name

Ot = Callable[..., Result]
Train = Callable[..., Path]

BEST = [{"_type_": "cb.model_checkpoint", "every_n_epochs": 1, "monitor": "val_loss"}]
HOLDER = """
import sys
from pathlib import Path
from offline_trainer.run.lock import RunLock

RunLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


def checkpoint(run: Path, step: int) -> Path:
    return run / "checkpoints" / step_name(step)


def steps(run: Path) -> list[int]:
    return list(step_directories(run / "checkpoints"))


def pointers(run: Path) -> tuple[int | None, int | None]:
    folder = run / "checkpoints"
    return pointed_step(folder, "last"), pointed_step(folder, "best")


def damage(path: Path) -> None:
    content = (path / "model.safetensors").read_bytes()
    (path / "model.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_what_is_removed_is_gone_and_the_run_goes_on_from_the_rest(train: Train, ot: Ot) -> None:
    run = train()
    result = ot("ckpt", "rm", "run@4", "run@16", str(checkpoint(run, 4)))
    assert result.exit_code == 0, result.stderr
    assert result.stdout == (
        f"removed {checkpoint(run, 4)}\nremoved {checkpoint(run, 16)}\n`last` names step 12 now\n"
    )
    assert sorted(os.listdir(run / "checkpoints")) == [  # noqa: PTH208
        "last",
        step_name(8),
        step_name(12),
    ]
    train(resume="auto")
    assert steps(run) == [8, 12, 16]


def test_best_names_the_best_of_the_rest(train: Train, ot: Ot) -> None:
    run = train(callbacks=BEST)
    best = pointers(run)[1]
    result = ot("ckpt", "rm", f"run@{best}")
    assert result.exit_code == 0
    again = pointers(run)[1]
    assert again in steps(run)
    assert f"`best` names step {again} now" in result.stdout
    rest = ot("ckpt", "rm", *(f"run@{step}" for step in steps(run)), "--force")
    assert "`last` is removed\n`best` is removed\n" in rest.stdout
    assert list((run / "checkpoints").iterdir()) == []


def test_a_best_that_nothing_tells_how_to_choose_is_removed(train: Train, ot: Ot) -> None:
    run = train(callbacks=BEST)
    best = pointers(run)[1]
    (run / "config.resolved.yaml").write_text("schema_version: [")
    assert "`best` is removed" in ot("ckpt", "rm", f"run@{best}").stdout


def test_nothing_is_removed_while_the_run_goes_on(train: Train, ot: Ot) -> None:
    run = train()
    command = [sys.executable, "-c", HOLDER, str(run.resolve())]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        result = ot("ckpt", "rm", "run@4", "--force")
        assert result.exit_code == 2
        assert f"is in use by process {holder.pid} on " in result.stderr
        assert "help: wait for that run to end, or stop it" in result.stderr
        assert ot("ckpt", "pin", "run@4").exit_code == 0
    assert steps(run) == [4, 8, 12, 16]
    assert ot("ckpt", "unpin", "run@4").exit_code == 0
    assert ot("ckpt", "rm", "run@4").exit_code == 0


def test_a_pinned_checkpoint_stays_and_the_others_with_it(train: Train, ot: Ot) -> None:
    run = train()
    assert ot("ckpt", "pin", "run@8").stdout == f"pinned {checkpoint(run, 8)}\n"
    assert ot("ckpt", "pin", "run@8").exit_code == 0
    result = ot("ckpt", "rm", "run@4", "run@8", "--force")
    assert (result.exit_code, steps(run)) == (2, [4, 8, 12, 16])
    assert f"help: ot ckpt unpin {checkpoint(run.resolve(), 8)}" in result.stderr
    assert ot("ckpt", "unpin", "run@8", "run@4").stdout == (
        f"unpinned {checkpoint(run, 8)}\n{checkpoint(run, 4)} was not pinned\n"
    )
    assert ot("ckpt", "rm", "run@4", "run@8").exit_code == 0


def test_the_last_good_one_stays_unless_forced(train: Train, ot: Ot) -> None:
    run = train()
    for step in (4, 8):
        damage(checkpoint(run, step))  # of the right size, so only its hash tells
    for chosen in (["run@12", "run@16"], ["run@4", "run@12", str(checkpoint(run.resolve(), 16))]):
        result = ot("ckpt", "rm", *chosen)
        assert (result.exit_code, steps(run)) == (2, [4, 8, 12, 16])
        assert f"no good checkpoint of {run.resolve()} would be left" in result.stderr
        assert "--force removes it all the same" in result.stderr
    assert ot("ckpt", "rm", "run@12").exit_code == 0
    assert ot("ckpt", "rm", "run@16").exit_code == 2
    assert ot("ckpt", "rm", "run@16", "--force").exit_code == 0


def test_what_is_visibly_damaged_can_go_though_nothing_good_is_left(train: Train, ot: Ot) -> None:
    run = train()
    for step in steps(run):
        (checkpoint(run, step) / "state.json").unlink()
    assert ot("ckpt", "rm", "run@4").exit_code == 0
    assert pointers(run)[0] == 16
    result = ot("ckpt", "rm", "run@16")
    assert (result.exit_code, pointers(run)[0]) == (0, None)


def test_of_two_runs_nothing_goes_where_one_is_refused(train: Train, ot: Ot) -> None:
    run, other = train(), train(out_dir="other")
    assert ot("ckpt", "rm", "run@4", *(f"other@{step}" for step in steps(other))).exit_code == 2
    assert (steps(run), steps(other)) == ([4, 8, 12, 16], [4, 8, 12, 16])
    assert ot("ckpt", "rm", "run@4", "other@4").exit_code == 0


def test_outside_a_run_it_takes_force(train: Train, ot: Ot) -> None:
    run = train()
    (run / "checkpoints").rename("alone")
    refused = ot("ckpt", "rm", "alone@4")
    assert refused.exit_code == 2
    assert "is in no run directory" in refused.stderr
    assert ot("ckpt", "rm", "alone@4", "--force").exit_code == 0
    assert list(step_directories(Path("alone"))) == [8, 12, 16]


def test_what_was_set_aside_goes_with_its_reason(train: Train, ot: Ot) -> None:
    run = train()
    aside, trash = run / "quarantine", run / "checkpoints/trash"
    aside.mkdir()
    trash.mkdir()
    checkpoint(run, 4).rename(aside / step_name(4))
    (aside / f"{step_name(4)}.reason.txt").write_text("why")
    checkpoint(run, 8).rename(trash / f"{step_name(8)}-2")
    result = ot("ckpt", "rm", str(aside / step_name(4)), str(trash / f"{step_name(8)}-2"))
    assert result.exit_code == 0, result.stderr
    assert [*aside.iterdir(), *trash.iterdir()] == []
    assert steps(run) == [12, 16]


def test_a_folder_that_is_no_runs_checkpoint_is_left_alone(train: Train, ot: Ot) -> None:
    run = train()
    checkpoint(run, 4).rename(run / "kept")
    result = ot("ckpt", "rm", "run/kept", "--force")
    assert (result.exit_code, (run / "kept/MANIFEST.json").exists()) == (2, True)
    assert "does not have the name of a checkpoint" in result.stderr


def test_a_link_to_a_checkpoint_goes_and_what_it_names_stays(train: Train, ot: Ot) -> None:
    run = train()
    checkpoint(run, 4).rename("precious")
    checkpoint(run, 4).symlink_to(Path("precious").resolve())
    assert ot("ckpt", "rm", "run@4").exit_code == 0
    assert (Path("precious") / "MANIFEST.json").exists()
    assert steps(run) == [8, 12, 16]


def test_a_removal_that_was_cut_off_is_finished_by_the_next(train: Train, ot: Ot) -> None:
    run = train()
    checkpoint(run, 4).rename(run / "checkpoints" / f"deleting-{step_name(8)}")
    assert ot("ckpt", "rm", "run@8").exit_code == 0
    assert not list((run / "checkpoints").glob("deleting-*"))


def test_a_pin_on_what_has_just_gone_is_taken_back(
    train: Train, ot: Ot, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train()
    pin = pins.pin

    def removed_first(system: FileSystem, path: Path) -> None:
        path.rename(path.with_name("elsewhere"))
        pin(system, path)

    monkeypatch.setattr(pins, "pin", removed_first)
    result = ot("ckpt", "pin", "run@4")
    assert result.exit_code == 2
    assert "is gone: its run has just removed it" in result.stderr
    assert not list((run / "checkpoints").glob("*.pinned"))


@pytest.mark.parametrize("command", ["pin", "unpin", "rm"])
def test_a_disk_that_refuses_is_one_message(
    command: str, train: Train, ot: Ot, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train()
    assert ot("ckpt", "pin", "run@8").exit_code == 0

    def refuse(*arguments: Any) -> Any:
        raise OSError(30, "Read-only file system")

    for operation in ("create", "remove_file", "rename"):
        monkeypatch.setattr(FileSystem, operation, refuse)
    result = ot("ckpt", command, "run@8" if command == "unpin" else "run@4")
    assert result.exit_code == 1
    assert "Read-only file system" in result.stderr
    assert steps(run) == [4, 8, 12, 16]


def test_one_that_was_about_to_be_replaced_is_a_checkpoint_as_others(train: Train, ot: Ot) -> None:
    run = train()
    replaced = run / "checkpoints" / f"replaced-{step_name(16)}"
    checkpoint(run, 16).rename(replaced)  # a crash came before the one that takes its place
    assert ot("ckpt", "pin", "run@16").exit_code == 0
    assert (run / "checkpoints" / f"{step_name(16)}.pinned").exists()
    assert [line.split("\t")[6] for line in ot("ckpt", "ls", "run").stdout.splitlines()] == [
        *("", "", ""),
        "last,pinned",
    ]
    assert ot("ckpt", "rm", "run@16").exit_code == 2
    assert ot("ckpt", "unpin", "run@16").exit_code == 0
    (replaced / "MANIFEST.json").unlink()
    assert ot("ckpt", "show", "run@16").exit_code == 4
    assert ot("ckpt", "rm", "run@16").exit_code == 0
    assert not list((run / "checkpoints").glob(f"*{step_name(16)}*"))
    assert pointers(run)[0] == 12
