"""`data.torch`: what is random in a sample, and that training's own streams stay where they are."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from small_sets import Noisy, NoisyBatches, mix

from offline_trainer_torch.data.module import TorchData
from offline_trainer_torch.data.seeding import seed_sample

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # Python 3.12

Streams = tuple[Any, ...]


def make(**arguments: Any) -> TorchData:
    data = TorchData(**{"train": Noisy(23), "batch_size": 4, "seed": 5, **arguments})
    data.setup("fit")
    return data


def samples(batches: Any) -> dict[int, tuple[Any, ...]]:
    """What each sample was, by its index."""
    found = {}
    for batch in batches:
        for row, index in enumerate(batch["index"].tolist()):
            found[index] = (batch["x"][row].tolist(), batch["y"][row].tolist())
    return found


def epoch(data: TorchData, number: int, batch: int = 0) -> dict[int, tuple[Any, ...]]:
    data.set_position(number, batch)
    return samples(data.train_dataloader())


def streams() -> Streams:
    """What the global streams would yield next; leaves them where they are."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    drawn = random.random(), np.random.random(), torch.rand(1).item()
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])
    return drawn


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("workers", [1, 2])
def test_augmented_samples_are_the_same_for_any_workers_in_any_epoch(
    workers: int, persistent: bool
) -> None:
    alone = make()
    together = make(num_workers=workers, persistent_workers=persistent)
    for number, start in ((0, 0), (1, 0), (1, 3)):
        assert epoch(together, number, start) == epoch(alone, number, start)


def test_a_sample_does_not_depend_on_what_was_made_before_it() -> None:
    whole, other_batches = epoch(make(), 1), epoch(make(batch_size=5, shuffle=False), 1)
    assert whole == other_batches
    assert epoch(make(), 1, batch=4) == {index: whole[index] for index in epoch(make(), 1, batch=4)}


def test_a_sample_is_another_in_another_epoch_and_with_another_seed() -> None:
    first = epoch(make(), 0)
    for other in (epoch(make(), 1), epoch(make(seed=6), 0)):
        assert all(other[index] != first[index] for index in first)


def test_validation_is_the_same_each_time_and_shares_no_noise_with_training() -> None:
    data = make(val=Noisy(23), test=Noisy(23))
    validated = samples(data.val_dataloader())
    assert samples(data.val_dataloader()) == validated
    training, tested = epoch(data, 0), samples(data.test_dataloader())
    for index in range(23):
        assert len({str(part[index]) for part in (validated, training, tested)}) == 3


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("persistent", [False, True])
def test_the_streams_of_training_stay_where_they_are(workers: int, persistent: bool) -> None:
    before = streams()
    data = make(val=Noisy(9), num_workers=workers, persistent_workers=persistent)
    assert data.val_dataloader() is not None
    for number in range(2):
        data.set_position(number, 0)
        for _ in data.train_dataloader():
            assert streams() == before
        assert len(samples(data.val_dataloader())) == 9
    assert streams() == before


def test_what_training_draws_changes_no_sample() -> None:
    expected = epoch(make(), 0)
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    assert epoch(make(), 0) == expected


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_a_batch_made_at_once_is_seeded_as_a_whole(workers: int) -> None:
    def noise(data: TorchData, start: int) -> list[float]:
        data.set_position(1, start)
        return [batch["noise"][0].item() for batch in data.train_dataloader()]

    expected = noise(make(train=NoisyBatches(23)), 0)
    assert len(set(expected)) == 6
    assert noise(make(train=NoisyBatches(23), num_workers=workers), 2) == expected[2:]


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_a_random_collate_gives_the_same_batches(workers: int) -> None:
    def batches(data: TorchData, start: int) -> list[Any]:
        data.set_position(1, start)
        return list(data.train_dataloader())

    expected = batches(make(collate=mix), 0)
    before = streams()
    assert batches(make(collate=mix, num_workers=workers), 2) == expected[2:]
    assert streams() == before


def test_the_seeds_of_a_sample_never_change() -> None:
    seed_sample(5, "train", epoch=2, index=7)
    drawn = random.getrandbits(32), int(np.random.randint(2**31)), int(torch.randint(2**31, ()))
    assert drawn == (290826202, 2076821359, 1921485379)


def test_the_three_streams_of_a_sample_are_not_one() -> None:
    seed_sample(0, "train", 0, 0)
    assert len({random.random(), float(np.random.random()), torch.rand(()).item()}) == 3
