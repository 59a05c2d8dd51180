"""Reads weights that somebody else saved, by torch or as safetensors, and runs nothing of them.

A file of torch is a pickle, which can name any function and have it called. ``weights_only`` admits
tensors and plain containers; before torch 2.6 it could be got round (CVE-2025-32434).
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

from model_constructor.listing import first_few
from offline_trainer.errors import OfflineTrainerError
from offline_trainer.plugins.targets import on_one_line

_MOST_SHOWN = 8
SAFE_SINCE = (2, 6)
_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")


class WeightFileError(OfflineTrainerError):
    """A file whose weights cannot be taken; nothing has been written."""

    exit_code = 2


def read_weight_file(path: Path) -> Any:
    """What a file holds: tensors on the CPU, in whatever containers it has them.

    Raises:
        WeightFileError: It cannot be read, or reading it would run what it names.
    """
    if not path.is_file():
        raise WeightFileError(f"there is no file {path}")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    _require_safe_torch()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are for whoever wrote the file
            # Mapped, memory is filled as it is copied; what torch wrote before 1.6 is no zip.
            mapped = zipfile.is_zipfile(path)
            return torch.load(path, weights_only=True, map_location="cpu", mmap=mapped)
    except Exception as error:
        raise _refusal(path, error) from error


def listed(names: Collection[Any]) -> str:
    """A few names of a file, and how many more there are."""
    return first_few([f"`{name}`" for name in names], _MOST_SHOWN)


def _require_safe_torch() -> None:
    version = tuple(int(part) for part in re.findall(r"\d+", torch.__version__)[:2])
    if version < SAFE_SINCE:
        raise WeightFileError(
            f"torch {torch.__version__} cannot read a stranger's file safely: its weights_only can "
            "be got round (CVE-2025-32434)",
            help=f"install torch {'.'.join(map(str, SAFE_SINCE))} or newer, or give a .safetensors",
        )


def _refusal(path: Path, error: Exception) -> WeightFileError:
    refused = _GLOBAL.search(str(error))
    if refused is not None:
        return WeightFileError(
            f"{path} holds more than weights: reading it would run {refused[1]}",
            help="if you trust it, load it where that is installed, and save the weights alone: "
            "torch.save(model.state_dict(), …)",
        )
    if "TorchScript" in str(error):
        return WeightFileError(
            f"{path} is a TorchScript program",
            help="save its weights alone: torch.save(torch.jit.load(…).state_dict(), …)",
        )
    if "Unsupported operand" in str(error) and _begins_as_torch_does(path):
        return WeightFileError(
            f"{path} has instructions that torch does not read safely: it was written with a "
            "pickle_protocol above 3, or is damaged",
            help="save it again without pickle_protocol=…, where you trust it",
        )
    return WeightFileError(f"{path} was not written by torch.save, or is damaged")


def _begins_as_torch_does(path: Path) -> bool:
    """Whether a file begins like a zip file or like a pickle."""
    with path.open("rb") as file:
        return file.read(1) in (b"P", b"\x80")


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            # `save_model` keeps a shared tensor under one name, and notes the others here.
            shared = {
                name: tensors[kept]
                for name, kept in (file.metadata() or {}).items()
                if kept in tensors and name not in tensors
            }
    except Exception as error:
        raise WeightFileError(f"{path} is no safetensors file: {on_one_line(error)}") from error
    return {**tensors, **shared}
