"""Placing nested batches."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np
import pytest
import torch

from offline_trainer_torch.batches import place, to_numpy

CPU = torch.device("cpu")
Pair = namedtuple("Pair", ["left", "right"])


def test_nested_containers_keep_their_shape() -> None:
    placed = place(
        {"a": [np.zeros(2), (np.ones(3), "text")], "b": Pair(np.arange(2), None), "c": 1.5}, CPU
    )
    assert torch.equal(placed["a"][1][0], torch.ones(3, dtype=torch.float64))
    assert placed["a"][1][1] == "text"
    assert isinstance(placed["b"], Pair)
    assert placed["b"].right is None
    assert placed["c"] == 1.5


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=">f4").reshape(2, 3),
        np.arange(6, dtype=np.float32).reshape(2, 3)[::-1],
        np.arange(6, dtype=np.float32).reshape(3, 2).T,
        np.broadcast_to(np.float32(1), (2, 3)),
        np.ones((2, 3), dtype=bool),
        np.float32(3.0),
    ],
)
def test_awkward_arrays_keep_their_values(array: Any) -> None:
    placed = place(array, CPU)
    np.testing.assert_array_equal(placed.numpy(), np.asarray(array, np.asarray(array).dtype))


def test_contiguous_arrays_are_not_copied_on_the_cpu() -> None:
    array = np.zeros(3)
    place(array, CPU)[0] = 1.0
    assert array[0] == 1.0


def test_text_arrays_stay_arrays() -> None:
    names = np.array(["a", "b"])
    assert place({"names": names}, CPU)["names"] is names


def test_objects_that_can_move_move_themselves() -> None:
    packed = torch.nn.utils.rnn.pack_sequence([torch.ones(3), torch.ones(2)])
    assert isinstance(place(packed, CPU), torch.nn.utils.rnn.PackedSequence)


def test_outputs_come_back_as_numpy() -> None:
    back = to_numpy({"y": torch.ones(2, dtype=torch.bfloat16, requires_grad=True), "n": 3})
    assert back["y"].dtype == np.float32
    assert back["n"] == 3
    assert isinstance(to_numpy(Pair(torch.ones(1), (torch.ones(1),))).right[0], np.ndarray)
