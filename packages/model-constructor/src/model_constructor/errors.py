"""Every error this package raises, and the pieces an error message is made of.

    Exception
    └── ValueError
        ├── ConfigError          one thing a configuration does wrong, and where
        │   └── ConfigErrors     several of them, found in one stage
        └── ParameterError       raised *by a component* about one of its own parameters

Imports nothing but the standard library, so that an error can always be made.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

ConfigPath = tuple[str | int, ...]

MAX_SHOWN_ERRORS = 20
MAX_COLLECTED_ERRORS = 50
"""Where a stage stops looking for more: a file of nothing but mistakes must not take minutes."""

_MAX_MESSAGE = 2000
_MAX_NAME = 200
_MAX_CANDIDATES = 500


class Span(NamedTuple):
    """A stretch of text in a file: lines and columns start at 1, the end column is exclusive."""

    # A tuple, because one is made for every key and value, and a frozen dataclass takes three times
    # as long to make.

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Note:
    """A second place that explains an error, such as the line an include came from."""

    text: str
    span: Span | None = None


def format_config_path(path: Sequence[str | int]) -> str:
    """Write a path the way overrides and messages spell it.

    >>> format_config_path(("model", "sequential", "layers", 0, "dropout"))
    'model.sequential.layers[0].dropout'
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += "." * bool(text) + _cut(part, _MAX_NAME)
    return text


def close_matches(name: object, candidates: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """The candidates that look most like ``name``, nearest first.

    Upper and lower case do not count, so ``optim_cls.adamw`` finds ``optim_cls.AdamW``. A name
    that is very long, or one among very many, is not looked for.
    """
    wanted = str(name).casefold()
    folded: dict[str, str] = {}
    for candidate in itertools.islice(candidates, _MAX_CANDIDATES):
        if len(candidate) <= _MAX_NAME:
            folded.setdefault(candidate.casefold(), candidate)
    if len(wanted) > _MAX_NAME:
        return ()
    found = difflib.get_close_matches(wanted, folded, n=limit, cutoff=0.6)
    return tuple(folded[match] for match in found)


class ConfigError(ValueError):
    """One thing a configuration does wrong.

    Args:
        message: What is wrong, with the offending value.
        code: A stable number such as ``OT0301``; the first two digits name the stage. Empty
            for what no page explains.
        config_path: Where in the configuration, as keys and list indices.
        span: Where in which file.
        suggestions: The nearest valid names, best first.
        label: A few words for under the caret, when the message is too long for it.
        notes: Further places that explain the error.
        help: The next step to take.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "OT0100",
        config_path: Sequence[str | int] = (),
        span: Span | None = None,
        suggestions: Sequence[str] = (),
        label: str = "",
        notes: Sequence[Note] = (),
        help: str = "",
    ) -> None:
        self.message = _cut(message, _MAX_MESSAGE)
        super().__init__(self.message)
        self.code = code
        self.config_path: ConfigPath = tuple(config_path)
        self.span = span
        self.suggestions = tuple(each for each in suggestions if len(each) <= _MAX_NAME)
        self.label = label
        self.notes = tuple(notes)
        self.help = _cut(help, _MAX_MESSAGE)

    @property
    def location(self) -> str | None:
        """``file:line:col`` of the error, or None when it belongs to no file."""
        return str(self.span) if self.span is not None else None

    @property
    def errors(self) -> tuple[ConfigError, ...]:
        """The single errors this one stands for; itself, unless it is a `ConfigErrors`."""
        return (self,)

    def located(self, config_path: Sequence[str | int], span: Span | None) -> ConfigError:
        """A copy that says where, for errors raised by code that could not know.

        A path that the error has already is taken as relative to ``config_path``.
        """
        return ConfigError(
            self.message,
            code=self.code,
            config_path=(*config_path, *self.config_path),
            span=self.span or span,
            suggestions=self.suggestions,
            label=self.label,
            notes=self.notes,
            help=self.help,
        )

    def __str__(self) -> str:
        text = self.message
        if self.suggestions:
            text += f" (did you mean {either(self.suggestions)}?)"
        if self.config_path:
            text += f" path={format_config_path(self.config_path)}"
        if self.span is not None:
            text += f" loc={self.span}"
        return text


class ConfigErrors(ConfigError):
    """All errors of one stage, raised together; reads like the first one where one is wanted."""

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        if not errors:
            raise ValueError("ConfigErrors needs at least one error")
        flat = tuple(single for error in errors for single in error.errors)
        first = flat[0]
        super().__init__(
            first.message,
            code=first.code,
            config_path=first.config_path,
            span=first.span,
            suggestions=first.suggestions,
            label=first.label,
            notes=first.notes,
            help=first.help,
        )
        self._errors = flat

    @property
    def errors(self) -> tuple[ConfigError, ...]:
        return self._errors

    def located(self, config_path: Sequence[str | int], span: Span | None) -> ConfigError:
        return ConfigErrors([error.located(config_path, span) for error in self._errors])

    def __str__(self) -> str:
        shown = [ConfigError.__str__(error) for error in self._errors[:MAX_SHOWN_ERRORS]]
        hidden = len(self._errors) - len(shown)
        if hidden:
            shown.append(f"... and {hidden} more")
        return "\n".join([f"{len(self._errors)} errors:", *shown])


def raise_collected(errors: Sequence[ConfigError]) -> None:
    """Raise what a stage collected: nothing, the one error, or all of them together."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ConfigErrors(errors)


class ParameterError(ValueError):
    """Raised by a component about one of its own parameters.

    A component does not know where in which file it was configured. It names the parameter, and
    the framework adds the config path and the place.

    Args:
        message: What is wrong, with the offending value.
        parameter: Name of the constructor parameter, or a path below it (``("files", 2)``).
        suggestions: The nearest valid values.
        help: The next step to take.
    """

    def __init__(
        self,
        message: str,
        *,
        parameter: str | Sequence[str | int] = (),
        suggestions: Sequence[str] = (),
        help: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.parameter: ConfigPath = (
            (parameter,) if isinstance(parameter, str) else tuple(parameter)
        )
        self.suggestions = tuple(suggestions)
        self.help = help

    def within(self, *path: str | int) -> ParameterError:
        """The same error, its parameter named from further out: ``within("loss")``."""
        return ParameterError(
            self.message,
            parameter=(*path, *self.parameter),
            suggestions=self.suggestions,
            help=self.help,
        )


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def either(names: Sequence[str]) -> str:
    """Names as the end of "did you mean".

    >>> either(["lr", "betas", "eps"])
    '`lr`, `betas` or `eps`'
    """
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
