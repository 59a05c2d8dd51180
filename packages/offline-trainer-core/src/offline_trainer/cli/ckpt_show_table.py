"""What is in a checkpoint, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from offline_trainer.checkpoint.reading import TENSORS_SUFFIX
from offline_trainer.checkpoint.state_paths import parent_of
from offline_trainer.cli.quantities import age_text, size_text
from offline_trainer.cli.tables import on_one_line
from offline_trainer.loggers.stdout import format_number

_HASH_SHOWN = 12


def print_checkpoint(shown: Mapping[str, Any], *, with_tensors: bool) -> None:
    """Print the manifest, the groups of tensors, and the state in short.

    Args:
        shown: As ``ot ckpt show --json`` has it.
        with_tensors: Also each tensor.
    """
    console = Console(highlight=False)
    console.print(Text.assemble((on_one_line(shown["path"]), "bold"), ("  verified", "green")))
    saved = datetime.fromisoformat(shown["saved"])
    age = datetime.now().astimezone() - saved
    metrics = [f"{name} {format_number(value)}" for name, value in shown["metrics"].items()]
    rows = [
        ("step", str(shown["step"])),
        ("epoch", str(shown["epoch"])),
        ("attempt", str(shown["attempt"])),
        ("saved", f"{saved:%Y-%m-%d %H:%M:%S} ({age_text(age.total_seconds())})"),
        ("run", shown["run_id"]),
        ("parent", (shown["parent"] or "none")[:_HASH_SHOWN]),
        ("config", shown["config_hash"][:_HASH_SHOWN]),
        ("size", size_text(sum(shown["files"].values()))),
        ("metrics", ", ".join(metrics)),
    ]
    _print_rows(console, "", [row for row in rows if row[1]])
    for group, tensors in shown["groups"].items():
        size = size_text(shown["files"][f"{group}{TENSORS_SUFFIX}"])
        count = f"{len(tensors)} tensor{'' if len(tensors) == 1 else 's'}, {size}"
        forms = [(name, form(each)) for name, each in tensors.items()] if with_tensors else []
        _print_rows(console, f"{group}: {count}", forms)
    for parent, leaves in groupby(shown["state"].items(), key=lambda leaf: parent_of(leaf[0])):
        own = [(path.removeprefix(f"{parent}."), text) for path, text in leaves]
        _print_rows(console, f"state: {parent}", own)


def form(tensor: Mapping[str, Any]) -> str:
    """Dtype and shape of a tensor in one text.

    >>> form({"dtype": "BF16", "shape": [3, 4]})
    'BF16 (3, 4)'
    """
    return f"{tensor['dtype']} {tuple(tensor['shape'])}"


def _print_rows(console: Console, title: str, rows: Sequence[tuple[str, str]]) -> None:
    if title:
        console.print(Text(on_one_line(title), style="bold"))
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="cyan", overflow="fold")
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(Text(f"  {on_one_line(name)}"), Text(on_one_line(text)))
    if rows:
        console.print(table)
