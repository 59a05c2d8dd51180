"""The models' part of a snapshot: state dicts as host tensors, shared tensors stored once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from offline_trainer.engine import HostTensor, Json
from offline_trainer.errors import StateMismatchError
from offline_trainer_torch.host_tensors import HostCopies, dtype_name, from_host
from offline_trainer_torch.packing import pack, unpack

MAX_SHOWN = 8


def save_models(models: Mapping[str, nn.Module], copies: HostCopies) -> Json:
    """Copy tensors, named ``<model>.<state dict key>``; as `save_named`."""
    return save_named(_named_state(models), copies)


def save_named(named: Iterable[tuple[str, Any]], copies: HostCopies) -> Json:
    """Copy tensors by name.

    Returns:
        What is no tensor: ``{"aliases": {name: name it shares its bytes with}, "extra": {...}}``.
    """
    aliases: dict[str, str] = {}
    extra: dict[str, Json] = {}
    stored: dict[tuple[Any, ...], str] = {}
    for name, value in named:
        if not isinstance(value, torch.Tensor):
            extra[name] = pack(value, name, copies)
            continue
        first = stored.setdefault(_identity(value), name) if value.numel() else name
        if first == name:
            copies.add(name, value)
        else:
            aliases[name] = first
    return {"aliases": aliases, "extra": extra}


def non_finite_buffers(models: Mapping[str, nn.Module]) -> frozenset[str]:
    """Names of buffers that hold infinities before any training: masks, for instance."""
    return frozenset(
        f"{model_name}.{name}"
        for model_name, model in models.items()
        for name, buffer in model.named_buffers()
        if buffer.is_floating_point() and not bool(torch.isfinite(buffer).all())
    )


def check_models(
    models: Mapping[str, nn.Module], tensors: Mapping[str, HostTensor], values: Json
) -> None:
    """Compare a saved state with the live models, changing nothing.

    Raises:
        StateMismatchError: Names, shapes or dtypes differ; the message lists which.
    """
    saved = _Saved(tensors, values)
    live = dict(_named_state(models))
    missing = [_shown(name, live[name]) for name in live if name not in saved]
    unexpected = [_shown(name, saved[name]) for name in saved if name not in live]
    differing = [
        f"{_shown(name, live[name])} is {_form(saved[name])} in the checkpoint"
        for name in live
        if name in saved and _form(live[name]) != _form(saved[name])
    ]
    problems = [
        *_listed("missing in the checkpoint", missing),
        *_listed("only in the checkpoint", unexpected),
        *_listed("different", differing),
    ]
    if problems:
        raise StateMismatchError(
            "\n  ".join(["the checkpoint does not fit the model of this config", *problems]),
            help="go back to the config that the checkpoint was written with "
            "(config.resolved.yaml in its run directory)",
        )


def restore_models(
    models: Mapping[str, nn.Module], tensors: Mapping[str, HostTensor], values: Json
) -> None:
    """Set the models to a saved state that `check_models` has accepted."""
    saved = _Saved(tensors, values)
    for model_name, model in models.items():
        state = model.state_dict()  # filled in place, so that its format versions stay with it
        for key in state:
            state[key] = saved.value(f"{model_name}.{key}")
        model.load_state_dict(state, strict=True)


@dataclass(frozen=True, slots=True)
class _Saved:
    """A saved state by the names it had, aliases resolved."""

    tensors: Mapping[str, HostTensor]
    values: Json

    def __iter__(self) -> Iterator[str]:
        inside = {f"{name}." for name in self.values["extra"]}
        for name in self.tensors:
            if not any(name.startswith(prefix) for prefix in inside):
                yield name
        yield from self.values["aliases"]
        yield from self.values["extra"]

    def __contains__(self, name: str) -> bool:
        return name in self.values["extra"] or self._source(name) in self.tensors

    def __getitem__(self, name: str) -> HostTensor | None:
        """The tensor of a name; None for a value that is none."""
        return None if name in self.values["extra"] else self.tensors[self._source(name)]

    def value(self, name: str) -> Any:
        if name in self.values["extra"]:
            return unpack(self.values["extra"][name], lambda key: from_host(self.tensors[key]))
        return from_host(self.tensors[self._source(name)])

    def _source(self, name: str) -> str:
        source: str = self.values["aliases"].get(name, name)
        return source


def _named_state(models: Mapping[str, nn.Module]) -> Iterator[tuple[str, Any]]:
    for model_name, model in models.items():
        for key, value in model.state_dict().items():
            yield f"{model_name}.{key}", value


def _identity(tensor: torch.Tensor) -> tuple[Any, ...]:
    """Equal for two tensors that are the same bytes in memory, read the same way."""
    storage = tensor.untyped_storage().data_ptr()
    return storage, tensor.storage_offset(), tensor.dtype, tensor.shape, tensor.stride()


def _form(value: torch.Tensor | HostTensor | Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"{dtype_name(value.dtype)} {tuple(value.shape)}"
    return f"{value.dtype} {value.shape}" if isinstance(value, HostTensor) else "no tensor"


def _shown(name: str, value: Any) -> str:
    return f"{name} {_form(value)}"


def _listed(title: str, items: list[str]) -> list[str]:
    if not items:
        return []
    more = [f"... and {len(items) - MAX_SHOWN} more"] if len(items) > MAX_SHOWN else []
    return [f"{title}: {'; '.join([*items[:MAX_SHOWN], *more])}"]
