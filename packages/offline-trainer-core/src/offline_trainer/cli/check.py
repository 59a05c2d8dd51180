"""``ot check``"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import (
    allow_target_option,
    config_argument,
    error_format_option,
    no_plugin_option,
    overrides_argument,
    untrusted_option,
)
from offline_trainer.errors import EXIT_DONE

if TYPE_CHECKING:
    from offline_trainer.experiment import Prepared


@click.command("check")
@config_argument
@overrides_argument
@click.option(
    "--shapes",
    is_flag=True,
    help="Build everything, send one batch through the models, and show every shape.",
)
@no_plugin_option
@allow_target_option
@untrusted_option
@error_format_option
def command(
    config: str,
    overrides: tuple[str, ...],
    shapes: bool,
    no_plugin: tuple[str, ...],
    allow_target: bool,
    untrusted: bool,
    error_format: str,
) -> None:
    """Check CONFIG: structure, components, their arguments, the models' graphs. Trains nothing."""
    as_json = error_format == "json"
    with errors_shown(overrides, json_to="stdout" if as_json else None):
        from offline_trainer.config.run_section import RUN_PATHS
        from offline_trainer.experiment import prepare

        prepared = prepare(
            config,
            overrides,
            no_plugin=no_plugin,
            allow_target=allow_target,
            untrusted=untrusted,
            model_alone=not shapes,
            uses=RUN_PATHS,
        )
        also = "" if "run" in prepared.data else "; a model alone, no experiment"
        if shapes:
            also = _check_shapes(prepared, allow_target, quiet=as_json)
        if as_json:
            from offline_trainer.config.errors import format_as_json

            click.echo(format_as_json(None, EXIT_DONE))
            return
        models = _counted(len(prepared.graphs), "model")
        components = _counted(_count_components(prepared.data), "component")
        click.echo(f"ok: {models}, {components}{also}")


def _check_shapes(prepared: Prepared, allow_target: bool, *, quiet: bool) -> str:
    """Show the shapes; return what to add to the last line."""
    from model_constructor.binding import component_name
    from offline_trainer.cli.shape_table import print_shapes
    from offline_trainer.notices import warn
    from offline_trainer.shape_check import check_shapes

    report = check_shapes(prepared, allow_target=allow_target)
    if not quiet:
        print_shapes(report, prepared.graphs)
    warn(report.warnings)
    source = component_name(prepared.data["data"])
    size = f" of {report.samples}" if report.samples is not None else ""
    return f"; shapes checked on a batch{size} from {source}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _count_components(value: Any) -> int:
    from model_constructor.binding import is_spec

    if isinstance(value, Mapping):
        return is_spec(value) + sum(map(_count_components, value.values()))
    return sum(map(_count_components, value)) if isinstance(value, list) else 0
