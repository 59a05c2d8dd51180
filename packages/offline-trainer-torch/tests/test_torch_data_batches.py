"""`data.torch`: which samples are in which batch, whoever makes them and wherever it begins."""

from __future__ import annotations

import os
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_sets import InProcess, Numbered

from model_constructor.errors import ParameterError
from offline_trainer.data.order import EpochOrder
from offline_trainer_torch.data.module import TorchData
from offline_trainer_torch.data.requests import EpochBatches

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # Python 3.12

WORKERS = [
    {"num_workers": workers, "persistent_workers": persistent, "prefetch_factor": prefetch}
    for workers, persistent, prefetch in product((1, 2), (False, True), (1, 3))
]


def make(**arguments: Any) -> TorchData:
    """A datamodule over 23 numbered samples, set up."""
    data = TorchData(**{"train": Numbered(), "batch_size": 4, **arguments})
    data.set_seed(5)
    data.setup("fit")
    return data


def epoch(data: TorchData, number: int, batch: int = 0) -> list[list[int]]:
    data.set_position(number, batch)
    return [found.tolist() for found in data.train_dataloader()]


@pytest.mark.parametrize("workers", WORKERS, ids=lambda each: "-".join(map(str, each.values())))
def test_workers_change_no_batch_wherever_an_epoch_begins(workers: dict[str, Any]) -> None:
    alone, together = make(), make(**workers)
    for number, start in ((0, 0), (2, 3), (2, 5), (1, 6), (0, 0)):
        assert epoch(together, number, start) == epoch(alone, number)[start:]


@pytest.mark.parametrize("start_method", ["spawn", "forkserver"])
def test_any_start_method_gives_the_same_batches(start_method: str) -> None:
    workers: dict[str, Any] = {"num_workers": 1, "start_method": start_method}
    assert epoch(make(**workers), 1, 2) == epoch(make(), 1, 2)


def test_an_epoch_left_in_the_middle_leaves_nothing_to_the_next() -> None:
    data = make(num_workers=2, persistent_workers=True)
    data.set_position(0, 0)
    batches = iter(data.train_dataloader())
    next(batches)
    del batches
    assert epoch(data, 1) == epoch(make(), 1)


def test_persistent_workers_live_on_between_epochs_and_others_do_not() -> None:
    for persistent, processes in ((True, 2), (False, 4)):
        data = make(train=InProcess(), num_workers=2, persistent_workers=persistent)
        found = {pid for number in (0, 1) for batch in epoch(data, number) for pid in batch}
        assert len(found) == processes
        assert os.getpid() not in found


def test_the_order_is_cores() -> None:
    order = EpochOrder(23, seed=5, epoch=3)[:].tolist()
    assert [index for batch in epoch(make(), 3) for index in batch] == order
    assert epoch(make(shuffle=False), 3)[0] == [0, 1, 2, 3]


def test_epochs_follow_each_other_without_set_position() -> None:
    data = make()
    found = [[batch.tolist() for batch in data.train_dataloader()] for _ in range(3)]
    assert found == [epoch(make(), number) for number in range(3)]


def test_its_own_seed_wins_over_the_runs() -> None:
    assert epoch(make(seed=9), 0) != epoch(make(), 0)
    assert epoch(make(seed=5), 0) == epoch(make(), 0)


@settings(max_examples=200, deadline=None)
@given(
    length=st.integers(1, 300),
    size=st.integers(1, 40),
    drop_last=st.booleans(),
    seed=st.one_of(st.none(), st.integers(-(2**70), 2**70)),
    number=st.integers(0, 2**40),
    data=st.data(),
)
def test_every_sample_is_in_one_batch_of_an_epoch(
    length: int, size: int, drop_last: bool, seed: int | None, number: int, data: st.DataObject
) -> None:
    batches = EpochBatches(length, size, shuffle_seed=seed, drop_last=drop_last)
    batches.stand_at(number, 0)
    whole = list(batches)
    seen = [index for request in whole for index in request.indices]
    assert len(set(seen)) == len(seen) == (length - length % size if drop_last else length)
    assert set(seen) <= set(range(length))
    assert all(len(request.indices) == size for request in whole[:-1])
    assert {request.epoch for request in whole} <= {number}
    start = data.draw(st.integers(0, len(whole)))
    batches.stand_at(number, start)
    assert len(batches) == len(whole) - start
    assert list(batches) == whole[start:]


def test_batches_go_on_where_the_order_is_worked_out_in_blocks() -> None:
    batches = EpochBatches(10_000, 1500, shuffle_seed=1)
    seen = [index for request in batches for index in request.indices]
    assert seen == EpochOrder(10_000, 1, 0)[:].tolist()


def test_an_iteration_that_has_begun_does_not_move_with_the_sampler() -> None:
    batches = EpochBatches(10, 4)
    begun = iter(batches)
    batches.stand_at(1, 2)
    assert [request.epoch for request in begun] == [0, 0, 0]


def test_drop_last_leaves_out_the_short_batch() -> None:
    data = make(drop_last=True)
    assert [len(batch) for batch in epoch(data, 0)] == [4] * 5
    data.set_position(0, 1)
    assert len(data.train_dataloader()) == 4
    seen = {index for number in range(5) for batch in epoch(data, number) for index in batch}
    assert seen == set(range(23))  # it is not the same samples that are left out


@pytest.mark.parametrize("workers", [0, 2])
def test_validation_and_test_have_all_samples_in_order(workers: int) -> None:
    data = make(
        val=Numbered(9), test=torch.arange(5), drop_last=True, num_workers=workers, batch_size=2
    )
    for loader, length in ((data.val_dataloader, 9), (data.test_dataloader, 5)):
        for _ in range(2):
            batches = loader()
            assert batches is not None
            assert len(batches) == -(-length // 2)
            assert torch.cat(list(batches)).tolist() == list(range(length))


def test_without_validation_and_test_there_are_no_loaders() -> None:
    data = make()
    assert data.val_dataloader() is None
    assert data.test_dataloader() is None


def test_asking_for_a_loader_starts_no_worker() -> None:
    data = make(val=Numbered(), num_workers=2)
    data.val_dataloader()
    loader = data.train_dataloader()
    assert len(loader) == 6
    assert not torch.multiprocessing.active_children()


def test_a_position_beyond_the_epoch_is_refused() -> None:
    data = make()
    data.set_position(0, 7)
    with pytest.raises(ParameterError, match=r"stood at batch 7 of an epoch, .* now has only 6"):
        data.train_dataloader()
    data.set_position(0, 6)
    assert len(data.train_dataloader()) == 0


def test_options_of_workers_are_no_mistake_without_workers() -> None:
    without = make(num_workers=0, prefetch_factor=4, persistent_workers=True, start_method="spawn")
    assert epoch(without, 0) == epoch(make(), 0)
