"""``ot data inspect``"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import json_option
from offline_trainer.cli.tables import on_one_line, on_terminal, plain_rows
from offline_trainer.loggers.stdout import format_number

if TYPE_CHECKING:
    from offline_trainer.data.inspection import ColumnSummary, Inspection

_HEADER = ("column", "type", "missing", "range", "distinct", "most frequent")
_SHOWN = 5


@click.command("inspect")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--target", metavar="COLUMN", help="What is to be learned; the last column if not.")
@click.option("--delimiter", default=",", show_default=True, help="Between the cells of a CSV.")
@click.option("--yaml", "only_yaml", is_flag=True, help="Print the proposed config and no more.")
@json_option
def command(file: Path, target: str | None, delimiter: str, only_yaml: bool, as_json: bool) -> None:
    """Show what is in the columns of a table, and propose a config to start from.

    FILE is a CSV, Parquet, Feather or npz file. Every value of it is looked at.
    """
    with errors_shown():
        from model_constructor.errors import ConfigError, ParameterError
        from offline_trainer.data.inspection import inspect_table
        from offline_trainer.data.proposal import proposed_config

        try:
            table = inspect_table(file, delimiter)
            if not (only_yaml or as_json):
                _show(table)
            config = proposed_config(table, target, delimiter)
        except ParameterError as error:
            raise ConfigError(
                error.message, code="", suggestions=error.suggestions, help=error.help
            ) from error
        if as_json:
            columns = [_fields(column) for column in table.columns]
            click.echo(json.dumps({"rows": table.rows, "columns": columns, "config": config}))
            return
        if not only_yaml:
            click.echo("\nproposed, to be read and changed:\n")
        click.echo(_yaml_text(table, config), nl=False)


def _show(table: Inspection) -> None:
    click.echo(f"{table.path}: {table.rows} rows, {len(table.columns)} columns\n")
    rows = [[on_one_line(text) for text in _row(column)] for column in table.columns]
    if not on_terminal():
        plain_rows([_HEADER, *rows])
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(*_HEADER, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        shown.add_row(*map(Text, row))
    Console().print(shown)


def _row(column: ColumnSummary) -> list[str]:
    from model_constructor.listing import first_few
    from offline_trainer.data.inspection import MOST_DISTINCT

    missing = ", ".join(f"{count} × {text!r}" for text, count in column.missing.most_common())
    spread = ""
    if column.type == "number":
        spread = f"{format_number(column.smallest)} to {format_number(column.largest)}"
        spread += " (whole)" if column.whole == column.numbers else ""
    elif column.type == "date":
        spread = f"{column.first} to {column.last}"
    elif column.numbers:
        spread = f"{column.numbers} of {column.known} are numbers"
    counts = column.distinct
    distinct = f"more than {MOST_DISTINCT}" if counts is None else str(len(counts))
    frequent = [f"{text} ({count})" for text, count in counts.most_common()] if counts else []
    few = len(frequent) < column.known
    return [
        column.name,
        column.type,
        missing,
        spread,
        distinct,
        first_few(frequent, _SHOWN) if few else "",
    ]


def _fields(column: ColumnSummary) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": column.name,
        "type": column.type,
        "known": column.known,
        "missing": dict(column.missing),
        "distinct": None if column.distinct is None else dict(column.distinct.most_common()),
    }
    if column.numbers:
        fields |= {"min": column.smallest, "max": column.largest, "whole": column.whole}
    if column.dates:
        fields |= {"first": column.first, "last": column.last}
    return fields


def _yaml_text(table: Inspection, config: dict[str, Any]) -> str:
    import yaml

    from offline_trainer.data.proposal import left_out

    target = config["data"]["target"]
    goal = target if isinstance(target, str) else target[0]
    remarks = [f"{table.path}: {table.rows} rows; what is learned is the column {goal}"]
    for column in table.columns:
        if column.name == goal:
            if column.missing:
                remarks.append(
                    f"{column.missing.total()} rows have no {goal}: take them out of the file"
                )
        elif (reason := left_out(column)) is not None:
            remarks.append(f"left out: {column.name}: {reason}")
    comments = "".join(f"# {on_one_line(remark)}\n" for remark in remarks)
    text: str = yaml.safe_dump(
        config, sort_keys=False, allow_unicode=True, width=100, default_flow_style=None
    )
    return comments + text
