"""Which checkpoints count when a run went on from an older one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline_trainer.checkpoint.lineage import newest_line
from offline_trainer.checkpoint.manifest import Manifest, make_manifest


def manifest(step: int, attempt: int) -> Manifest:
    return make_manifest(
        run_id="run",
        attempt=attempt,
        step=step,
        epoch=0,
        parent=None,
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


@given(st.dictionaries(st.integers(0, 20), st.integers(1, 5), max_size=8))
def test_the_rule_is_that_no_later_attempt_has_an_earlier_step(attempts: dict[int, int]) -> None:
    manifests = {Path(str(step)): manifest(step, of) for step, of in attempts.items()}
    assert newest_line(manifests) == [
        Path(str(step))
        for step, of in sorted(attempts.items())
        if not any(after > of and before <= step for before, after in attempts.items())
    ]
