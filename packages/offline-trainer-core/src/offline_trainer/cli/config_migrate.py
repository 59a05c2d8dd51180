"""``ot config migrate``"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import no_plugin_option
from offline_trainer.cli.schema import import_option

if TYPE_CHECKING:
    from offline_trainer.migration.files import FileChange


@click.command("migrate")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=str))
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file needs a change.")
@click.option("--diff", is_flag=True, help="Write nothing; print what would change.")
@import_option
@no_plugin_option
def command(
    files: tuple[str, ...],
    check: bool,
    diff: bool,
    imports: tuple[str, ...],
    no_plugin: tuple[str, ...],
) -> None:
    """Rewrite FILEs in place for what was renamed; comments and formatting are kept.

    Only the named files are written, not those that they include.
    """
    with errors_shown():
        from model_constructor.errors import raise_collected
        from model_constructor.source_map import SourceMap
        from offline_trainer.cli.installed import find_installed
        from offline_trainer.errors import EXIT_ERROR
        from offline_trainer.migration.files import plan_changes
        from offline_trainer.registry import register_imports

        installed = find_installed(no_plugin)
        installed.report()
        raise_collected(register_imports(installed.registry, imports, SourceMap()))
        changes, included = plan_changes(files, installed.registry)
        for change in changes:
            if diff:
                click.echo(_diff(change), nl=False)
            else:
                _show(change, written=not check)
            if not (check or diff):
                _write(change)
        _report_rest(changes, included)
        if check and any(change.after != change.before or change.by_hand for change in changes):
            sys.exit(EXIT_ERROR)


def _show(change: FileChange, *, written: bool) -> None:
    if change.after == change.before:
        click.echo(f"{change.name}: nothing to rewrite")
        return
    for edit in change.done:
        click.echo(f"{edit.span}: {edit.reason}")
    count = "1 change" if len(change.done) == 1 else f"{len(change.done)} changes"
    click.echo(f"{change.name}: {count}{'' if written else ' needed'}")


def _report_rest(changes: list[FileChange], included: list[str]) -> None:
    from offline_trainer.notices import notice

    for change in changes:
        for edit in change.by_hand:
            notice(f"{edit.span}: {edit.reason}; this place has to be changed by hand")
    for name in included:
        notice(f"{name} is included and needs a change: ot config migrate {name}")


def _diff(change: FileChange) -> str:
    from difflib import unified_diff

    before = change.before.decode().splitlines(keepends=True)
    after = change.after.decode().splitlines(keepends=True)
    lines = unified_diff(before, after, change.name, change.name)
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _write(change: FileChange) -> None:
    from offline_trainer.checkpoint.file_system import FileSystem, replace_file, reported

    if change.after == change.before:
        return
    with reported(f"rewrite {change.name}"):
        mode = change.path.stat().st_mode
        replace_file(FileSystem(), change.path, change.after)
        change.path.chmod(mode)
