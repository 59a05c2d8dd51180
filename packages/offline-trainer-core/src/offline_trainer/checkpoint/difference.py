"""What differs between two checkpoints in meaning: names, shapes, numbers, values of the state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from offline_trainer.checkpoint.finite import CHUNK, FLOATS
from offline_trainer.checkpoint.reading import Checkpoint
from offline_trainer.checkpoint.state_paths import leaves, same
from offline_trainer.checkpoint.tensor_file import ITEM_BYTES
from offline_trainer.engine import HostTensor, Json

Kind = Literal["removed", "added", "changed"]


@dataclass(frozen=True, slots=True)
class TensorDifference:
    """A tensor that is not the same on both sides.

    Attributes:
        group: The file it is in, such as ``model``.
        name: Its name there.
        kind: ``removed`` if only the first checkpoint has it, ``added`` if only the second.
        before: In the first checkpoint; None if it is not there.
        after: In the second.
        differing: How many of its elements differ, bit by bit; 0 unless dtype and shape are equal.
        largest: Of the absolute differences of floats; infinite where one is no finite number.
    """

    group: str
    name: str
    kind: Kind
    before: HostTensor | None
    after: HostTensor | None
    differing: int = 0
    largest: float | None = None


@dataclass(frozen=True, slots=True)
class ValueDifference:
    """A value of ``state.json`` that is not the same on both sides; None where there is none."""

    path: str
    kind: Kind
    before: Json
    after: Json


def compare_tensors(one: Checkpoint, other: Checkpoint) -> Iterator[TensorDifference]:
    """Tensors that differ, group by group, in the order in which the files have them."""
    befores, afters = one.state.tensors, other.state.tensors
    for group in dict.fromkeys([*befores, *afters]):
        before, after = befores.get(group, {}), afters.get(group, {})
        for name in dict.fromkeys([*before, *after]):
            found = _compare(group, name, before.get(name), after.get(name))
            if found is not None:
                yield found


def compare_values(one: Checkpoint, other: Checkpoint) -> Iterator[ValueDifference]:
    """Values of the state that differ, by path."""
    before, after = _by_path(one), _by_path(other)
    for path in dict.fromkeys([*before, *after]):
        if path not in after:
            yield ValueDifference(path, "removed", before[path], None)
        elif path not in before:
            yield ValueDifference(path, "added", None, after[path])
        elif not same(before[path], after[path]):
            yield ValueDifference(path, "changed", before[path], after[path])


def _by_path(checkpoint: Checkpoint) -> Mapping[str, Json]:
    return dict(leaves({**checkpoint.state.values, "loop": checkpoint.loop_state}))


def _compare(
    group: str, name: str, before: HostTensor | None, after: HostTensor | None
) -> TensorDifference | None:
    if before is None or after is None:
        return TensorDifference(
            group, name, "added" if before is None else "removed", before, after
        )
    if (before.dtype, before.shape) != (after.dtype, after.shape):
        return TensorDifference(group, name, "changed", before, after)
    differing, largest = _compare_elements(before, after)
    if not differing:
        return None
    return TensorDifference(group, name, "changed", before, after, differing, largest)


def _compare_elements(before: HostTensor, after: HostTensor) -> tuple[int, float | None]:
    """How many elements differ, and for floats the largest absolute difference."""
    bits = f"<u{ITEM_BYTES[before.dtype]}"
    ones, others = (np.frombuffer(each.data, dtype=bits) for each in (before, after))
    is_float = before.dtype == "BF16" or before.dtype in FLOATS
    differing, largest = 0, 0.0
    for start in range(0, ones.size, CHUNK):
        one, other = ones[start : start + CHUNK], others[start : start + CHUNK]
        unequal = one != other
        count = int(np.count_nonzero(unequal))
        differing += count
        if count and is_float:
            with np.errstate(invalid="ignore", over="ignore"):
                values = (_numbers(each[unequal], before.dtype) for each in (one, other))
                distances = np.abs(np.subtract(*values))
            largest = max(largest, float(np.nan_to_num(distances, nan=np.inf, posinf=np.inf).max()))
    return differing, largest if is_float else None


def _numbers(bits: Any, dtype: str) -> Any:
    """Elements as float64, from their bits."""
    if dtype == "BF16":  # which numpy does not know: the upper half of a float32
        return (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return bits.view(FLOATS[dtype]).astype(np.float64)
