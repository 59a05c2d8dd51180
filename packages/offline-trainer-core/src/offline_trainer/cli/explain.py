"""``ot explain``"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from offline_trainer.cli import completion
from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import json_option
from offline_trainer.cli.tables import on_terminal, plain_rows
from offline_trainer.errors import EXIT_USAGE, OfflineTrainerError

if TYPE_CHECKING:
    from model_constructor.error_pages import ErrorPage


class UnknownCodeError(OfflineTrainerError):
    """No page has this code."""

    exit_code = EXIT_USAGE


@click.command("explain")
@click.argument("codes", nargs=-1, metavar="[CODE]...", shell_complete=completion.complete_codes)
@json_option
def command(codes: tuple[str, ...], as_json: bool) -> None:
    """Say what the error CODE means and what to do; without one, list all codes."""
    with errors_shown():
        from offline_trainer.plugins.error_pages import error_pages

        pages = error_pages()
        chosen = [_find(code, pages) for code in codes] or list(pages.values())
        if as_json:
            click.echo(json.dumps([asdict(page) for page in chosen], indent=1))
        elif codes:
            _show(chosen)
        elif on_terminal():
            _list(chosen)
        else:
            plain_rows([(page.code, page.title) for page in chosen])


def _find(code: str, pages: dict[str, ErrorPage]) -> ErrorPage:
    """The page of a code, however it is typed: ``OT0312``, ``ot312`` or ``312``."""
    digits = re.sub(r"^(OT)?0*", "", code.upper())
    found = pages.get(f"OT{digits:0>4}")
    if found is None:
        from model_constructor.errors import close_matches

        near = close_matches(code, pages) or close_matches(f"OT{digits:0>4}", pages)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise UnknownCodeError(f"no error has the code `{code}`{hint}", help="ot explain lists all")
    return found


def _show(pages: Sequence[ErrorPage]) -> None:
    text = "\n\n".join(f"## {page.code}: {page.title}\n\n{_for_readers(page)}" for page in pages)
    if not on_terminal():
        click.echo(text)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    console.print(Markdown(text, code_theme="ansi_dark"), width=min(console.width, 100))


def _for_readers(page: ErrorPage) -> str:
    """A page without the comments for those who test it."""
    return re.sub(r"<!--.*?-->\n?", "", page.text)


def _list(pages: Sequence[ErrorPage]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    for page in pages:
        table.add_row(page.code, page.title)
    console = Console()
    console.print(table, highlight=False)
    console.print("ot explain CODE shows one", style="dim", highlight=False)
