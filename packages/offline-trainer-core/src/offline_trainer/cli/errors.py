"""How errors end a command: one clear message on stderr and an exit code, no traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from model_constructor.errors import ConfigError
from offline_trainer.errors import EXIT_STOPPED_AT_ONCE, EXIT_USAGE, OfflineTrainerError


@contextmanager
def errors_shown(overrides: Sequence[str] = ()) -> Iterator[None]:
    """Show a user's mistake as a message and leave with its exit code.

    Args:
        overrides: The command line's, so that a caret can stand under one of them.
    """
    try:
        yield
    except ConfigError as error:
        from offline_trainer.config.errors import format_error_with_context

        click.echo(format_error_with_context(error, overrides), err=True)
        sys.exit(EXIT_USAGE)
    except OfflineTrainerError as error:
        click.echo(f"error: {error.message}", err=True)
        if error.help:
            click.echo(f"  help: {error.help}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        click.echo("stopped at once", err=True)
        sys.exit(EXIT_STOPPED_AT_ONCE)
