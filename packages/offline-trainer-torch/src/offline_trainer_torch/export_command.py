"""``ot export``: a trained model of a run in a format that others read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import allow_target_option, trust_option

if TYPE_CHECKING:
    from offline_trainer.components import Builder
    from offline_trainer.experiment import Prepared

FORMATS = ("safetensors", "torch-export", "onnx")
BUILT = ("data", "io", "loss", "objective")
"""The sections that are needed for a batch and for what is done with it."""


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1)
@click.option("--to", "to", type=click.Choice(FORMATS), required=True, help="The format.")
@click.option("--model", "name", metavar="NAME", help="Which model, where the run has several.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; by default in RUN/exports.",
)
@trust_option
@allow_target_option
def command(
    run: Path,
    overrides: tuple[str, ...],
    to: str,
    name: str | None,
    output: Path | None,
    trust: bool,
    allow_target: bool,
) -> None:
    """Export a trained model of RUN, load the file again and compare it on a batch.

    RUN is a run directory, or a checkpoint in one. OVERRIDES are for where its data is now.
    """
    with errors_shown(overrides):
        from model_constructor.load import CONFIG, load_models, run_directory
        from offline_trainer.experiment import prepare
        from offline_trainer_torch.export import SUFFIXES, export_model

        prepared = prepare(
            run_directory(run) / CONFIG,
            overrides,
            allow_target=allow_target,
            untrusted=not trust,
            stored=True,
        )
        models = load_models(run, registry=prepared.registry)
        name = _chosen(name, models)
        builder = prepared.builder(allow_target)
        path = output or run_directory(run) / "exports" / f"{name}{SUFFIXES[to]}"
        exported = export_model(models[name], _inputs(prepared, builder, models, name), to, path)
    click.echo(f"exported {path} ({to}, {exported.size / 1e6:.1f} MB)")
    click.echo(
        f"loaded again and compared on {exported.rows} rows: "
        f"largest difference {exported.largest_difference:.3g}"
    )


def _chosen(name: str | None, models: Mapping[str, Any]) -> str:
    if name is None and len(models) == 1:
        return next(iter(models))
    if name in models:
        return str(name)
    asked = f"no model `{name}`" if name else "several models"
    raise click.UsageError(f"the run has {asked}; choose one with --model: {', '.join(models)}")


def _inputs(
    prepared: Prepared, builder: Builder, models: Mapping[str, Any], name: str
) -> list[Any]:
    """What the run's objective calls the model with, for one batch of its data."""
    import torch

    from offline_trainer.config.stored import require_secrets
    from offline_trainer.errors import OfflineTrainerError
    from offline_trainer_torch.batches import place
    from offline_trainer_torch.export import positional_inputs

    require_secrets(prepared.resolved, BUILT, "ot export")
    objective = builder.objective()
    io, loss = builder.section("io"), builder.section("loss")
    if io is not None and loss is not None and hasattr(objective, "bind"):
        objective.bind(io, loss)
    datamodule = builder.datamodule(prepared.run.seed)
    batch = place(next(iter(datamodule.train_dataloader())), torch.device("cpu"))
    calls: list[list[Any]] = []

    def record(model: Any, args: Any, kwargs: Any) -> None:
        calls.append(positional_inputs(model, args, kwargs))

    hook = models[name].register_forward_pre_hook(record, with_kwargs=True)
    try:
        with torch.no_grad():
            objective.evaluate(models, batch, "val")
    finally:
        hook.remove()
    if not calls:
        raise OfflineTrainerError(f"evaluating a batch does not call the model `{name}`")
    return calls[0]
