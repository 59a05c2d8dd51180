"""What the datamodules share, seen through the one that needs no file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from model_constructor.errors import ParameterError
from offline_trainer.data.random_regression import RandomRegression
from offline_trainer.protocols import DataModule


def ready(run_seed: int | None = None, **kwargs: Any) -> RandomRegression:
    data = RandomRegression(**{"num_samples": 50, "batch_size": 8, **kwargs})
    if run_seed is not None:
        data.set_seed(run_seed)
    data.setup("fit")
    return data


def epoch_of(data: RandomRegression) -> np.ndarray:
    return np.concatenate([batch["x"] for batch in data.train_dataloader()])


def test_it_is_a_datamodule() -> None:
    assert isinstance(RandomRegression(), DataModule)


def test_each_epoch_has_all_rows_in_an_order_of_its_own() -> None:
    data = ready()
    first, second = epoch_of(data), epoch_of(data)
    assert not np.array_equal(first, second)
    assert np.array_equal(np.sort(first, axis=0), np.sort(second, axis=0))


def test_without_shuffling_all_epochs_are_alike() -> None:
    data = ready(shuffle=False)
    assert np.array_equal(epoch_of(data), epoch_of(data))


def test_the_position_says_which_epoch_and_batch_come_next() -> None:
    golden = ready()
    golden.set_position(3, 0)
    third, fourth = epoch_of(golden), epoch_of(golden)
    resumed = ready()
    resumed.set_position(3, 2)
    assert np.array_equal(epoch_of(resumed), third[16:])
    assert np.array_equal(epoch_of(resumed), fourth)


def test_the_runs_seed_decides_unless_a_seed_was_given() -> None:
    assert np.array_equal(epoch_of(ready(run_seed=4)), epoch_of(ready(run_seed=4)))
    assert not np.array_equal(epoch_of(ready(run_seed=4)), epoch_of(ready(run_seed=5)))
    assert np.array_equal(epoch_of(ready(run_seed=4, seed=9)), epoch_of(ready(run_seed=5, seed=9)))
    assert np.array_equal(epoch_of(ready(seed=4)), epoch_of(ready(run_seed=4)))


def test_validation_and_test_cover_their_rows_in_order_whatever_the_options() -> None:
    data = ready(val_fraction=0.2, test_fraction=0.3, drop_last=True, batch_size=4)
    val, test = data.val_dataloader(), data.test_dataloader()
    assert val is not None
    assert test is not None
    assert [len(batch["x"]) for batch in val] == [4, 4, 2]
    assert [len(batch["x"]) for batch in test] == [4, 4, 4, 3]
    assert [len(batch["x"]) for batch in data.train_dataloader()] == [4] * 6
    first = [batch["x"].tolist() for batch in val]
    assert [batch["x"].tolist() for batch in val] == first


def test_the_parts_share_no_row() -> None:
    data = ready(val_fraction=0.2, test_fraction=0.3, x_shape=[1], num_samples=40)
    parts = [data.train_dataloader(), data.val_dataloader(), data.test_dataloader()]
    values = [float(v) for part in parts if part for batch in part for v in batch["x"][:, 0]]
    assert len(values) == len(set(values)) == 40


def test_without_fractions_there_is_nothing_to_validate_or_test() -> None:
    assert ready().val_dataloader() is None
    assert ready().test_dataloader() is None


def test_a_second_setup_does_not_load_again() -> None:
    data = ready()
    before = epoch_of(data)
    data.setup("test")
    data.set_position(0, 0)
    assert np.array_equal(epoch_of(data), before)


@pytest.mark.parametrize(
    ("kwargs", "parameter", "message"),
    [
        ({"batch_size": 0}, "batch_size", "at least 1, got 0"),
        ({"val_fraction": 1.0}, "val_fraction", r"\[0, 1\), got 1.0"),
        ({"test_fraction": -0.1}, "test_fraction", r"got -0.1"),
        ({"val_fraction": 0.5, "test_fraction": 0.5}, "test_fraction", "nothing to train on"),
        ({"val_fraction": 0.001}, "val_fraction", "0.001 of 50 rows is not a single row"),
        ({"batch_size": 51, "drop_last": True}, "batch_size", "no batch of the 50 training rows"),
    ],
)
def test_bad_values_are_refused_by_name(
    kwargs: dict[str, Any], parameter: str, message: str
) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        ready(**kwargs)
    assert caught.value.parameter == (parameter,)


def test_a_loader_before_setup_is_refused() -> None:
    with pytest.raises(RuntimeError, match="setup"):
        RandomRegression().train_dataloader()
