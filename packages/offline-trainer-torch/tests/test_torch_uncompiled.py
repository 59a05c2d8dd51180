"""Optimizers are made, saved and loaded as torch does it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from offline_trainer_torch.uncompiled import load_state, made, state_of


class Counting(torch.optim.SGD):
    """Adds its groups in a way of its own."""

    def __init__(self, params: Any, lr: float) -> None:
        self.added = 0
        super().__init__(params, lr=lr)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        self.added += 1
        super().add_param_group(param_group)


def two_groups() -> list[dict[str, Any]]:
    return [
        {"params": [nn.Parameter(torch.ones(2))]},
        {"params": [nn.Parameter(torch.ones(3))], "lr": 0.5},
    ]


def stepped(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return optimizer


def test_what_is_made_saved_and_loaded_is_what_torch_makes() -> None:
    ours = stepped(made(partial(torch.optim.AdamW, two_groups()), lr=0.1))
    theirs = stepped(torch.optim.AdamW(two_groups(), lr=0.1))
    assert type(ours) is torch.optim.AdamW
    assert vars(ours).keys() == vars(theirs).keys()
    state = state_of(ours)
    assert str(state) == str(theirs.state_dict())
    again = made(partial(torch.optim.AdamW, two_groups()), lr=0.1)
    load_state(again, state)
    assert str(again.state_dict()) == str(state)


def test_a_class_adds_groups_in_a_way_of_its_own() -> None:
    optimizer = made(partial(Counting, two_groups()), lr=0.1)
    assert isinstance(optimizer, Counting)
    assert optimizer.added == 2
    optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))]})
    assert optimizer.added == 3


def test_what_is_no_class_of_torch_is_called() -> None:
    def factory(parameters: Any, lr: float) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, lr=lr)

    optimizer = made(partial(factory, two_groups()), lr=0.1)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.5]


def test_a_refusal_is_torchs_own() -> None:
    with pytest.raises(ValueError, match="learning rate"):
        made(partial(torch.optim.AdamW, two_groups()), lr=-1.0)


def test_hooks_of_the_state_are_called() -> None:
    optimizer = made(partial(torch.optim.SGD, two_groups()), lr=0.1)
    called: list[str] = []
    optimizer.register_state_dict_pre_hook(lambda _: called.append("saved"))
    optimizer.register_load_state_dict_post_hook(lambda _: called.append("loaded"))
    load_state(optimizer, state_of(optimizer))
    assert called == ["saved", "loaded"]
