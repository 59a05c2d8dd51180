"""Heads and their losses, against torch.distributions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import distributions

from model_constructor.errors import ParameterError
from model_constructor.torch.blocks.heads import (
    GMMNLL,
    CategoricalHead,
    CategoricalNLL,
    GaussianHead,
    GaussianNLL,
    GMMHead,
)

X = torch.randn(6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
Y = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_gaussian_nll_is_that_of_the_distribution() -> None:
    outputs = GaussianHead(8, 3).double()(X)
    normal = distributions.Normal(outputs["mean"], outputs["log_std"].exp())
    expected = -normal.log_prob(Y).sum(-1).mean()
    torch.testing.assert_close(GaussianNLL()(outputs, Y), expected, rtol=1e-12, atol=0)


def test_gmm_nll_is_that_of_the_distribution() -> None:
    outputs = GMMHead(8, 3, components=4).double()(X)
    normal = distributions.Normal(outputs["mean"], outputs["log_std"].exp())
    mixture = distributions.MixtureSameFamily(
        distributions.Categorical(logits=outputs["logits"]), distributions.Independent(normal, 1)
    )
    expected = -mixture.log_prob(Y).mean()
    torch.testing.assert_close(GMMNLL()(outputs, Y), expected, rtol=1e-12, atol=0)


def test_categorical_nll_is_that_of_the_distribution() -> None:
    outputs = CategoricalHead(8, [3, 2]).double()(X)
    target = torch.tensor([[0, 1], [2, 0], [1, 1], [0, 0], [2, 1], [1, 0]])
    expected = -distributions.Categorical(logits=outputs["logits"]).log_prob(target).mean()
    torch.testing.assert_close(CategoricalNLL()(outputs, target), expected)
    assert float(outputs["logits"].detach().softmax(-1)[:, 1, 2].max()) == 0.0


def test_one_choice_has_no_dimension_of_its_own() -> None:
    assert CategoricalHead(8, 5).double()(X)["logits"].shape == (6, 5)


def test_the_standard_deviation_stays_in_its_bounds() -> None:
    head = GaussianHead(8, 3, min_log_std=-1.0, max_log_std=0.5).double()
    log_std = head(1e4 * X)["log_std"].detach()
    assert -1.0 <= float(log_std.min()) <= float(log_std.max()) <= 0.5


def test_a_target_of_another_size_is_not_broadcast() -> None:
    outputs = GaussianHead(8, 3).double()(X)
    with pytest.raises(ValueError, match=r"mean is \(6, 3\), the target \(6, 1\)"):
        GaussianNLL()(outputs, Y[:, :1])


@pytest.mark.parametrize(
    ("make", "parameter"),
    [
        (lambda: GaussianHead(8, 0), ("out_features",)),
        (lambda: GaussianHead(8, 1, min_log_std=3.0), ("min_log_std",)),
        (lambda: GMMHead(0, 1, components=2), ("in_features",)),
        (lambda: GMMHead(8, 1, components=0), ("components",)),
        (lambda: CategoricalHead(8, []), ("classes",)),
        (lambda: CategoricalHead(8, [2, 0]), ("classes", 1)),
    ],
)
def test_refused(make: Any, parameter: tuple[str | int, ...]) -> None:
    with pytest.raises(ParameterError) as caught:
        make()
    assert caught.value.parameter == parameter
