"""Writes a trained model in a format that others read, loads it again, and compares.

The formats: safetensors (weights), torch-export (program and weights), onnx (program and weights).
"""

from __future__ import annotations

import copy
import inspect
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from offline_trainer.errors import OfflineTrainerError

Outputs = Any
RELATIVE_TOLERANCE = 1e-3
ABSOLUTE_TOLERANCE = 1e-5
NOT_RANDOM = "a model that draws random numbers in evaluation cannot be compared"


class ExportError(OfflineTrainerError):
    """A model cannot be exported, or computes something else after it."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that was written and compared.

    Attributes:
        path: The file.
        size: Of it and of what it needs beside it, in bytes.
        rows: Samples on which it was compared.
        largest_difference: Between the model's outputs and the loaded file's, absolute.
    """

    path: Path
    size: int
    rows: int
    largest_difference: float


def export_model(model: nn.Module, inputs: Sequence[Tensor], to: str, path: Path) -> Exported:
    """Export a model, load the file again, and compare both on the inputs.

    The first dimension of every input is the batch, and any size of it works afterwards. What
    was at ``path`` is replaced only by a file that was compared.

    Args:
        model: In evaluation mode, on the CPU.
        inputs: Its positional arguments, each (B, *).
        to: One of `FORMATS`.
        path: The file to write.

    Raises:
        ExportError: The model cannot be written in this format or to this place, or computes
            something else.
    """
    write, load = FORMATS[to]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
            # Of the final name, because one file may name another that is written beside it.
            new = Path(folder) / path.name
            write(model, inputs, new)
            largest = _compared(model, load(model, new), inputs)
            files = sorted(new.parent.iterdir(), key=lambda file: file == new)
            size = sum(file.stat().st_size for file in files)
            for file in files:
                file.replace(path.parent / file.name)
    except ImportError as error:
        raise ExportError(
            f"{to} needs {error.name}, which is not installed",
            help="pip install 'offline-trainer-torch[onnx]'",
        ) from error
    except (OSError, SafetensorError) as error:
        raise ExportError(f"cannot write {path}: {error}") from error
    return Exported(path, size, len(inputs[0]), largest)


def positional_inputs(
    model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> list[Tensor]:
    """The arguments of a call in the order of ``forward``.

    Raises:
        ExportError: One of them is no tensor.
    """
    bound = inspect.signature(model.forward).bind(*args, **kwargs)
    for name, value in bound.arguments.items():
        if not isinstance(value, Tensor):
            raise ExportError(f"input `{name}` is a {type(value).__name__}; export takes tensors")
    return [value.detach().cpu() for value in bound.arguments.values()]


def _write_safetensors(model: nn.Module, inputs: Sequence[Tensor], path: Path) -> None:
    from safetensors.torch import save_model

    save_model(model, str(path), metadata={"format": "pt"})


def _load_safetensors(model: nn.Module, path: Path) -> Callable[[Sequence[Tensor]], Outputs]:
    from safetensors.torch import load_model

    other = copy.deepcopy(model)
    with torch.no_grad():
        for tensor in (*other.parameters(), *other.buffers()):
            tensor.zero_()
    load_model(other, str(path))

    def call(inputs: Sequence[Tensor]) -> Outputs:
        with torch.no_grad():
            return other(*inputs)

    return call


def _program(model: nn.Module, inputs: Sequence[Tensor]) -> torch.export.ExportedProgram:
    sizes = tuple({0: torch.export.Dim.AUTO} for _ in inputs)
    try:
        return torch.export.export(model, tuple(inputs), dynamic_shapes=sizes)
    except Exception as error:
        raise ExportError(f"torch.export cannot follow the model: {error}") from error


def _write_program(model: nn.Module, inputs: Sequence[Tensor], path: Path) -> None:
    torch.export.save(_program(model, inputs), path)


def _load_program(model: nn.Module, path: Path) -> Callable[[Sequence[Tensor]], Outputs]:
    module = torch.export.load(path).module()

    def call(inputs: Sequence[Tensor]) -> Outputs:
        with torch.no_grad():
            return module(*inputs)

    return call


def _write_onnx(model: nn.Module, inputs: Sequence[Tensor], path: Path) -> None:
    import onnxscript  # noqa: F401 - asked for here, so that its absence has a clear message

    names = list(inspect.signature(model.forward).parameters)[: len(inputs)]
    exported = _program(model, inputs)
    # torch reports on stderr what its exporter is made of; none of it is about the model.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(exported, input_names=names, dynamo=True, verbose=False)
        except torch.onnx.errors.OnnxExporterError as error:
            reason = str(error.__cause__ or error).partition("\n")[0]
            raise ExportError(f"torch.onnx cannot write the model: {reason}") from error
    assert program is not None
    program.save(path)


def _load_onnx(model: nn.Module, path: Path) -> Callable[[Sequence[Tensor]], Outputs]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]

    def call(inputs: Sequence[Tensor]) -> Outputs:
        feed = {name: each.numpy() for name, each in zip(names, inputs, strict=True)}
        return [torch.from_numpy(each) for each in session.run(None, feed)]

    return call


