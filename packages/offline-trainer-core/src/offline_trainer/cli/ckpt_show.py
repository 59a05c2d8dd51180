"""``ot ckpt show``"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from offline_trainer.cli.ckpt_source import checkpoint_argument
from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import json_option
from offline_trainer.cli.tables import on_terminal, plain_rows

if TYPE_CHECKING:
    from offline_trainer.checkpoint.reading import Checkpoint

_MANIFEST = (
    *("path", "step", "epoch", "attempt", "saved"),
    *("run_id", "parent", "config_hash", "sha256"),
)


@click.command("show")
@checkpoint_argument
@click.option("--tensors", is_flag=True, help="Also each tensor with its dtype and shape.")
@json_option
def command(checkpoint: str, tensors: bool, as_json: bool) -> None:
    """Verify CHECKPOINT and show what is in it; a run alone means its newest one."""
    with errors_shown():
        from offline_trainer.checkpoint.reading import load
        from offline_trainer.checkpoint.references import checkpoint_of

        shown = as_data(load(checkpoint_of(checkpoint, run_means_newest=True), keep_values=False))
        if as_json:
            click.echo(json.dumps(shown, indent=1))
        elif on_terminal():
            from offline_trainer.cli.ckpt_show_table import print_checkpoint

            print_checkpoint(shown, with_tensors=tensors)
        else:
            plain_rows(_rows(shown, with_tensors=tensors))


def as_data(checkpoint: Checkpoint) -> dict[str, Any]:
    from offline_trainer.checkpoint.inventory import written_at
    from offline_trainer.checkpoint.state_paths import summary

    manifest = checkpoint.manifest
    state = {**checkpoint.state.values, "loop": checkpoint.loop_state}
    return {
        "path": str(checkpoint.path),
        "step": manifest.step,
        "epoch": manifest.epoch,
        "attempt": manifest.attempt,
        "saved": written_at(checkpoint.path).isoformat(timespec="seconds"),
        "run_id": manifest.run_id,
        "parent": manifest.parent,
        "config_hash": manifest.config_hash,
        "sha256": manifest.sha256,
        "metrics": dict(manifest.metrics),
        "files": {record.path: record.bytes for record in manifest.files},
        "groups": {
            group: {name: {"dtype": t.dtype, "shape": list(t.shape)} for name, t in tensors.items()}
            for group, tensors in checkpoint.state.tensors.items()
        },
        "state": dict(summary(state)),
    }


def _rows(shown: dict[str, Any], *, with_tensors: bool) -> list[list[str]]:
    rows = [[name, "" if shown[name] is None else str(shown[name])] for name in _MANIFEST]
    rows += [["metric", name, repr(value)] for name, value in shown["metrics"].items()]
    rows += [["file", name, str(count)] for name, count in shown["files"].items()]
    for group, tensors in shown["groups"].items():
        rows.append(["group", group, str(len(tensors))])
        for name, tensor in tensors.items() if with_tensors else ():
            sizes = ",".join(map(str, tensor["shape"]))
            rows.append(["tensor", group, name, tensor["dtype"], sizes])
    return rows + [["state", path, text] for path, text in shown["state"].items()]
