"""``ot ckpt ls``"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from offline_trainer.cli.ckpt_source import named_checkpoints, run_argument
from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import json_option
from offline_trainer.cli.tables import on_terminal, plain_rows

if TYPE_CHECKING:
    from offline_trainer.checkpoint.inventory import Listed
    from offline_trainer.checkpoint.set_aside import SetAside


@dataclass(frozen=True, slots=True)
class Listing:
    """What is listed of one folder of checkpoints.

    Attributes:
        folder: As it was typed, with what was found below it.
        checkpoints: Lowest step first.
        quarantine: What was damaged, with why; left out, like ``trash``, where one is asked for.
        trash: What was left behind when the run went on from an older step.
    """

    folder: Path
    checkpoints: list[Listed]
    quarantine: list[SetAside]
    trash: list[SetAside]


@click.command("ls")
@run_argument
@json_option
def command(run: str, as_json: bool) -> None:
    """List the checkpoints of RUN, which is a run directory, a folder of checkpoints, or one.

    Nothing is verified here: `damaged` is what looks so; see `ot ckpt verify`.
    """
    with errors_shown():
        listing = listing_of(run)
        if as_json:
            click.echo(json.dumps(_as_data(listing), indent=1))
        elif on_terminal():
            from offline_trainer.cli.ckpt_table import print_listing

            print_listing(listing)
        else:
            plain_rows(_rows(listing))


def listing_of(run: str) -> Listing:
    from offline_trainer.checkpoint.inventory import list_checkpoints
    from offline_trainer.checkpoint.reading import QUARANTINE_NAME
    from offline_trainer.checkpoint.removal import TRASH_NAME
    from offline_trainer.checkpoint.set_aside import list_set_aside
    from offline_trainer.run.owner import run_of

    named = named_checkpoints(run)
    folder = named[0].parent
    everything = list_checkpoints(folder)
    if folder.name == QUARANTINE_NAME:  # of a run that has no other
        return Listing(folder, [], list_set_aside(folder), [])
    if len(named) < len(everything):
        return Listing(folder, [each for each in everything if each.path in named], [], [])
    home = run_of(folder)
    if home is None or home == folder.parent.resolve():
        home = folder.parent  # as it was typed
    quarantine = list_set_aside(home / QUARANTINE_NAME)
    return Listing(folder, everything, quarantine, list_set_aside(folder / TRASH_NAME))


def _as_data(listing: Listing) -> dict[str, Any]:
    return {
        "folder": str(listing.folder),
        "checkpoints": [_checkpoint_data(each) for each in listing.checkpoints],
        "quarantine": [_aside_data(each) for each in listing.quarantine],
        "trash": [_aside_data(each) for each in listing.trash],
    }


def _checkpoint_data(each: Listed) -> dict[str, Any]:
    manifest = each.manifest
    return {
        "path": str(each.path),
        "step": each.step,
        "epoch": manifest.epoch if manifest else None,
        "attempt": manifest.attempt if manifest else None,
        "saved": each.saved.isoformat(timespec="seconds"),
        "bytes": each.size_bytes,
        "metrics": dict(manifest.metrics) if manifest else {},
        "marks": list(each.marks),
        "reason": each.reason,
    }


def _aside_data(each: SetAside) -> dict[str, Any]:
    return {"path": str(each.path), "bytes": each.size_bytes, "reason": each.reason}


def _rows(listing: Listing) -> list[list[str]]:
    rows = []
    for each in listing.checkpoints:
        manifest = each.manifest
        metrics = manifest.metrics if manifest else {}
        rows.append(
            [
                str(each.path),
                str(each.step),
                str(manifest.epoch) if manifest else "",
                str(manifest.attempt) if manifest else "",
                each.saved.isoformat(timespec="seconds"),
                str(each.size_bytes),
                ",".join(each.marks),
                " ".join(f"{name}={value!r}" for name, value in metrics.items()),
                each.reason,
            ]
        )
    for mark, aside in (("quarantine", listing.quarantine), ("trash", listing.trash)):
        for one in aside:
            rows.append([str(one.path), *[""] * 4, str(one.size_bytes), mark, "", one.reason])
    return rows
