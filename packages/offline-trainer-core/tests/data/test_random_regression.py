"""`data.random_regression`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from model_constructor.errors import ParameterError
from offline_trainer.data.random_regression import RandomRegression


def drawn(**kwargs: Any) -> tuple[np.ndarray, np.ndarray]:
    data = RandomRegression(**{"num_samples": 400, "batch_size": 400, **kwargs})
    data.setup("fit")
    (batch,) = data.train_dataloader()
    return batch["x"], batch["y"]


def test_shapes_and_dtypes_of_the_defaults() -> None:
    x, y = drawn()
    assert (x.shape, x.dtype) == ((400, 32), np.dtype(np.float32))
    assert (y.shape, y.dtype) == ((400, 16), np.dtype(np.float32))


def test_shapes_may_have_any_number_of_dimensions() -> None:
    x, y = drawn(x_shape=[2, 3, 4], y_shape=[])
    assert x.shape == (400, 2, 3, 4)
    assert y.shape == (400,)


def test_a_linear_map_explains_the_targets_up_to_the_noise() -> None:
    x, y = drawn(noise=0.25)
    weight, *_ = np.linalg.lstsq(x, y, rcond=None)
    residual = y - x @ weight
    assert np.std(residual) == pytest.approx(0.25, rel=0.1)
    assert np.std(y) == pytest.approx(1.03, rel=0.15)


def test_without_noise_the_map_is_exact() -> None:
    x, y = drawn(noise=0.0)
    weight, *_ = np.linalg.lstsq(x, y, rcond=None)
    assert np.abs(y - x @ weight).max() < 1e-4


@pytest.mark.parametrize(
    ("kwargs", "parameter"),
    [
        ({"num_samples": 0}, ("num_samples",)),
        ({"noise": -1.0}, ("noise",)),
        ({"noise": float("nan")}, ("noise",)),
        ({"x_shape": 32}, ("x_shape",)),
        ({"x_shape": [3, 0]}, ("x_shape", 1)),
        ({"y_shape": [1.5]}, ("y_shape", 0)),
    ],
)
def test_bad_values_are_refused_by_name(
    kwargs: dict[str, Any], parameter: tuple[str | int, ...]
) -> None:
    with pytest.raises(ParameterError) as caught:
        RandomRegression(**kwargs)
    assert caught.value.parameter == parameter
