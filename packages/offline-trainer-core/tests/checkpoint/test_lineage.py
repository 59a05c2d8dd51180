"""Which checkpoints count when a run went on from an older one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline_trainer.checkpoint.lineage import newest_line
from offline_trainer.checkpoint.manifest import Manifest, make_manifest


def manifest(step: int, attempt: int, parent: str | None = None) -> Manifest:
    return make_manifest(
        run_id="run",
        attempt=attempt,
        step=step,
        epoch=0,
        parent=parent,
        config_hash="",
        metrics={},
        files=[],
    )[0]


@pytest.mark.parametrize(
    ("attempts", "line"),
    [
        ({}, []),
        ({1: 1, 2: 1, 3: 1}, [1, 2, 3]),
        ({1: 1, 2: 1, 3: 2, 4: 2}, [1, 2, 3, 4]),
        ({1: 1, 2: 2, 5: 1, 9: 1}, [1, 2]),  # gone on from 1, with another cadence
        ({1: 3, 2: 1, 3: 2}, [1]),
    ],
)
def test_what_a_later_attempt_left_behind_does_not_count(
    attempts: dict[int, int], line: list[int]
) -> None:
    manifests = {Path(str(step)): manifest(step, of) for step, of in attempts.items()}
    assert newest_line(manifests) == [Path(str(step)) for step in line]


def test_what_lies_before_the_first_checkpoint_of_a_later_attempt_may_be_left_behind_too() -> None:
    """Killed before the abandoned ones were moved away; if the new one is damaged, none counts."""
    first, left = manifest(1, 1), manifest(2, 1)
    later = manifest(5, 2, first.sha256)
    manifests = {Path(str(one.step)): one for one in (first, left, later, manifest(9, 3))}
    assert newest_line(manifests) == [Path("1"), Path("5"), Path("9")]


@given(st.dictionaries(st.integers(0, 20), st.integers(1, 5), max_size=8))
def test_the_rule_is_that_no_later_attempt_has_an_earlier_step(attempts: dict[int, int]) -> None:
    manifests = {Path(str(step)): manifest(step, of) for step, of in attempts.items()}
    assert newest_line(manifests) == [
        Path(str(step))
        for step, of in sorted(attempts.items())
        if not any(after > of and before <= step for before, after in attempts.items())
    ]
