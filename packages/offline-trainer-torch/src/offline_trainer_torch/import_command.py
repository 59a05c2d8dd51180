"""``ot ckpt import``: the weights of a torch file as a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from offline_trainer.cli.errors import errors_shown

if TYPE_CHECKING:
    from torch import nn

FOLDER = "imported"
SINGLE_MODEL = "model"
_MOST_SHOWN = 8


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"Folder for the checkpoint; by default {FOLDER}/ and the file's name.",
)
@click.option("--config", type=click.Path(), help="Write only what fits this config's models.")
@click.option(
    "--map",
    "rules",
    multiple=True,
    metavar="OLD=NEW",
    help="Rename: 'module.*=model.*'; with nothing after the =, leave out.",
)
@click.option("--key", metavar="PATH", help="Where in the file the weights are; . for all of it.")
def command(
    file: Path, output: Path | None, config: str | None, rules: tuple[str, ...], key: str | None
) -> None:
    """Make a checkpoint of the weights in FILE, written by torch.save or as .safetensors.

    A new run starts from it: run.init_from=OUTPUT. Nothing that FILE names is run.
    """
    with errors_shown():
        from offline_trainer.cli.quantities import size_text
        from offline_trainer_torch.name_map import map_names
        from offline_trainer_torch.weight_file import read_weight_file
        from offline_trainer_torch.weight_fit import models_of, require_fit
        from offline_trainer_torch.weight_import import write_checkpoint
        from offline_trainer_torch.weight_search import find_weights

        found = find_weights(read_weight_file(file), key)
        models = models_of(config) if config is not None else None
        mapped = map_names(list(found.values), rules, _default_name(models))
        values = {new: found.values[old] for old, new in mapped.items()}
        if models is not None:
            require_fit(values, models, file.name, found.values)
        output = output or Path(FOLDER) / file.stem
        imported = write_checkpoint(values, output, file)
    _report("left out, besides the weights", found.left_out)
    _report("infinite, which is right for a mask alone", imported.infinite)
    place = f"`{found.key}` of {file}" if found.key else str(file)
    also = f" under {imported.tensors + imported.aliases} names" if imported.aliases else ""
    size = size_text(imported.size_bytes)
    click.echo(f"imported {imported.tensors} tensors{also} ({size}) from {place}")
    if config is not None:
        click.echo(f"they fit the models of {config}")
    click.echo(f"start from them with: run.init_from={output}")


def _default_name(models: Mapping[str, nn.Module] | None) -> Callable[[str], str]:
    """What a name of the file becomes without a rule: the model's name comes before it."""
    names = [SINGLE_MODEL] if models is None else list(models)
    if len(names) == 1:
        return lambda name: f"{names[0]}.{name}"
    return lambda name: name  # with several models, it has to say which


def _report(what: str, names: Sequence[str]) -> None:
    from offline_trainer.cli.tables import on_one_line
    from offline_trainer.notices import notice

    if names:
        more = len(names) - _MOST_SHOWN
        shown = on_one_line(", ".join(names[:_MOST_SHOWN]))
        notice(f"{what}: {shown}{f' and {more} more' if more > 0 else ''}")
