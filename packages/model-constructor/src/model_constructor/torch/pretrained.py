"""Kind ``pretrained``: weights of another model, under names of this one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor, nn

from model_constructor.errors import ParameterError, close_matches
from model_constructor.listing import first_few

MAX_SHOWN_NAMES = 5


class SafetensorsWeights:
    """Loads parameters and buffers from a safetensors file.

    Args:
        path: The file.
        rename: Start of a name in the file → start of the name here; the longest that fits is
            used. ``{"backbone.": "layer_0."}``; to ``null`` leaves the tensors out.
        missing: Patterns of this model's names that the file may lack; ``*`` is any text.
        unexpected: Patterns of the file's names (after renaming) that this model may lack.

    Raises:
        ParameterError: The file cannot be read, a name is on one side only, or shapes differ.

    >>> SafetensorsWeights(Path("weights.safetensors"), rename={"net.": ""}).renamed("net.weight")
    'weight'
    """

    def __init__(
        self,
        path: Path,
        *,
        rename: Mapping[str, str | None] | None = None,
        missing: Sequence[str] = (),
        unexpected: Sequence[str] = (),
    ) -> None:
        self.path = path
        self.rename = dict(sorted((rename or {}).items(), key=lambda pair: -len(pair[0])))
        self.missing = tuple(missing)
        self.unexpected = tuple(unexpected)

    def renamed(self, name: str) -> str | None:
        """The name here of a tensor in the file; None if it is left out."""
        for start, new in self.rename.items():
            if name.startswith(start):
                return None if new is None else new + name.removeprefix(start)
        return name

    def __call__(self, model: nn.Module) -> None:
        """Copy the file's tensors into the model; nothing is changed unless all of it fits."""
        found = self._read()
        own = _saved_tensors(model)
        self._check_names(found, own)
        shared = {name: tensor for name, tensor in found.items() if name in own}
        taken: dict[int, str] = {}
        for name, tensor in shared.items():
            here, there = _form(own[name]), _form(tensor)
            if here != there:
                raise ParameterError(
                    f"`{name}` is {there} in {self.path.name}, {here} in the model",
                    parameter="path",
                )
            first = taken.setdefault(id(own[name]), name)
            if not torch.equal(tensor, shared[first]):
                raise ParameterError(
                    f"`{first}` and `{name}` are one tensor in the model, two in {self.path.name}",
                    parameter="path",
                )
        with torch.no_grad():
            for name, tensor in shared.items():
                own[name].copy_(tensor)

    def _read(self) -> dict[str, Tensor]:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            tensors = load_file(self.path)
        except (OSError, SafetensorError) as error:
            reason = "there is no such file" if not self.path.exists() else str(error)
            raise ParameterError(
                f"{self.path} cannot be read: {reason}", parameter="path"
            ) from error
        found: dict[str, Tensor] = {}
        for name, tensor in tensors.items():
            new = self.renamed(name)
            if new in found:
                raise ParameterError(
                    f"two tensors of {self.path.name} would be called `{new}`", parameter="rename"
                )
            if new is not None:
                found[new] = tensor
        return found

    def _check_names(self, found: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
        # A file that is written by `save_model` has a shared tensor under one of its names.
        given = {id(own[name]) for name in found if name in own}
        lacking = [n for n in own if id(own[n]) not in given and not _fits(n, self.missing)]
        foreign = [n for n in found if n not in own and not _fits(n, self.unexpected)]
        if lacking:
            raise ParameterError(
                f"{self.path.name} has no {_listed(lacking)}",
                parameter="path",
                suggestions=close_matches(lacking[0], foreign),
                help="rename them, or allow it: `missing: [pattern]`",
            )
        if foreign:
            raise ParameterError(
                f"the model has no {_listed(foreign)}, which {self.path.name} holds",
                parameter="path",
                suggestions=close_matches(foreign[0], own),
                help="rename them, or allow it: `unexpected: [pattern]`",
            )


def _saved_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and saved buffers; a tensor that several names share is under each."""
    saved = model.state_dict(keep_vars=True)
    named: Iterable[tuple[str, Tensor]] = chain(
        model.named_parameters(remove_duplicate=False), model.named_buffers(remove_duplicate=False)
    )
    return {name: tensor for name, tensor in named if name in saved}


def _form(tensor: Tensor) -> str:
    """Shape and type; floating point of any precision is one type."""
    dtype = "float" if tensor.is_floating_point() else str(tensor.dtype).removeprefix("torch.")
    return f"{list(tensor.shape)} {dtype}"


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _listed(names: Sequence[str]) -> str:
    return first_few([f"`{name}`" for name in names], MAX_SHOWN_NAMES)
