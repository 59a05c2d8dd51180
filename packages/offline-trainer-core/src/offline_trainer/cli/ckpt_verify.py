"""``ot ckpt verify``"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import click

from offline_trainer.cli.ckpt_source import named_checkpoints
from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import json_option
from offline_trainer.cli.tables import on_one_line, on_terminal, plain_rows
from offline_trainer.errors import (
    EXIT_DONE,
    DamagedCheckpointError,
    OfflineTrainerError,
)

Result = Literal["ok", "damaged", "unreadable", "gone"]
_COLOURS: dict[Result, str] = {
    "ok": "green",
    "damaged": "red",
    "unreadable": "yellow",
    "gone": "yellow",
}
_WIDTH = max(map(len, _COLOURS))


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of one checkpoint.

    Attributes:
        path: The checkpoint, as it was named.
        result: ``gone`` if the run removed it meanwhile.
        reason: Empty if it is good or gone.
    """

    path: str
    result: Result
    reason: str


@click.command("verify")
@click.argument("paths", type=click.Path(), nargs=-1, metavar="[PATH]...")
@json_option
def command(paths: tuple[str, ...], as_json: bool) -> None:
    """Read every file of the checkpoints of PATH and check its hash; change nothing.

    PATH is a run directory, a folder of checkpoints, or a checkpoint. Ends with 0 if all are good,
    with 4 if one is damaged or of a newer format.
    """
    exit_code = EXIT_DONE
    with errors_shown():
        checkpoints = dict.fromkeys(
            each for name in paths or (".",) for each in named_checkpoints(name)
        )
        found = []
        for path in checkpoints:
            verified, code = _verify(path)
            exit_code = max(exit_code, code)
            found.append(verified)
            if not as_json:
                _print(verified)
        if as_json:
            click.echo(json.dumps([asdict(each) for each in found], indent=1))
        elif on_terminal() and len(found) > 1:
            good = sum(each.result == "ok" for each in found)
            click.echo(f"{len(found)} checkpoints, {good} good")
    sys.exit(exit_code)


def _verify(path: Path) -> tuple[Verified, int]:
    """What came of it, and what the command ends with because of it."""
    from offline_trainer.checkpoint.inventory import within
    from offline_trainer.checkpoint.reading import load

    try:
        load(path, keep_values=False)
    except OfflineTrainerError as error:
        if not os.path.lexists(path):
            return Verified(str(path), "gone", ""), EXIT_DONE
        damaged = isinstance(error, DamagedCheckpointError)
        result: Result = "damaged" if damaged else "unreadable"
        return Verified(str(path), result, within(path, error.message)), error.exit_code
    return Verified(str(path), "ok", ""), EXIT_DONE


def _print(verified: Verified) -> None:
    if not on_terminal():
        plain_rows([(verified.result, verified.path, verified.reason)])
        return
    click.secho(f"{verified.result:<{_WIDTH}}", fg=_COLOURS[verified.result], nl=False)
    reason = f": {verified.reason}" if verified.reason else ""
    click.echo(f"  {on_one_line(verified.path + reason)}")
