"""How the differences of two checkpoints are written: as lines, and as data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from offline_trainer.checkpoint.state_paths import is_long, parent_of, plain_text, same
from offline_trainer.cli.tables import on_one_line, on_terminal, plain_rows

if TYPE_CHECKING:
    from rich.table import Table

    from offline_trainer.checkpoint.difference import Kind, TensorDifference, ValueDifference
    from offline_trainer.engine import HostTensor, Json

STATE = "state"
_MARKS: dict[Kind, str] = {"removed": "-", "added": "+", "changed": "~"}
_COLOURS = {"-": "red", "+": "green", "~": "yellow"}
_MOST_TEXT = 24


@dataclass(frozen=True, slots=True)
class Row:
    """One difference in words.

    Attributes:
        mark: ``-`` only in the first checkpoint, ``+`` only in the second, ``~`` in both.
        group: Of a tensor, or ``state``.
        name: Of the tensor; path of the value.
        what: Dtype and shape, or the value; both with an arrow where that is what differs.
        differing: How many elements or items differ.
        elements: Of how many.
        largest: The largest difference of floats.
    """

    mark: str
    group: str
    name: str
    what: str
    differing: int = 0
    elements: int = 0
    largest: str = ""


def print_differences(
    tensors: Sequence[TensorDifference], values: Sequence[ValueDifference]
) -> None:
    """A table for each group of tensors and one for the state; plain lines when piped."""
    rows = [*map(_tensor_row, tensors), *map(_value_row, values)]
    if not on_terminal():
        for row in rows:
            counts = f"{row.differing}/{row.elements}" if row.differing else ""
            plain_rows([(row.mark, f"{row.group}/{row.name}", row.what, counts, row.largest)])
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for title, of_title in groupby(rows, key=_title):
        console.print(Text(on_one_line(title), style="bold"))
        console.print(_table(list(of_title)))
    counted = f"different tensors: {len(tensors)}, values of the state: {len(values)}"
    console.print(counted if rows else "no differences")


def tensor_data(each: TensorDifference) -> Json:
    """A tensor's difference as JSON."""
    present = each.before or each.after
    return {
        "group": each.group,
        "name": each.name,
        "kind": each.kind,
        "before": _form_data(each.before),
        "after": _form_data(each.after),
        "elements": math.prod(present.shape) if present is not None else 0,
        "differing": each.differing,
        "largest": each.largest,
    }


def value_data(each: ValueDifference) -> Json:
    """A value's difference as JSON."""
    return {"path": each.path, "kind": each.kind, "before": each.before, "after": each.after}


def _form_data(tensor: HostTensor | None) -> Json:
    return {"dtype": tensor.dtype, "shape": list(tensor.shape)} if tensor is not None else None


def _title(row: Row) -> str:
    return row.group if row.group != STATE else f"{STATE}: {parent_of(row.name)}"


def _table(rows: Sequence[Row]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    counted = any(row.differing for row in rows)
    table.show_header = counted
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    table.add_column("differ" if counted else "", justify="right")
    table.add_column("by up to" if counted else "", justify="right")
    for row in rows:
        below = f"{parent_of(row.name)}." if row.group == STATE else ""
        count = "all" if row.differing == row.elements else str(row.differing)
        table.add_row(
            Text(f"  {row.mark}", style=_COLOURS[row.mark]),
            Text(on_one_line(row.name.removeprefix(below))),
            Text(on_one_line(row.what)),
            count if row.differing else "",
            row.largest,
        )
    return table


def _tensor_row(each: TensorDifference) -> Row:
    mark, before, after = _MARKS[each.kind], each.before, each.after
    if before is None or after is None or not each.differing:
        what = " → ".join(_form(side) for side in (before, after) if side is not None)
        return Row(mark, each.group, each.name, what)
    largest = f"{each.largest:.3g}" if each.largest is not None else ""
    elements = math.prod(before.shape)
    return Row(mark, each.group, each.name, _form(before), each.differing, elements, largest)


def _value_row(each: ValueDifference) -> Row:
    mark, before, after = _MARKS[each.kind], each.before, each.after
    if is_long(before) and is_long(after) and len(before) == len(after):
        differing = sum(not same(*pair) for pair in zip(before, after, strict=True))
        return Row(mark, STATE, each.path, f"{len(before)} items", differing, len(before))
    sides = {"removed": [before], "added": [after], "changed": [before, after]}[each.kind]
    return Row(mark, STATE, each.path, " → ".join(map(_text, sides)))


def _form(tensor: HostTensor) -> str:
    return f"{tensor.dtype} {tensor.shape}"


def _text(value: Json) -> str:
    if isinstance(value, list | dict):
        return f"{len(value)} items"
    text = plain_text(value)
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"
