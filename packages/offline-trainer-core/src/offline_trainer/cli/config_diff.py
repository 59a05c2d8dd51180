"""``ot config diff``"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from offline_trainer.cli.config_source import NamedConfig, named_config
from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import json_option, untrusted_option

if TYPE_CHECKING:
    from model_constructor.config.diff import Difference, Kind
    from model_constructor.errors import ConfigPath

EXIT_DIFFERENT = 1

_MAX_VALUE = 44
_MARKS = {"added": "+", "removed": "-", "changed": "~", "moved": "~"}


@click.command("diff")
@click.argument("first", type=click.Path())
@click.argument("second", type=click.Path())
@json_option
@untrusted_option
def command(first: str, second: str, as_json: bool, untrusted: bool) -> None:
    """Compare two configs or run directories by meaning, with where each value was set.

    Ends with 0 if they say the same, with 1 if they differ, with 2 if one cannot be read.
    """
    with errors_shown():
        from model_constructor.config.diff import compare
        from offline_trainer.run.config_changes import that_change_the_run

        configs = named_config(first, untrusted), named_config(second, untrusted)
        differences = compare(configs[0].side, configs[1].side)
        serious = that_change_the_run(
            differences, configs[0].resolved.data, configs[1].resolved.data
        )
        if as_json:
            rows = [_as_data(each, each in serious, *configs) for each in differences]
            click.echo(json.dumps(rows, indent=1))
        else:
            _show(differences, serious, *configs)
    sys.exit(EXIT_DIFFERENT if differences else 0)


def _as_data(
    difference: Difference, changes_run: bool, first: NamedConfig, second: NamedConfig
) -> dict[str, Any]:
    return {
        "kind": difference.kind,
        "path": difference.path,
        "changes_run": changes_run,
        "before": _side_data(first, difference.before),
        "after": _side_data(second, difference.after),
    }


def _side_data(config: NamedConfig, path: ConfigPath | None) -> dict[str, Any] | None:
    if path is None:
        return None
    return {
        "config_path": list(path),
        "value": config.shown_value(path),
        "location": config.place(path),
        "set_at": config.stored_place(path),
    }


def _show(
    differences: list[Difference],
    serious: list[Difference],
    first: NamedConfig,
    second: NamedConfig,
) -> None:
    if not differences:
        click.echo("no differences")
        return
    colours = {"+": "green", "-": "red"}
    for difference in differences:
        note = "" if difference in serious else "  (does not change the run)"
        order = "  (order)" if difference.kind == "moved" else ""
        click.secho(f"{_MARKS[difference.kind]} {difference.path}{order}{note}", bold=True)
        rows = [
            (mark, _text(config.shown_value(path), difference.kind), config.full_place(path))
            for mark, config, path in (
                ("-", first, difference.before),
                ("+", second, difference.after),
            )
            if path is not None
        ]
        width = max(len(value) for _, value, _ in rows)
        for mark, value, place in rows:
            click.secho(f"    {mark} {value:<{width}}", fg=colours[mark], nl=False)
            click.echo(f"  {place}")
    counts = [f"{sum(d.kind == kind for d in differences)} {kind}" for kind in _MARKS]
    counts = [count for count in counts if not count.startswith("0 ")]
    idle = len(differences) - len(serious)
    do = "do" if idle != 1 else "does"
    click.echo(", ".join(counts) + (f"; {idle} of these {do} not change the run" if idle else ""))


def _text(value: Any, kind: Kind) -> str:
    from model_constructor.config.diff import IDENTITIES
    from model_constructor.config.scalars import shorten, write_scalar

    if kind == "moved":
        names = [next(item[name] for name in IDENTITIES if name in item) for item in value]
        return shorten(", ".join(names), _MAX_VALUE)
    if isinstance(value, dict | list):
        return shorten(json.dumps(value, ensure_ascii=False), _MAX_VALUE)
    return shorten(" ".join(write_scalar(value).splitlines()), _MAX_VALUE)
