"""`data.torch`: what is refused, and how a dataset's own failures are told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from small_sets import Dying, Failing, Numbered, uncollated
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from model_constructor.errors import ParameterError
from offline_trainer.errors import ComponentFailedError
from offline_trainer_torch.data.module import TorchData

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # Python 3.12


class Stream(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(3))


class Lengthless(Dataset[int]):
    def __getitem__(self, index: int) -> int:
        return index


class SizedOnly:
    def __len__(self) -> int:
        return 3


def make(**arguments: Any) -> TorchData:
    return TorchData(**{"train": Numbered(), "batch_size": 4, "shuffle": False, **arguments})


@pytest.mark.parametrize(
    ("arguments", "parameter", "message"),
    [
        ({"train": Stream()}, "train", r"train is an iterable dataset \(Stream\)"),
        ({"val": Stream()}, "val", "val is an iterable dataset"),
        ({"train": "dataset.mine"}, "train", "train must be a dataset, got 'dataset.mine'"),
        ({"train": {"length": 3}}, "train", r"train must be a dataset, got {'length': 3}"),
        ({"test": [1, 2]}, "test", r"test must be a dataset, got \[1, 2\]"),
        ({"train": None}, "train", "train must be a dataset, got None"),
        ({"train": torch.nn.ReLU()}, "train", "ReLU has no __len__ and no __getitem__"),
        ({"val": Lengthless()}, "val", "Lengthless has no __len__$"),
        ({"val": SizedOnly()}, "val", "SizedOnly has no __getitem__$"),
        ({"batch_size": 0}, "batch_size", "batch_size must be at least 1, got 0"),
        ({"num_workers": -1}, "num_workers", "num_workers must be at least 0, got -1"),
        ({"prefetch_factor": 0}, "prefetch_factor", "prefetch_factor must be at least 1, got 0"),
        ({"start_method": "forks"}, "start_method", "must be one of .*spawn.* got 'forks'"),
        ({"collate": "pad"}, "collate", "collate must be a component .* got 'pad'"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_read(
    arguments: dict[str, Any], parameter: str, message: str
) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        make(**arguments)
    assert caught.value.parameter == (parameter,)


@pytest.mark.parametrize(
    ("arguments", "parameter", "message"),
    [
        ({"train": Numbered(0)}, "train", "train has no samples: its length is 0"),
        ({"val": Numbered(0)}, "val", "val has no samples"),
        (
            {"drop_last": True, "batch_size": 24},
            "batch_size",
            "drop_last with batch_size 24 leaves no batch of the 23 training samples",
        ),
    ],
)
def test_what_has_too_few_samples_is_refused_by_setup(
    arguments: dict[str, Any], parameter: str, message: str
) -> None:
    data = make(**arguments)
    with pytest.raises(ParameterError, match=message) as caught:
        data.setup("fit")
    assert caught.value.parameter == (parameter,)


def batches(**arguments: Any) -> list[Any]:
    data = make(**arguments)
    data.setup("fit")
    data.set_position(3, 0)
    return list(data.train_dataloader())


@pytest.mark.parametrize("workers", [0, 1])
def test_a_sample_that_fails_is_named_with_its_error_and_place(workers: int) -> None:
    with pytest.raises(ComponentFailedError) as caught:
        batches(train=Failing(), num_workers=workers)
    assert re.fullmatch(
        r"sample 7 of data\.train could not be made in epoch 3: "
        r"ValueError: a torn image \(.*small_sets\.py:\d+\)",
        caught.value.message,
    )
    cause = caught.value.__cause__
    assert type(cause) is (RuntimeError if workers else ValueError)
    assert "a torn image" in str(cause)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SystemExit(0), "it ended the program with SystemExit: 0"),
        (StopIteration(), "StopIteration"),
        (type("Local", (Exception,), {})("no pickle"), "Local: no pickle"),
    ],
    ids=["exit", "stop", "unpicklable"],
)
def test_whatever_a_dataset_raises_is_told(workers: int, error: BaseException, said: str) -> None:
    with pytest.raises(ComponentFailedError, match=re.escape(said)):
        batches(train=Failing(error=error), num_workers=workers, start_method="fork")


@pytest.mark.parametrize("workers", [0, 1])
def test_samples_that_make_no_batch_are_named(workers: int) -> None:
    ragged: Any = tuple(torch.zeros(1 + index // 6) for index in range(9))
    with pytest.raises(ComponentFailedError) as caught:
        batches(train=ragged, num_workers=workers)
    assert caught.value.message.startswith(
        "samples 4, 5, 6, 7 of data.train make no batch in epoch 3: RuntimeError: stack expects"
    )
    assert "collate" in caught.value.help


def test_of_many_samples_the_first_are_named() -> None:
    class AtOnce(Numbered):
        def __getitems__(self, indices: list[int]) -> list[int]:
            raise OSError("gone")

    with pytest.raises(ComponentFailedError, match=r"samples 0, 1, .*, 7 and 2 more of"):
        batches(train=AtOnce(), batch_size=10)


def test_outside_of_training_no_epoch_is_told() -> None:
    data = make(val=Failing())
    data.setup("fit")
    loader = data.val_dataloader()
    assert loader is not None
    with pytest.raises(ComponentFailedError, match=r"of data\.val could not be made: ValueError"):
        list(loader)


@pytest.mark.parametrize("persistent", [False, True])
def test_a_worker_that_dies_ends_the_run_with_a_way_out(persistent: bool) -> None:
    with pytest.raises(
        ComponentFailedError, match=r"making batches of data\.train failed"
    ) as caught:
        batches(train=Dying(), num_workers=1, persistent_workers=persistent)
    assert "/dev/shm" in caught.value.help


def test_a_dataset_that_cannot_be_sent_to_a_worker_says_so() -> None:
    local = type("Local", (Numbered,), {})
    with pytest.raises(ParameterError, match="cannot be sent to workers started by `spawn`") as it:
        batches(train=local(), num_workers=1, start_method="spawn")
    assert it.value.parameter == ("start_method",)
    assert "start_method: fork" in it.value.help


def test_datasets_of_torch_and_a_collate_of_ones_own_are_taken() -> None:
    pairs = TensorDataset(torch.arange(5), torch.arange(5) * 2)
    assert batches(train=pairs, batch_size=3)[1][1].tolist() == [6, 8]
    assert batches(train=pairs, batch_size=3, collate=uncollated)[1][0] == (3, 6)
