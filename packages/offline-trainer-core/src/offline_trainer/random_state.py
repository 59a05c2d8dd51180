"""The random streams of Python and NumPy: seeding, saving, restoring. Frameworks keep their own."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from offline_trainer.engine import Json

_WORDS = 624


def seed_host(seed: int) -> None:
    """Seed Python's and NumPy's global streams."""
    random.seed(seed)
    np.random.seed(np.random.SeedSequence(seed).generate_state(4))


def epoch_seed(seed: int, epoch: int) -> int:
    """The seed of what is drawn when an epoch's data begin, as a function of the run's seed."""
    (word,) = np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)
    return int(word >> np.uint64(1))


def host_random_state() -> Json:
    """Both streams as JSON."""
    version, words, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "python": [version, list(words), gauss],
        "numpy": [
            str(name),
            [int(key) for key in keys],
            int(position),
            int(has_gauss),
            float(cached),
        ],
    }


def restore_host_random_state(state: Json) -> None:
    """Set both streams to a saved state.

    Raises:
        ValueError, KeyError, TypeError, OverflowError: It is none. NumPy itself does not check
            where in its words a stream stands, and would read beside them.
    """
    version, words, gauss = state["python"]
    name, keys, position, has_gauss, cached = state["numpy"]
    if len(keys) != _WORDS or type(position) is not int or not 0 <= position <= _WORDS:
        raise ValueError(f"NumPy's stream stands at {position!r:.20} of {len(keys)} words")
    array = np.array(keys, dtype=np.uint32)
    random.setstate((version, tuple(words), gauss))
    np.random.set_state((name, array, position, int(has_gauss), float(cached)))


@contextmanager
def isolated_host_random_state() -> Iterator[None]:
    """A context after which both streams stand where they stood before."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
