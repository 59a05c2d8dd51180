"""Saving, loading, falling back, going on from an older step, keeping the last few."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from pathlib import Path

import pytest

from model_constructor.errors import ParameterError
from offline_trainer.checkpoint.reading import load, read_manifest, step_directories
from offline_trainer.checkpoint.references import resolve
from offline_trainer.checkpoint.retention import Retention
from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.checkpoint.writing import Save
from offline_trainer.engine import HostState, HostTensor, Json
from offline_trainer.errors import (
    CheckpointError,
    DamagedCheckpointError,
    DivergedError,
    OfflineTrainerError,
    RunDirectoryError,
)


def state(step: int) -> HostState:
    number = step.to_bytes(4, "little")
    return HostState(
        {
            "model": {"w": HostTensor("I32", (1,), number), "b": HostTensor("BF16", (), b"\0\1")},
            "optimizer": {},
            "rng": {"cpu": HostTensor("U8", (4,), number)},
        },
        {"optimizer": {"lr": 0.1 * step, "best": math.inf}},
    )


def store(folder: Path, *, attempt: int = 1, keep_last: int | None = None) -> CheckpointStore:
    return CheckpointStore(
        folder / "checkpoints",
        run_id="run",
        config_hash="hash",
        quarantine=folder / "quarantine",
        attempt=attempt,
        retention=Retention(keep_last=keep_last),
    )


def save(checkpoints: CheckpointStore, *steps: int, loop_state: Json = None) -> list[Path]:
    return [checkpoints.save(Save(state(step), loop_state, step, step // 10)) for step in steps]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def steps(folder: Path) -> list[int]:
    return list(step_directories(folder / "checkpoints"))


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    (path,) = save(store(tmp_path), 1200, loop_state={"epoch_position": [3, 7], "best": -math.inf})
    assert path == tmp_path / "checkpoints" / "step-000000001200"
    assert names(path) == [
        "MANIFEST.json",
        "model.safetensors",
        "optimizer.safetensors",
        "rng.safetensors",
        "state.json",
    ]
    loaded = load(path)
    assert loaded.state == state(1200)
    assert loaded.loop_state == {"epoch_position": [3, 7], "best": -math.inf}
    assert (loaded.step, loaded.epoch) == (1200, 120)
    assert (loaded.manifest.run_id, loaded.manifest.config_hash) == ("run", "hash")
    assert (tmp_path / "checkpoints" / "last").read_text() == "step-000000001200\n"


def test_equal_states_make_equal_bytes(tmp_path: Path) -> None:
    (one,) = save(store(tmp_path / "one"), 3)
    (two,) = save(store(tmp_path / "two"), 3)
    for name in names(one):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_there_is_nothing_before_the_first_save(tmp_path: Path) -> None:
    assert store(tmp_path).latest() is None
    assert list(tmp_path.iterdir()) == []


def test_each_checkpoint_names_its_parent(tmp_path: Path) -> None:
    one, two = save(store(tmp_path), 1, 2)
    assert read_manifest(one).parent is None
    assert read_manifest(two).parent == read_manifest(one).sha256


def test_saving_a_step_again_changes_nothing(tmp_path: Path) -> None:
    checkpoints = store(tmp_path)
    (path,) = save(checkpoints, 1)
    before = (path / "MANIFEST.json").stat()
    assert checkpoints.save(Save(state(99), {"other": 1}, 1, 9)) == path
    assert (path / "MANIFEST.json").stat() == before


def test_a_state_that_is_not_finite_is_refused_and_nothing_written(tmp_path: Path) -> None:
    bad = HostState({"model": {"w": HostTensor("F32", (1,), b"\xff" * 4)}}, {})
    with pytest.raises(DivergedError):
        store(tmp_path).save(Save(bad, None, 1, 0))
    assert list(tmp_path.iterdir()) == []


def test_a_component_state_that_is_no_json_is_named_and_nothing_committed(tmp_path: Path) -> None:
    checkpoints = store(tmp_path)
    with pytest.raises(OfflineTrainerError, match=r"`loop.callbacks\[0\]` is a builtins.set"):
        save(checkpoints, 1, loop_state={"callbacks": [set()]})
    assert checkpoints.latest() is None
    save(checkpoints, 1)


def test_a_group_that_cannot_be_a_file_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'\.\./x' cannot name"):
        store(tmp_path).save(Save(HostState({"../x": {}}, {}), None, 1, 0))


def test_a_disk_that_refuses_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("a file where the directory should be")
    with pytest.raises(OfflineTrainerError, match=r"cannot save checkpoint .*step-000000000001"):
        save(store(tmp_path), 1)


# --- damage ---------------------------------------------------------------------------------


def test_every_changed_byte_and_every_truncation_is_detected(tmp_path: Path) -> None:
    (path,) = save(store(tmp_path), 1)
    for file in sorted(path.iterdir()):
        data = file.read_bytes()
        for index in range(len(data)):
            changed = data[:index] + bytes([data[index] ^ (1 << index % 8)]) + data[index + 1 :]
            for damaged in (changed, data[:index]):
                file.write_bytes(damaged)
                with pytest.raises(DamagedCheckpointError):
                    load(path)
        file.write_bytes(data)
    assert load(path).state == state(1)


def test_missing_added_swapped_and_linked_files_are_detected(tmp_path: Path) -> None:
    (good,) = save(store(tmp_path), 1)
    path = tmp_path / good.name

    def fresh() -> Path:
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(good, path)
        load(path)
        return path

    for name in names(good):
        (fresh() / name).unlink()
        with pytest.raises(DamagedCheckpointError):
            load(path)
        (fresh() / name).unlink()
        (path / name).symlink_to(good / name)
        with pytest.raises(DamagedCheckpointError):
            load(path)
        (fresh() / name).unlink()
        (path / name).mkdir()
        with pytest.raises(DamagedCheckpointError):
            load(path)
    (fresh() / "extra.json").write_text("{}")
    with pytest.raises(DamagedCheckpointError, match=r"unexpected files \['extra.json'\]"):
        load(path)
    (fresh() / "rng.safetensors").rename(path / "saved")
    (path / "model.safetensors").rename(path / "rng.safetensors")
    (path / "saved").rename(path / "model.safetensors")
    with pytest.raises(DamagedCheckpointError):
        load(path)
    renamed = fresh().rename(path.with_name("step-000000000007"))
    with pytest.raises(DamagedCheckpointError, match="says that it is step 1"):
        load(renamed)


def test_a_fifo_in_a_checkpoint_does_not_block(tmp_path: Path) -> None:
    (path,) = save(store(tmp_path), 1)
    (path / "rng.safetensors").unlink()
    os.mkfifo(path / "rng.safetensors")
    with pytest.raises(DamagedCheckpointError, match="not a regular file"):
        load(path)


def test_damaged_ones_go_to_quarantine_with_a_reason_and_the_next_older_is_taken(
    tmp_path: Path,
) -> None:
    paths = save(store(tmp_path), 1, 2, 3)
    (paths[2] / "model.safetensors").write_bytes(b"torn")
    (paths[1] / "MANIFEST.json").unlink()
    latest = store(tmp_path).latest()
    assert latest is not None
    assert latest.step == 1
    assert steps(tmp_path) == [1]
    quarantine = tmp_path / "quarantine"
    assert (quarantine / paths[2].name / "model.safetensors").read_bytes() == b"torn"
    assert "has 4 bytes" in (quarantine / f"{paths[2].name}.reason.txt").read_text()
    assert "MANIFEST.json" in (quarantine / f"{paths[1].name}.reason.txt").read_text()


def test_a_reason_with_characters_that_no_file_can_hold_is_written_all_the_same(
    tmp_path: Path,
) -> None:
    checkpoints = store(tmp_path)
    tensors = {"m": {"\ud800": state(1).tensors["rng"]["cpu"]}}
    path = checkpoints.save(Save(HostState(tensors, {}), None, 1, 0))
    header = (path / "m.safetensors").read_bytes().replace(b"U8", b"U7")
    (path / "m.safetensors").write_bytes(header)
    fields = json.loads((path / "MANIFEST.json").read_bytes())
    fields["files"][0]["sha256"] = hashlib.sha256(header).hexdigest()
    del fields["sha256"]
    body = f"{json.dumps(fields, indent=1)}\n".encode()
    fields["sha256"] = hashlib.sha256(body).hexdigest()
    (path / "MANIFEST.json").write_text(f"{json.dumps(fields, indent=1)}\n")
    with pytest.raises(CheckpointError, match="no usable checkpoint"):
        store(tmp_path).latest()
    reason = tmp_path / "quarantine" / f"{path.name}.reason.txt"
    assert "tensor `\\ud800` has the unknown dtype" in reason.read_text()


def test_a_manifest_that_would_be_too_long_to_read_is_not_written(tmp_path: Path) -> None:
    metrics = {f"metric_{number:06d}": 0.5 for number in range(60_000)}
    with pytest.raises(OfflineTrainerError, match="60000 metrics make a manifest of"):
        store(tmp_path).save(Save(state(1), None, 1, 0, metrics))
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_when_none_is_good_the_run_never_silently_starts_over(tmp_path: Path) -> None:
    (path,) = save(store(tmp_path), 1)
    (path / "state.json").write_text("{}")
    for _ in range(2):  # also the second time, when the damaged one is gone from its place
        with pytest.raises(CheckpointError, match="no usable checkpoint") as caught:
            store(tmp_path).latest()
        assert caught.value.exit_code == 4


def test_a_link_that_poses_as_a_checkpoint_is_set_aside_and_not_followed(tmp_path: Path) -> None:
    (path,) = save(store(tmp_path), 1)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path.with_name("step-000000000009").symlink_to(elsewhere)
    latest = store(tmp_path).latest()
    assert latest is not None
    assert latest.step == 1
    assert elsewhere.is_dir()


def test_a_checkpoint_of_a_newer_format_is_left_where_it_is(tmp_path: Path) -> None:
    paths = save(store(tmp_path), 1, 2)
    file = paths[1] / "MANIFEST.json"
    fields = {**json.loads(file.read_bytes()), "minimum_reader": 2}
    del fields["sha256"]
    body = json.dumps(fields, indent=1) + "\n"
    fields["sha256"] = hashlib.sha256(body.encode()).hexdigest()
    file.write_text(json.dumps(fields, indent=1) + "\n")
    with pytest.raises(CheckpointError, match="needs a reader of checkpoint format 2"):
        store(tmp_path).latest()
    assert steps(tmp_path) == [1, 2]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads anything")
def test_a_file_that_may_not_be_read_is_not_damage(tmp_path: Path) -> None:
    (path,) = save(store(tmp_path), 1)
    (path / "state.json").chmod(0)
    with pytest.raises(OfflineTrainerError, match="cannot read") as caught:
        store(tmp_path).latest()
    assert not isinstance(caught.value, CheckpointError)
    assert steps(tmp_path) == [1]


def test_a_checkpoint_is_verified_without_keeping_its_values(tmp_path: Path) -> None:
    (path,) = save(store(tmp_path), 1)
    loaded = load(path, keep_values=False)
    assert loaded.state.tensors["model"] == {
        "w": HostTensor("I32", (1,), b""),
        "b": HostTensor("BF16", (), b""),
    }
    assert loaded.state.values == state(1).values
    (path / "rng.safetensors").write_bytes((path / "rng.safetensors").read_bytes()[::-1])
    with pytest.raises(DamagedCheckpointError, match=r"rng\.safetensors"):
        load(path, keep_values=False)


def test_a_pipe_in_place_of_a_manifest_is_not_read(tmp_path: Path) -> None:
    (path,) = save(store(tmp_path), 1)
    (path / "MANIFEST.json").unlink()
    os.mkfifo(path / "MANIFEST.json")
    with pytest.raises(DamagedCheckpointError, match="not a regular file"):
        read_manifest(path)


# --- going on -------------------------------------------------------------------------------


def resumed(folder: Path, *, at: int | None = None) -> CheckpointStore:
    checkpoints = store(folder)
    checkpoint = checkpoints.latest()
    if at is not None:
        checkpoint = load(step_directories(folder / "checkpoints")[at])
    assert checkpoint is not None
    checkpoints.continue_from(checkpoint)
    return checkpoints


def test_going_on_from_the_newest_keeps_the_line(tmp_path: Path) -> None:
    _, two = save(store(tmp_path), 1, 2)
    checkpoints = resumed(tmp_path)
    assert save(checkpoints, 2) == [two]
    (three,) = save(checkpoints, 3)
    assert read_manifest(three).parent == read_manifest(two).sha256
    assert read_manifest(three).attempt == 2
    assert steps(tmp_path) == [1, 2, 3]


def test_going_on_from_an_older_step_moves_the_newer_ones_to_trash_at_the_first_commit(
    tmp_path: Path,
) -> None:
    save(store(tmp_path), 10, 20, 30)
    checkpoints = resumed(tmp_path, at=10)
    assert steps(tmp_path) == [10, 20, 30]
    (path,) = save(checkpoints, 15)
    assert steps(tmp_path) == [10, 15]
    assert names(tmp_path / "checkpoints" / "trash") == [
        "step-000000000020",
        "step-000000000030",
    ]
    assert read_manifest(path).attempt == 2


def test_the_same_step_of_an_abandoned_line_is_saved_anew(tmp_path: Path) -> None:
    save(store(tmp_path), 10, 20)
    checkpoints = resumed(tmp_path, at=10)
    path = checkpoints.save(Save(state(77), None, 20, 2))
    assert load(path).state == state(77)
    again = resumed(tmp_path, at=10)
    assert again.save(Save(state(78), None, 20, 2)) == path
    assert names(tmp_path / "checkpoints" / "trash") == [
        "step-000000000020",
        "step-000000000020-2",
    ]


def test_checkpoints_of_an_unrelated_run_are_never_mixed_with(tmp_path: Path) -> None:
    save(store(tmp_path), 1)
    with pytest.raises(RunDirectoryError, match="already holds checkpoints of another run"):
        save(store(tmp_path), 5)
    assert steps(tmp_path) == [1]


def test_a_fork_starts_a_directory_of_its_own_with_lineage(tmp_path: Path) -> None:
    (origin,) = save(store(tmp_path / "one"), 4)
    fork = store(tmp_path / "two")
    fork.continue_from(load(origin))
    (path,) = save(fork, 4)
    assert path != origin
    assert read_manifest(path).parent == read_manifest(origin).sha256


# --- retention ------------------------------------------------------------------------------


@pytest.mark.parametrize(("keep_last", "kept"), [(None, 6), (1, 2), (2, 2), (3, 3), (9, 6)])
def test_the_newest_are_kept(keep_last: int | None, kept: int, tmp_path: Path) -> None:
    save(store(tmp_path, keep_last=keep_last), *range(1, 7))
    assert steps(tmp_path) == list(range(7 - kept, 7))
    assert names(tmp_path / "checkpoints")[0] == "last"


def test_the_one_resumed_from_is_kept(tmp_path: Path) -> None:
    save(store(tmp_path), 1, 2)
    checkpoints = store(tmp_path, keep_last=2)
    latest = checkpoints.latest()
    assert latest is not None
    checkpoints.continue_from(latest)
    save(checkpoints, 3, 4, 5, 6)
    assert steps(tmp_path) == [2, 5, 6]


def test_keep_last_zero_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="keep_last must be at least 1, got 0"):
        store(tmp_path, keep_last=0)


def test_removing_a_link_leaves_what_it_points_to(tmp_path: Path) -> None:
    checkpoints = store(tmp_path, keep_last=2)
    save(checkpoints, 1)
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("x")
    (tmp_path / "checkpoints" / "writing-step-000000000002").symlink_to(precious)
    save(checkpoints, 2)
    assert (precious / "file").read_text() == "x"
    assert steps(tmp_path) == [1, 2]


# --- resume_from ----------------------------------------------------------------------------


def test_a_checkpoint_a_run_directory_and_a_checkpoint_folder_can_be_resumed_from(
    tmp_path: Path,
) -> None:
    paths = save(store(tmp_path), 1, 2)
    assert resolve(str(paths[0])).step == 1
    assert resolve(str(tmp_path)).step == 2
    assert resolve(str(tmp_path / "checkpoints")).path == paths[1]


def test_resolving_another_run_changes_nothing_in_it(tmp_path: Path) -> None:
    paths = save(store(tmp_path), 1, 2)
    (paths[1] / "state.json").write_text("{}")
    assert resolve(str(tmp_path)).step == 1
    assert steps(tmp_path) == [1, 2]
    with pytest.raises(DamagedCheckpointError):
        resolve(str(paths[1]))
    (paths[0] / "state.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"every checkpoint in .* is damaged"):
        resolve(str(tmp_path))


def test_resuming_from_nothing_is_a_usage_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(RunDirectoryError, match="no checkpoint in"):
            resolve(str(path))


def test_nothing_is_removed_for_the_sake_of_one_that_is_damaged(tmp_path: Path) -> None:
    """Of the newest two, one rots without changing its size."""
    save(store(tmp_path), 10, 20, 30)
    file = tmp_path / "checkpoints/step-000000000020/rng.safetensors"
    file.write_bytes(file.read_bytes()[::-1])
    checkpoints = store(tmp_path, keep_last=2)
    checkpoints.continue_from(load(tmp_path / "checkpoints/step-000000000030"))
    checkpoints.settle()
    assert steps(tmp_path) == [10, 30]
    assert "step-000000000020.reason.txt" in names(tmp_path / "quarantine")
