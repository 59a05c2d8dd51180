"""Whether two runs wrote the same bytes: their metrics line by line, their checkpoints by hash."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from model_constructor.config.scalars import shorten
from offline_trainer.checkpoint.manifest import Manifest
from offline_trainer.checkpoint.reading import Checkpoint, load, step_directories
from offline_trainer.checkpoint.resumable import TIME_FIELDS
from offline_trainer.engine import Json
from offline_trainer.errors import CheckpointError
from offline_trainer.reproduction.values import missing_side, plain_difference, tensor_difference

_MISSING = object()


@dataclass(frozen=True, slots=True)
class Compared:
    """How much of two runs' files is equal, and what the first thing is that is not.

    Attributes:
        equal: How many lines, or checkpoints, before that.
        difference: Empty where there is none.
        tensors: How many the last checkpoint has, where all are equal.
    """

    equal: int
    difference: str = ""
    tensors: int = 0


def compare_metrics(first: Path, second: Path, limit: int | None) -> Compared:
    """Compare two metrics.jsonl.

    Args:
        first: The recorded run's.
        second: The one that was made now.
        limit: How many bytes of the first count; None for both to their ends.
    """
    equal = position = 0
    with first.open("rb") as one, second.open("rb") as other:
        for line, again in zip_longest(one, other):
            if limit is not None and position >= limit:
                break
            if line != again:
                place = f"{first.name} line {equal + 1}"
                return Compared(equal, f"{place}{_line_difference(line, again)}")
            position += len(line)
            equal += 1
    return Compared(equal)


def _line_difference(line: bytes | None, again: bytes | None) -> str:
    if line is None or again is None:
        return f" is only in {missing_side(again is None)}"
    try:
        row, other = json.loads(line), json.loads(again)
        names = {**row, **other}
        name = next(n for n in names if row.get(n, _MISSING) != other.get(n, _MISSING))
        stage = f"{row['stage']} " if name != "stage" else ""
    except (ValueError, TypeError, AttributeError, KeyError, StopIteration, RecursionError):
        texts = [shorten(repr(each.decode(errors="replace"))) for each in (line, again)]
        return f": {texts[0]} in the run, {texts[1]} now"
    values = [shorten(json.dumps(each[name])) if name in each else "none" for each in (row, other)]
    return f": {stage}{name} {values[0]} in the run, {values[1]} now"


def compare_checkpoints(
    folders: tuple[Path, Path], recorded: Mapping[int, Manifest], made: Mapping[int, Manifest]
) -> Compared:
    """Compare the checkpoints that two runs have of the same steps, lowest first.

    Args:
        folders: Of the recorded run's, and of those made now.
        recorded: Manifests by step.
        made: Likewise.
    """
    equal = 0
    for step in sorted(recorded.keys() & made.keys()):
        files = [{f.path: f.sha256 for f in each[step].files} for each in (recorded, made)]
        differing = _differing_file(folders, step) if files[0] != files[1] else None
        if differing is not None:
            return Compared(equal, f"checkpoint of step {step}: {differing}")
        equal += 1
    if not recorded:
        return Compared(equal)
    last = max(recorded)
    if last not in made:
        return Compared(equal, f"the checkpoint of step {last} is only in the run")
    try:  # the manifests agree; now what is on the disk
        state = _load(folders, last)[0].state
    except CheckpointError as error:
        return Compared(equal, str(error))
    return Compared(equal, tensors=sum(len(group) for group in state.tensors.values()))


def _load(folders: tuple[Path, Path], step: int) -> list[Checkpoint]:
    return [load(step_directories(folder)[step]) for folder in folders]


def _differing_file(folders: tuple[Path, Path], step: int) -> str | None:
    """The first file that differs, and in what; None if that is only the time that passed."""
    try:
        one, other = _load(folders, step)
    except CheckpointError as error:
        return str(error)
    for group in {**one.state.tensors, **other.state.tensors}:
        tensors = [each.state.tensors.get(group, {}) for each in (one, other)]
        found = tensor_difference(tensors[0], tensors[1])
        if found is not None:
            return f"{group}.safetensors: {found}"
    plain = [{"values": each.state.values, "loop": _timeless(each)} for each in (one, other)]
    found = plain_difference(plain[0], plain[1])
    return f"state.json: {found}" if found is not None else None


def _timeless(checkpoint: Checkpoint) -> Json:
    state = checkpoint.loop_state
    if not isinstance(state, dict):
        return state
    return {name: value for name, value in state.items() if name not in TIME_FIELDS}
