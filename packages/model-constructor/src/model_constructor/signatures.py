"""What a component accepts: its parameters, read from its signature, and a check against them."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from model_constructor.errors import ConfigError, ConfigPath, close_matches
from model_constructor.registry import Entry
from model_constructor.source_map import SourceMap

OutputPath = Annotated[Path, "output"]
"""Annotation of a parameter that names a place to write to: relative to the current folder.
A parameter annotated plain `Path` is an input: relative to the file that sets it."""


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a component.

    Attributes:
        parameters: By name, without ``self`` and without ``*args``/``**kwargs``.
        annotations: Resolved type hints by parameter name; empty where they cannot be resolved.
        positional: Names that positional arguments fill, in order.
        any_keyword: The component takes ``**kwargs``.
        any_positional: The component takes ``*args``.
    """

    parameters: Mapping[str, inspect.Parameter]
    annotations: Mapping[str, Any]
    positional: tuple[str, ...]
    any_keyword: bool
    any_positional: bool

    def accepts(self, name: str) -> bool:
        """Whether a keyword argument of this name may be given."""
        return self.any_keyword or name in self.parameters


def read_signature(target: Any) -> Signature | None:
    """The signature of a class or function; None for one that does not tell (some built-ins)."""
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):
        return None
    kinds = inspect.Parameter
    named: dict[str, inspect.Parameter] = {}
    positional: list[str] = []
    any_keyword = any_positional = False
    for name, parameter in signature.parameters.items():
        if parameter.kind is kinds.VAR_KEYWORD:
            any_keyword = True
        elif parameter.kind is kinds.VAR_POSITIONAL:
            any_positional = True
        else:
            named[name] = parameter
            if parameter.kind is not kinds.KEYWORD_ONLY:
                positional.append(name)
    return Signature(named, _annotations(target), tuple(positional), any_keyword, any_positional)


def check_arguments(
    entry: Entry,
    signature: Signature,
    args: Sequence[Any],
    kwargs: Collection[str],
    *,
    path: ConfigPath,
    sources: SourceMap,
    strict: bool,
) -> list[ConfigError]:
    """Everything that is wrong with a call, without making it.

    Args:
        entry: The component, for its policy and for messages.
        args: Positional arguments.
        kwargs: Names of the keyword arguments.
        path: Config path of the spec.
        strict: ``settings.strict``; when false, unknown names of a ``best_effort`` component pass.
    """
    if entry.signature == "runtime_only":
        return []
    errors = []
    accepted = list(signature.parameters)
    for name in kwargs:
        if signature.accepts(name) or (entry.signature == "best_effort" and not strict):
            continue
        errors.append(
            ConfigError(
                f"unknown key `{name}` for {entry.key}",
                code="OT0312",
                config_path=(*path, name),
                span=sources.key_span((*path, name)),
                suggestions=close_matches(name, accepted),
                label=f"not a parameter of {entry.key} ({entry.provider})",
                help=f"accepted: {', '.join(accepted) or 'nothing'}",
            )
        )
    filled = set(signature.positional[: len(args)])
    for name in sorted(filled & set(kwargs)):
        errors.append(
            ConfigError(
                f"`{name}` of {entry.key} is given twice: in `_args_` and by name",
                code="OT0313",
                config_path=(*path, name),
                span=sources.key_span((*path, name)),
            )
        )
    if len(args) > len(signature.positional) and not signature.any_positional:
        errors.append(
            ConfigError(
                f"{entry.key} takes at most {len(signature.positional)} positional arguments, "
                f"got {len(args)}",
                code="OT0313",
                config_path=(*path, "_args_"),
                span=sources.span((*path, "_args_")),
            )
        )
    missing = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.default is inspect.Parameter.empty
        and name not in kwargs
        and name not in filled
    ]
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        errors.append(
            ConfigError(
                f"{entry.key} needs {names}",
                code="OT0314",
                config_path=path,
                span=sources.span((*path, "_type_")),
                label=f"{names} {'is' if len(missing) == 1 else 'are'} required",
                help=f"add {', '.join(f'{name}: …' for name in missing)}",
            )
        )
    return errors


def _annotations(target: Any) -> dict[str, Any]:
    function = target.__init__ if inspect.isclass(target) else target
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception:  # noqa: BLE001 - any code can stand in an annotation; without it no typing
        return {}
