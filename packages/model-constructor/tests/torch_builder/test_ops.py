"""Operations against what torch computes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from model_constructor.keys import OPS
from model_constructor.torch import ops

X = torch.arange(24.0).reshape(2, 3, 4)
Y = X.flip(0) + 1

CASES: dict[str, list[tuple[tuple[Any, ...], dict[str, Any], Any]]] = {
    "add": [((X, Y), {}, X + Y), ((X, 2), {}, X + 2)],
    "sub": [((X, Y), {}, X - Y)],
    "mul": [((X, Y), {}, X * Y)],
    "div": [((X, Y), {}, X / Y)],
    "matmul": [((X, Y.mT), {}, X @ Y.mT)],
    "einsum": [(("bij,bkj->bik", X, Y), {}, X @ Y.mT)],
    "cat": [(([X, Y],), {"dim": 1}, torch.cat([X, Y], 1))],
    "stack": [(([X, Y],), {"dim": -1}, torch.stack([X, Y], -1))],
    "split": [
        ((X, [1, 3]), {"dim": -1}, (X[..., :1], X[..., 1:])),
        ((X, 2), {"dim": 1}, (X[:, :2], X[:, 2:])),
    ],
    "chunk": [((X, 2), {"dim": 2}, (X[..., :2], X[..., 2:]))],
    "reshape": [((X, [-1, 6]), {}, X.reshape(4, 6))],
    "flatten": [((X,), {}, X.reshape(2, 12)), ((X, 0), {}, X.reshape(24))],
    "permute": [((X, [2, 0, 1]), {}, X.permute(2, 0, 1))],
    "transpose": [((X, 1, -1), {}, X.mT)],
    "squeeze": [((X[:, :1], 1), {}, X[:, 0])],
    "unsqueeze": [((X, 1), {}, X[:, None])],
    "mean": [((X,), {}, X.mean()), ((X, 1), {"keepdim": True}, X.mean(1, keepdim=True))],
    "sum": [((X,), {}, X.sum()), ((X, [0, 2]), {}, X.sum((0, 2)))],
    "max": [((X,), {}, X.max()), ((X, 0), {}, X[1]), ((X, [0, 1]), {}, X[1, 2])],
    "softmax": [((X,), {}, X.softmax(-1)), ((X,), {"dim": 0}, X.softmax(0))],
    "relu": [((X - 5,), {}, (X - 5).clamp(min=0))],
    "sigmoid": [((X,), {}, 1 / (1 + (-X).exp()))],
    "tanh": [((X,), {}, X.sinh() / X.cosh())],
    "exp": [((X,), {}, torch.e**X)],
    "sample_normal": [((X, torch.full_like(X, -1e9)), {}, X)],
    "getitem": [((X, 1), {}, X[1]), (({"a": X}, "a"), {}, X), (((X, Y), 1), {}, Y)],
    "merge": [(({"a": X}, {"b": Y}), {}, {"a": X, "b": Y})],
    "identity": [((X,), {}, X)],
}


def test_every_operation_has_a_case() -> None:
    assert set(CASES) == set(OPS)


@pytest.mark.parametrize("name", sorted(CASES))
def test_an_operation_computes_what_torch_does(name: str) -> None:
    for args, kwargs, expected in CASES[name]:
        torch.testing.assert_close(getattr(ops, name)(*args, **kwargs), expected)


def test_merge_refuses_a_key_that_two_dicts_have() -> None:
    with pytest.raises(ValueError, match="key 'a'"):
        ops.merge({"a": X}, {"a": Y})


def test_a_normal_sample_has_its_mean_and_spread_and_a_gradient_to_both() -> None:
    torch.manual_seed(0)
    mean = torch.full((20_000,), 3.0, requires_grad=True)
    log_std = torch.full((20_000,), 0.5, requires_grad=True)
    sample = ops.sample_normal(mean, log_std)
    assert sample.mean().item() == pytest.approx(3.0, abs=0.05)
    assert sample.std().item() == pytest.approx(torch.tensor(0.5).exp().item(), abs=0.05)
    torch.autograd.backward(sample.sum())
    assert mean.grad is not None
    assert torch.equal(mean.grad, torch.ones(20_000))
    assert log_std.grad is not None
    torch.testing.assert_close(log_std.grad, (sample - mean).detach())