FORMATS: dict[
    str,
    tuple[
        Callable[[nn.Module, Sequence[Tensor], Path], None],
        Callable[[nn.Module, Path], Callable[[Sequence[Tensor]], Outputs]],
    ],
] = {
    "safetensors": (_write_safetensors, _load_safetensors),
    "torch-export": (_write_program, _load_program),
    "onnx": (_write_onnx, _load_onnx),
}
SUFFIXES = {"safetensors": ".safetensors", "torch-export": ".pt2", "onnx": ".onnx"}


def _compared(
    model: nn.Module, loaded: Callable[[Sequence[Tensor]], Outputs], inputs: Sequence[Tensor]
) -> float:
    """The largest difference on the inputs, and on one row of them.

    The second size of the batch shows that the first one has not been written into the file.
    """
    parts = [[each[:rows] for each in inputs] for rows in (len(inputs[0]), 1)]
    with torch.no_grad():
        return max(_difference(model(*part), loaded(part)) for part in parts)


def _difference(expected: Outputs, made: Outputs) -> float:
    """The largest absolute difference of two nestings of tensors.

    Raises:
        ExportError: It is more than rounding, or there is nothing to compare.
    """
    ones, others = _tensors(expected), _tensors(made)
    if not ones:
        raise ExportError("the model gives no tensor that could be compared")
    if [_form(each) for each in ones] != [_form(each) for each in others]:
        raise ExportError(
            f"the exported model gives {', '.join(map(_form, others)) or 'nothing'} where the "
            f"model gives {', '.join(map(_form, ones))}"
        )
    return max(_difference_of_two(one, other) for one, other in zip(ones, others, strict=True))


def _difference_of_two(one: Tensor, other: Tensor) -> float:
    if torch.equal(one, other):
        return 0.0
    if not (one.is_floating_point() or one.is_complex()):
        raise ExportError(
            f"the exported model differs from the model in {int((one != other).sum())} of "
            f"{one.numel()} values of type {_form(one)}",
            help=NOT_RANDOM,
        )
    same = (one == other) | (one.isnan() & other.isnan())
    difference = float((one - other).abs().masked_fill(same, 0).max())
    if not torch.allclose(one, other, RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE, equal_nan=True):
        raise ExportError(
            f"the exported model differs from the model by up to {difference:.3g}", help=NOT_RANDOM
        )
    return difference


def _tensors(outputs: Outputs) -> list[Tensor]:
    """Tensors and numbers among the outputs; a format may turn one into the other."""
    leaves = pytree.tree_leaves(outputs)
    return [torch.as_tensor(each) for each in leaves if isinstance(each, (Tensor, int, float))]


def _form(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
