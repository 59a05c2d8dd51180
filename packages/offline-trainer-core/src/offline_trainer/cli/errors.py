"""How errors end a command: one clear message and an exit code, no traceback.

Text goes to stderr: coloured and wrapped on a terminal, plain otherwise.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import click

from model_constructor.errors import ConfigError
from offline_trainer.errors import EXIT_STOPPED_AT_ONCE, EXIT_USAGE, OfflineTrainerError

STYLES = {
    "error": "bold red",
    "message": "bold",
    "frame": "blue",
    "caret": "bold red",
    "help": "bold cyan",
    "text": "",
    "hint": "dim",
}


@contextmanager
def errors_shown(
    overrides: Sequence[str] = (), *, json_to: Literal["stdout", "stderr"] | None = None
) -> Iterator[None]:
    """Show a user's mistake as a message and leave with its exit code.

    Args:
        overrides: The command line's, so that a caret can stand under one of them.
        json_to: Where errors go as one line of JSON; without it they are text.
    """
    exit_code = EXIT_USAGE
    try:
        yield
        return
    except ConfigError as error:
        shown = error
    except OfflineTrainerError as error:
        exit_code = error.exit_code
        shown = ConfigError(error.message, code="", help=error.help)
    except KeyboardInterrupt:
        click.echo("stopped at once", err=True)
        sys.exit(EXIT_STOPPED_AT_ONCE)
    if json_to is not None:
        from offline_trainer.config.errors import format_as_json

        click.echo(format_as_json(shown, exit_code), err=json_to == "stderr")
    else:
        _show_as_text(shown, overrides)
    sys.exit(exit_code)


def _show_as_text(error: ConfigError, overrides: Sequence[str]) -> None:
    from model_constructor.config.overrides import override_sources
    from model_constructor.diagnostics import pieces

    codes = sorted({single.code for single in error.errors} - {""})
    hint = f"\n\nfor more: ot explain {' '.join(codes)}" if codes else ""
    shown = pieces(error, override_sources(overrides), width=_terminal_width())
    _show([*shown, (hint, "hint")])


def _show(pieces: Sequence[tuple[str, str]]) -> None:
    """Print on stderr; what is coloured and what is not differ in nothing but the colours."""
    if not (sys.stderr.isatty() or os.environ.get("FORCE_COLOR")):
        click.echo("".join(text for text, _ in pieces), err=True)
        return
    from rich.console import Console
    from rich.text import Text

    # Bold is a colour, too, to those who ask for none.
    console = Console(stderr=True, color_system=None if os.environ.get("NO_COLOR") else "auto")
    text = Text.assemble(*((text, STYLES[role]) for text, role in pieces))
    console.print(text, soft_wrap=True, highlight=False)


def _terminal_width() -> int | None:
    if not sys.stderr.isatty():
        return None
    from rich.console import Console

    return Console(stderr=True).width
