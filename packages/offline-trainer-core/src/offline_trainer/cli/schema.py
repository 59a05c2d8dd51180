"""``ot schema``"""

from __future__ import annotations

from pathlib import Path

import click

from offline_trainer.cli import completion
from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import no_plugin_option

import_option = click.option(
    "--import",
    "imports",
    multiple=True,
    metavar="MODULE",
    help="Add what a module registers that configs name in imports:.",
)


@click.command("schema")
@click.option(
    "--write",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="Write it to a file, for an editor.",
)
@click.option(
    "--kind",
    metavar="KIND",
    help="Only specs of this kind.",
    shell_complete=completion.complete_kinds,
)
@import_option
@no_plugin_option
def command(
    path: Path | None, kind: str | None, imports: tuple[str, ...], no_plugin: tuple[str, ...]
) -> None:
    """Print the JSON Schema of a config: keys, components, parameters, for an editor.

    It knows what is installed now; write it again after installing a plugin.
    """
    with errors_shown():
        from model_constructor.errors import raise_collected
        from model_constructor.registry import kind_of, normalized
        from model_constructor.source_map import SourceMap
        from offline_trainer.cli.components import require_known
        from offline_trainer.cli.installed import find_installed
        from offline_trainer.notices import notice
        from offline_trainer.registry import register_imports
        from offline_trainer.schema.document import config_schema, kind_schema, schema_text

        installed = find_installed(no_plugin)
        installed.report()
        registry = installed.registry
        raise_collected(register_imports(registry, imports, SourceMap()))
        if kind is not None:
            kinds = {kind_of(key) for key in registry.list_modules()} - {"cmd"}
            require_known("kind", kind, kinds)
            (kind,) = [each for each in kinds if normalized(each) == normalized(kind)]
            schema, remarks = kind_schema(registry, kind)
        else:
            schema, remarks = config_schema(registry)
        for remark in remarks:
            notice(remark)
        text = schema_text(schema)
        if path is None:
            click.echo(text, nl=False)
        else:
            _write(path, text)


def _write(path: Path, text: str) -> None:
    from offline_trainer.checkpoint.file_system import FileSystem, replace_file, reported
    from offline_trainer.errors import OfflineTrainerError

    path = path.resolve()
    with reported(f"write the schema to {path}"):
        if path.exists() and not _is_schema(path):
            raise OfflineTrainerError(
                f"{path} is there and is no JSON Schema; nothing is overwritten",
                help="give another name, or remove the file",
            )
        replace_file(FileSystem(), path, text.encode())
    click.echo(f"{path}: {len(text) // 1024} KiB")


def _is_schema(path: Path) -> bool:
    import json

    try:
        content = json.loads(path.read_text())
    except ValueError:
        return False
    return isinstance(content, dict) and "$schema" in content
