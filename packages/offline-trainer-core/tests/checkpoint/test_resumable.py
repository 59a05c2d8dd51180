"""A sound checkpoint whose state no run has saved is told from a damaged one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from offline_trainer.checkpoint.file_system import FileSystem
from offline_trainer.checkpoint.reading import Checkpoint, load
from offline_trainer.checkpoint.resumable import check_resumable
from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.checkpoint.writing import Save
from offline_trainer.engine import HostState
from offline_trainer.errors import StateMismatchError

LOOP = {
    "global_step": 3,
    "epoch": 1,
    "batch": 2,
    "measurements": {},
    "callbacks": {},
    "asked": {},
    "validation_owed": False,
    "random": {},
    "metrics_file": {},
}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    store = CheckpointStore(
        tmp_path, run_id="r", config_hash="", quarantine=tmp_path, file_system=FileSystem()
    )
    return load(store.save(Save(HostState({}, {}), LOOP, 3, 1)))


def test_what_a_loop_saves_is_accepted(checkpoint: Checkpoint) -> None:
    check_resumable(checkpoint)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("global_step", 4),
        ("global_step", True),
        ("global_step", "3"),
        ("epoch", 0),
        ("batch", -1),
        ("batch", 10**12),
        ("callbacks", []),
        ("validation_owed", 0),
    ],
)
def test_a_state_of_another_step_or_kind_is_refused(
    name: str, value: Any, checkpoint: Checkpoint
) -> None:
    with pytest.raises(StateMismatchError, match="none that this run could have saved") as caught:
        check_resumable(replace(checkpoint, loop_state={**LOOP, name: value}))
    assert caught.value.exit_code == 2


def test_weights_alone_are_told_what_they_are_good_for(checkpoint: Checkpoint) -> None:
    with pytest.raises(StateMismatchError, match="weights alone"):
        check_resumable(replace(checkpoint, loop_state=None))
