"""``ot reproduce``"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import click

from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import (
    allow_target_option,
    error_format_option,
    no_plugin_option,
    trust_option,
)
from offline_trainer.errors import EXIT_DONE, EXIT_ERROR, EXIT_INTERRUPTED

if TYPE_CHECKING:
    from offline_trainer.reproduction.recompose import Caller, Recomposed
    from offline_trainer.reproduction.recorded import RecordedRun
    from offline_trainer.run.differences import Difference
    from offline_trainer.run.manifest import RunManifest


@click.command("reproduce")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1)
@click.option("--check", is_flag=True, help="Only say what differs; exit 1 if anything does.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="The directory of the new run; by default RUN.reproduced.",
)
@trust_option
@no_plugin_option
@allow_target_option
@error_format_option
def command(
    run: Path,
    overrides: tuple[str, ...],
    check: bool,
    output: Path | None,
    trust: bool,
    no_plugin: tuple[str, ...],
    allow_target: bool,
    error_format: str,
) -> None:
    """Compare what RUN had with what is here, run it again and compare the bytes.

    RUN is a run directory, and stays as it is. OVERRIDES are for where its data is now. Ends with 0
    if nothing differs, with 1 if something does, with 2 if RUN cannot be read.
    """
    with errors_shown(overrides, json_to="stderr" if error_format == "json" else None):
        from offline_trainer.reproduction.recompose import Caller, all_differences, recompose
        from offline_trainer.reproduction.recorded import (
            checkpoint_folder,
            read_checkpoints,
            read_run,
            report_other_configs,
        )

        recorded = read_run(run)
        caller = Caller(trust, allow_target, no_plugin)
        # What there is to notice is said when it runs.
        with nullcontext() if check else redirect_stderr(StringIO()):
            here = recompose(recorded, overrides, caller)
        found = all_differences(recorded, here)
        _show(found, recorded.manifest)
        if check:
            folder = checkpoint_folder(recorded.stored.data, recorded.out_dir, recorded.root)
            report_other_configs(recorded, read_checkpoints(folder))
        if not check:
            exit_code = _run_again(recorded, here, output, caller)
        elif any(each.changes_bytes for each in found):
            exit_code = EXIT_ERROR
        else:
            exit_code = EXIT_DONE
    sys.exit(exit_code)


def _show(found: Sequence[Difference], manifest: RunManifest) -> None:
    serious = [each for each in found if each.changes_bytes]
    for number, each in enumerate(serious):
        click.secho(f"{'further' if number else 'first'} difference: ", bold=True, nl=False)
        click.echo(_text(each))
    for each in found:
        if not each.changes_bytes:
            click.echo(f"no effect: {_text(each)}")
    unknown = [
        name
        for name, value in (
            ("data files", manifest.data),
            ("threads", manifest.hardware.get("threads")),
        )
        if value is None
    ]
    if unknown:
        click.echo(f"not compared, for the run did not record it: {', '.join(unknown)}")
    if not serious:
        click.echo("nothing differs that may change the bytes")


def _text(difference: Difference) -> str:
    from model_constructor.config.scalars import shorten

    then, now = (shorten(text, 100) for text in (difference.then, difference.now))
    return f"{difference.what}: {then} in the run, {now} here"


def _run_again(recorded: RecordedRun, here: Recomposed, output: Path | None, caller: Caller) -> int:
    from offline_trainer.cli.run import shown_path
    from offline_trainer.reproduction.repetition import repeat

    output = output or recorded.root.with_name(f"{recorded.root.name}.reproduced")
    click.echo(f"running again into {shown_path(output)}")
    made = repeat(recorded, here, output, caller)
    if made.metrics is None or made.checkpoints is None:
        click.echo(f"interrupted at step {made.result.global_step}, before it could be compared")
        return EXIT_INTERRUPTED
    lines, tensors = made.metrics.equal, made.checkpoints.tensors
    differing = [each.difference for each in (made.metrics, made.checkpoints) if each.difference]
    if differing:
        click.secho("not reproduced; the first that differs:", bold=True)
        for text in differing:
            click.echo(f"  {text}")
    else:
        click.secho("reproduced", bold=True, nl=False)
        click.echo(f": {lines} metrics lines and {tensors} tensors are byte-identical")
    click.echo(f"outputs in {shown_path(made.result.out_dir)}")
    return EXIT_ERROR if differing else EXIT_DONE
