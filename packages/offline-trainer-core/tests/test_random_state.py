"""The random streams of Python and NumPy."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from offline_trainer.random_state import (
    host_random_state,
    isolated_host_random_state,
    restore_host_random_state,
    seed_host,
)


def draw() -> tuple[float, float, float]:
    return random.random(), random.gauss(0, 1), float(np.random.standard_normal())


def test_a_seed_sets_both_streams() -> None:
    seed_host(5)
    first = draw()
    seed_host(5)
    assert draw() == first
    seed_host(6)
    assert draw() != first


def test_a_state_survives_json_and_restores_both_streams() -> None:
    seed_host(1)
    draw()  # leaves half of a pair of normal numbers behind in each stream
    state = json.loads(json.dumps(host_random_state()))
    expected = [draw() for _ in range(3)]
    seed_host(2)
    restore_host_random_state(state)
    assert [draw() for _ in range(3)] == expected


def test_isolation_leaves_both_streams_where_they_were() -> None:
    seed_host(3)
    with isolated_host_random_state():
        draw()
    inside_isolation = draw()
    seed_host(3)
    assert draw() == inside_isolation


@pytest.mark.parametrize(
    ("stream", "at", "value"),
    [
        ("numpy", 2, -1),
        ("numpy", 2, 625),
        ("numpy", 2, True),
        ("numpy", 1, [1] * 623),
        ("numpy", 4, "os.system"),
        ("python", 1, [1] * 624),
        ("python", 0, "3"),
    ],
)
def test_what_is_no_state_is_refused_before_numpy_would_read_beside_it(
    stream: str, at: int, value: object
) -> None:
    state = host_random_state()
    state[stream][at] = value
    with pytest.raises((ValueError, TypeError)):
        restore_host_random_state(state)
