"""Which device a run uses, and what makes it deterministic."""

from __future__ import annotations

import os

import torch

from model_constructor.errors import ParameterError
from offline_trainer.engine import check_device_name


def resolve_device(name: str) -> torch.device:
    """The device that ``run.device`` asks for.

    Args:
        name: ``auto`` (CUDA, then MPS, then CPU), ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Raises:
        ParameterError: It is no device, or not there.

    >>> resolve_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        return torch.device(_available()[0])
    check_device_name(name)
    if name == "cpu":
        return torch.device("cpu")
    available = _available()
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in available:
        raise ParameterError(
            f"device {name!r} is not there; PyTorch {torch.__version__} sees "
            f"{', '.join(available)}",
            parameter="device",
            help=_next_step(wanted.partition(":")[0]),
        )
    return torch.device(wanted)


def describe_device(device: torch.device) -> str:
    """The device and, for a GPU, what it is called."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return str(device)


def cuda_build() -> str:
    """The CUDA version that PyTorch was built for."""
    return torch.version.cuda or "none"


def device_rows() -> list[tuple[str, str]]:
    """Rows (name, value) about what there is to train on, the preferred device first."""
    *cards, cpu = [describe_device(torch.device(name)) for name in _available()]
    return [
        ("torch threads", str(torch.get_num_threads())),
        *(("device", card) for card in cards),
        ("device", cpu if cards else f"{cpu} (no GPU found)"),
    ]


def make_deterministic() -> None:
    """Let PyTorch use only kernels that give the same bytes each time, or raise where none is.

    It stays so for this process: switching it off again would take it from whoever else asked.
    """
    # cuBLAS reads this when it starts; without it deterministic mode refuses matrix products.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def _available() -> list[str]:
    """Devices of this process, the preferred one first."""
    found = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def _next_step(kind: str) -> str:
    fallback = "set run.device to auto or cpu"
    if kind == "cuda" and torch.version.cuda is None:
        return f"{fallback}, or install a build of PyTorch with CUDA (this one has none)"
    return fallback
