"""``ot model``: the parameters and shapes of a config's models, and their graphs as diagrams."""

from __future__ import annotations

import click

from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import config_argument, overrides_argument, untrusted_option

input_option = click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME=SIZES",
    help="Shape of an input, such as x=32,8 or tokens=4,16:int64, instead of a batch of the data.",
)


@click.group("model")
def command() -> None:
    """Look at the models of a config: parameters, shapes, diagrams."""


@command.command("summary")
@config_argument
@overrides_argument
@input_option
@untrusted_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "mermaid"]),
    default="table",
    help="A table, or a diagram for Markdown.",
)
def summary(
    config: str, overrides: tuple[str, ...], inputs: tuple[str, ...], untrusted: bool, form: str
) -> None:
    """Every layer of the models of CONFIG: YAML path, type, output shape, parameters, totals.

    Shapes come from the first batch of the config's data, or from --input.
    """
    with errors_shown(overrides):
        from offline_trainer.cli.shape_table import print_shapes
        from offline_trainer.shape_check import ShapeReport
        from offline_trainer_torch.model_summary import mermaid, parameter_line, trace_of

        traced = trace_of(config, overrides, inputs, untrusted=untrusted)
        if form == "mermaid":
            click.echo(mermaid(traced.graphs, traced.trace), nl=False)
            return
        print_shapes(ShapeReport(traced.trace, None, ()), traced.graphs)
        for name, model in traced.models.items():
            click.echo(f"{name}: {parameter_line(model)}")


@command.command("shapes")
@config_argument
@overrides_argument
@input_option
@untrusted_option
def shapes(
    config: str, overrides: tuple[str, ...], inputs: tuple[str, ...], untrusted: bool
) -> None:
    """What every node of the models of CONFIG gets, and what it gives."""
    with errors_shown(overrides):
        from offline_trainer_torch.model_summary import shape_lines, trace_of

        traced = trace_of(config, overrides, inputs, untrusted=untrusted)
        for line in shape_lines(traced.graphs, traced.trace):
            click.echo(line)
