"""Devices and precisions that exist, and those that do not."""

from __future__ import annotations

import pytest
import torch

from model_constructor.errors import ParameterError
from offline_trainer_torch.devices import resolve_device
from offline_trainer_torch.precision import check_precision

without_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")


@without_cuda
@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_cuda_where_there_is_none_says_what_there_is(name: str) -> None:
    with pytest.raises(ParameterError, match=f"'{name}' is not there; .* sees .*cpu") as caught:
        resolve_device(name)
    assert caught.value.parameter == ("device",)
    assert "set run.device to auto or cpu" in caught.value.help


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cuda:", "cpu:1", "auto:0", "cdua", ""])
def test_what_is_no_device_is_refused(name: str) -> None:
    with pytest.raises(ParameterError, match="expected auto, cpu, cuda, cuda:N or mps"):
        resolve_device(name)


def test_a_misspelt_device_gets_a_suggestion() -> None:
    with pytest.raises(ParameterError) as caught:
        resolve_device("cdua")
    assert caught.value.suggestions == ("cuda",)


@without_cuda
def test_auto_falls_back() -> None:
    expected = "mps" if torch.backends.mps.is_available() else "cpu"
    assert resolve_device("auto").type == expected


@pytest.mark.parametrize(
    ("precision", "device"), [("fp16-mixed", "cpu"), ("fp16-mixed", "mps"), ("bf16-mixed", "mps")]
)
def test_a_precision_that_the_device_lacks_is_refused(precision: str, device: str) -> None:
    with pytest.raises(ParameterError, match=f"{precision!r} needs .*device is {device}"):
        check_precision(precision, torch.device(device))


def test_a_misspelt_precision_gets_a_suggestion() -> None:
    with pytest.raises(ParameterError) as caught:
        check_precision("bf16_mixed", torch.device("cpu"))
    assert caught.value.suggestions[0] == "bf16-mixed"
