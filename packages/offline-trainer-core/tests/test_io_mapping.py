"""`io.mapping`: paths into a batch, and the error for one that leads nowhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from model_constructor.errors import ParameterError
from offline_trainer.io_mapping import MappingIo
from offline_trainer.protocols import Io

BATCH: dict[str, Any] = {
    "x": np.zeros((5, 3), np.float32),
    "pair": (np.ones(5), {"mask": np.array([1, 1, 0, 0, 1], bool)}),
    "labels": {"class": np.arange(5)},
}


def refused(io: MappingIo, batch: Any, stage: Any = "train") -> ParameterError:
    with pytest.raises(ParameterError) as caught:
        io.split(batch, stage)
    return caught.value


def test_it_is_an_io() -> None:
    assert isinstance(MappingIo(model_args=["x"]), Io)


def test_paths_lead_through_keys_and_indices() -> None:
    io = MappingIo(
        model_args=[["x"], ["pair", 0]],
        model_kwargs={"mask": ["pair", 1, "mask"], "same": "x"},
        targets={"y": ["labels", "class"]},
    )
    (args, kwargs), targets, meta = io.split(BATCH, "train")
    assert args[0] is BATCH["x"]
    assert args[1] is BATCH["pair"][0]
    assert kwargs == {"mask": BATCH["pair"][1]["mask"], "same": BATCH["x"]}
    assert targets == {"y": BATCH["labels"]["class"]}
    assert meta is None
    assert io.model_inputs() == (2, ("mask", "same"))


def test_a_batch_may_be_a_tuple() -> None:
    io = MappingIo(model_kwargs={"x": 0}, targets={"y": [1]})
    assert io.split(("a", "b"), "val") == (((), {"x": "a"}), {"y": "b"}, None)


@pytest.mark.parametrize("stage", ["train", "val", "test"])
def test_a_missing_field_is_named_with_those_there_are(stage: str) -> None:
    error = refused(MappingIo(model_kwargs={"x": "x"}, targets={"y": ["lables"]}), BATCH, stage)
    assert error.parameter == ("targets", "y")
    assert error.message == (
        "the batch has no field `lables`; its fields are `x`, `pair`, `labels`"
    )
    assert error.suggestions == ("labels",)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (["labels", "clas"], "`labels` of the batch has no field `clas`; its fields are `class`"),
        (["pair", 2], "`pair` of the batch has no field `2`; it is a tuple of 2"),
        (["pair", "a"], "`pair` of the batch has no field `a`; it is a tuple of 2"),
        (["x", "a"], "`x` of the batch has no field `a`; it is a ndarray"),
        (["pair", 1, "k"], "`pair[1]` of the batch has no field `k`; its fields are `mask`"),
    ],
)
def test_a_missing_field_further_down_is_named_by_its_container(
    path: list[str | int], message: str
) -> None:
    error = refused(MappingIo(model_args=["x", path]), BATCH)
    assert error.parameter == ("model_args", 1)
    assert error.message == message


def test_predicting_needs_inputs_and_no_targets() -> None:
    io = MappingIo(model_kwargs={"x": "x"}, targets={"y": "y", "c": ["labels", "class"]})
    (_, kwargs), targets, _ = io.split(BATCH, "predict")
    assert list(kwargs) == ["x"]
    assert list(targets) == ["c"]
    assert refused(io, {"y": 1}, "predict").parameter == ("model_kwargs", "x")


def test_a_batch_weighs_as_much_as_it_has_samples() -> None:
    io = MappingIo(model_kwargs={"x": "x"})
    assert io.weight(BATCH) == 5.0
    assert io.weight(({}, ["text", np.zeros(())], {"x": np.zeros((3, 1))})) == 3.0
    with pytest.raises(ParameterError, match="no array to count"):
        io.weight({"x": "text"})


def test_a_weight_field_is_summed() -> None:
    io = MappingIo(model_kwargs={"x": "x"}, weight=["pair", 1, "mask"])
    weight = io.weight(BATCH)
    assert isinstance(weight, float)
    assert weight == 3.0
    with pytest.raises(ParameterError, match="no field `pair`") as caught:
        io.weight({"x": np.zeros(3)})
    assert caught.value.parameter == ("weight",)


@pytest.mark.parametrize(
    ("kwargs", "parameter"),
    [
        ({"model_kwargs": ["x"]}, ("model_kwargs",)),
        ({"model_args": "x"}, ("model_args",)),
        ({"model_args": ["x"], "targets": "y"}, ("targets",)),
        ({"model_kwargs": {"x": []}}, ("model_kwargs", "x")),
        ({"model_kwargs": {"x": ["a", 1.5]}}, ("model_kwargs", "x")),
        ({"model_args": ["x", True]}, ("model_args", 1)),
        ({"model_args": ["x"], "targets": {"y": None}}, ("targets", "y")),
        ({"model_args": ["x"], "weight": {"a": "b"}}, ("weight",)),
    ],
)
def test_a_malformed_path_is_refused_when_the_io_is_built(
    kwargs: dict[str, Any], parameter: tuple[str | int, ...]
) -> None:
    with pytest.raises(ParameterError) as caught:
        MappingIo(**kwargs)
    assert caught.value.parameter == parameter
