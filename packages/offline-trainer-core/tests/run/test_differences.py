"""Every kind of difference between then and now is named; equal things are not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from offline_trainer.run.differences import Difference, differences
from offline_trainer.run.git import GitState
from offline_trainer.run.input_files import InputFile
from offline_trainer.run.manifest import RunManifest

TABLE = InputFile("/data/table.csv", 7, "a" * 64)
GIT = GitState("c" * 40, dirty=True, diff="d" * 64)
RUN = RunManifest(
    run_id="one",
    attempt=1,
    started="",
    attempt_started="",
    argv=(),
    versions={"python": "3.12.1", "numpy": "2.0.0"},
    plugins={"offline-trainer-core": "0.1.0"},
    git=GIT,
    seed=3,
    hardware={
        "cpu_count": 4,
        "cpu": "Xeon",
        "platform": "Linux-6",
        "device": "cpu",
        "threads": 2,
    },
    config_hash="",
    data=(TABLE,),
)


def hardware(**changed: Any) -> dict[str, Any]:
    return {"hardware": {**RUN.hardware, **changed}}


def test_the_same_surroundings_of_another_attempt_differ_in_nothing() -> None:
    assert differences(RUN, replace(RUN, run_id="two", attempt=2, argv=("ot",), seed=4)) == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"versions": {**RUN.versions, "python": "3.13.0"}}, "python: 3.12.1 → 3.13.0"),
        ({"versions": {"python": "3.12.1"}}, "numpy: 2.0.0 → none"),
        ({"plugins": {"offline-trainer-core": "0.2.0"}}, "offline-trainer-core: 0.1.0 → 0.2.0"),
        ({"plugins": {**RUN.plugins, "lion": "1"}}, "lion: none → 1"),
        ({"git": GitState("e" * 40, dirty=False)}, f"git commit: {'c' * 12} → {'e' * 12}"),
        ({"git": None}, f"git commit: {'c' * 12} → no repository"),
        (
            {"git": GitState("c" * 40, dirty=True, diff="f" * 64)},
            f"uncommitted changes: sha256 {'d' * 12}… → sha256 {'f' * 12}…",
        ),
        (
            {"git": GitState("c" * 40, dirty=False)},
            f"uncommitted changes: sha256 {'d' * 12}… → none",
        ),
        (hardware(device="cuda:0 (NVIDIA H100)"), "device: cpu → cuda (NVIDIA H100)"),
        (hardware(threads=4), "threads: 2 → 4"),
        (hardware(threads=None), "threads: 2 → none"),
        (hardware(cpu="EPYC"), "cpu: Xeon → EPYC"),
        (
            {"data": (replace(TABLE, bytes=8, sha256="b" * 64),)},
            f"data file /data/table.csv: 7 bytes, sha256 {'a' * 12}… → 8 bytes, sha256 {'b' * 12}…",
        ),
        ({"data": ()}, f"data file /data/table.csv: 7 bytes, sha256 {'a' * 12}… → none"),
        (
            {"data": (TABLE, InputFile("/data/more.csv", 9, "b" * 64))},
            f"data file /data/more.csv: none → 9 bytes, sha256 {'b' * 12}…",
        ),
    ],
)
def test_what_may_change_the_bytes(changed: dict[str, Any], told: str) -> None:
    (found,) = differences(RUN, replace(RUN, **changed))
    assert (str(found), found.changes_bytes) == (told, True)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (hardware(cpu_count=8), "cpu_count: 4 → 8"),
        (hardware(platform="Linux-7"), "platform: Linux-6 → Linux-7"),
        ({"git": replace(GIT, dirty=False)}, "untracked files: there → none"),
        (
            {"data": (replace(TABLE, path="/moved/table.csv"),)},
            "data file: /data/table.csv → /moved/table.csv",
        ),
    ],
)
def test_what_only_informs(changed: dict[str, Any], told: str) -> None:
    (found,) = differences(RUN, replace(RUN, **changed))
    assert (str(found), found.changes_bytes) == (told, False)


def test_the_number_of_a_card_is_no_difference_and_with_a_card_the_cpu_only_informs() -> None:
    first = replace(RUN, **hardware(device="cuda:0 (NVIDIA H100)"))
    second = replace(RUN, **hardware(device="cuda:3 (NVIDIA H100)", cpu="EPYC"))
    assert differences(first, second) == [Difference("cpu", "Xeon", "EPYC", changes_bytes=False)]


def test_what_was_not_recorded_differs_from_nothing() -> None:
    older = replace(RUN, data=None, hardware={"device": "cpu"}, git=None)
    assert differences(older, replace(RUN, git=None)) == []
    assert differences(replace(RUN, git=None), older) == []


def test_what_changes_the_bytes_comes_first() -> None:
    changed = replace(RUN, **hardware(cpu_count=8), data=())
    assert [each.changes_bytes for each in differences(RUN, changed)] == [True, False]
