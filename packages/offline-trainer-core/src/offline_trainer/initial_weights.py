"""`run.init_from`: a new run that starts from the weights of a checkpoint, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from model_constructor.listing import first_few
from offline_trainer.checkpoint.reading import Checkpoint
from offline_trainer.engine import Engine, HostState, HostTensor
from offline_trainer.errors import StateMismatchError
from offline_trainer.notices import notice

MODEL = "model"
AVERAGES = "ema"
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class InitFrom:
    """Whose weights to start from, and what may differ.

    Attributes:
        checkpoint: Where they are.
        missing: Patterns of names that may lack there, or have another size: these weights stay as
            they were initialised. ``*`` stands for anything.
        extra: Patterns of names that may be there and not in this model: these are left out.
    """

    checkpoint: Checkpoint
    missing: Sequence[str] = ()
    extra: Sequence[str] = ()


def start_from(engine: Engine, source: InitFrom) -> None:
    """Give an engine that has been set up the weights of a checkpoint.

    Raises:
        StateMismatchError: They do not fit the models, beyond what may differ.
    """
    fresh, saved = engine.snapshot(), source.checkpoint.state
    there = _by_every_name(saved)
    live = {**fresh.tensors[MODEL], **dict.fromkeys(_aliases(fresh))}
    taken: dict[str, HostTensor] = {}
    kept, left_out = [], []
    for name, tensor in fresh.tensors[MODEL].items():
        found = there.get(name)
        fits = found is not None and (found.dtype, found.shape) == (tensor.dtype, tensor.shape)
        if found is not None and (fits or not _matches(name, source.missing)):
            taken[name] = found
        elif _matches(name, source.missing):
            taken[name] = tensor
            kept.append(name)
    for name, tensor in there.items():
        if name not in live and _matches(name, source.extra):
            left_out.append(name)
        elif name not in live:
            taken[name] = tensor  # the engine will refuse it, together with all else that differs
    values = dict(fresh.values)
    if MODEL in values and MODEL in saved.values:
        values[MODEL] = {**saved.values[MODEL], "aliases": _aliases(fresh)}
    try:
        engine.restore(HostState({**fresh.tensors, MODEL: taken}, values))
    except StateMismatchError as error:
        raise StateMismatchError(
            error.message,
            help="list what may lack in the checkpoint, or have another size, in run.init_missing, "
            "and what may be left out in run.init_extra",
        ) from error
    notice(
        f"weights taken from {source.checkpoint.path}; optimizer, schedule and data start anew"
        f"{_listed('as initialised', kept)}{_listed('left out', left_out)}"
    )


def take_trained(engine: Engine, checkpoint: Checkpoint) -> None:
    """Give an engine that trains nothing the weights of a checkpoint, averaged ones where kept.

    Raises:
        StateMismatchError: They do not fit the models.
    """
    fresh, saved = engine.snapshot(), checkpoint.state
    weights = {**saved.tensors.get(MODEL, {}), **saved.tensors.get(AVERAGES, {})}
    values = dict(fresh.values)
    if MODEL in values and MODEL in saved.values:
        values[MODEL] = saved.values[MODEL]
    engine.restore(HostState({**fresh.tensors, MODEL: weights}, values))


def _by_every_name(state: HostState) -> dict[str, HostTensor]:
    """The model's tensors; one that is shared under each of its names."""
    tensors = state.tensors.get(MODEL, {})
    shared = {name: tensors[first] for name, first in _aliases(state).items() if first in tensors}
    return {**tensors, **shared}


def _aliases(state: HostState) -> Mapping[str, str]:
    values = state.values.get(MODEL)
    aliases: Mapping[str, str] = values.get("aliases", {}) if isinstance(values, dict) else {}
    return aliases


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _listed(title: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    return f"; {title}: {first_few(names, _SHOWN)}"
