"""One call that a config asks for: the component, its arguments, and where each of them stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_constructor.errors import ConfigError, ConfigPath
from model_constructor.registry import Entry
from model_constructor.signatures import CallOf, Signature
from model_constructor.source_map import SourceMap

TYPE_KEY = "_type_"
TARGET_KEY = "_target_"
ARGS_KEY = "_args_"
KWARGS_KEY = "_kwargs_"
REPEAT_KEY = "_repeat_"
INNER_KEYS = ("args", "kwargs")
SPEC_KEYS = (TYPE_KEY, TARGET_KEY, ARGS_KEY, KWARGS_KEY, REPEAT_KEY)


@dataclass(frozen=True, slots=True)
class Call:
    """A component and its arguments.

    Attributes:
        entry: The component.
        signature: What it accepts from the config; None where it does not tell.
        path: The spec that the call stands in.
        chosen_at: The key that names the component: ``_type_``, or ``type`` of an optimizer.
        args: Positional arguments.
        kwargs: Keyword arguments.
        args_at: Where the positional arguments stand.
        places: Where each keyword argument stands.
        filled: How many leading parameters somebody else fills in; more than 0 for a call that
            another component makes, whose arguments are pure data.
        later: A word in whose place somebody else puts a value later; empty for none.
    """

    entry: Entry
    signature: Signature | None
    path: ConfigPath
    chosen_at: ConfigPath
    args: list[Any]
    kwargs: dict[str, Any]
    args_at: ConfigPath
    places: Mapping[str, ConfigPath]
    filled: int = 0
    later: str = ""

    def parameter_at(self, index: int) -> str:
        """The name of the parameter that a positional argument fills; empty where none does."""
        names = self.signature.positional if self.signature is not None else ()
        return names[index] if index < len(names) else ""

    def is_pure_data(self, name: str) -> bool:
        """Whether no component can stand in an argument: it is for a call that is made later."""
        calls_later = self.signature is not None and bool(self.signature.calls())
        return self.filled > 0 or (calls_later and name in INNER_KEYS)


def call_of_spec(
    spec: Mapping[str, Any],
    entry: Entry,
    signature: Signature | None,
    path: ConfigPath,
    sources: SourceMap,
) -> Call:
    """The call that a spec is.

    Raises:
        ConfigError: ``_args_`` is no list, ``_kwargs_`` no mapping, or a name is in both places.
    """
    args, extra = arguments_in(spec, (ARGS_KEY, KWARGS_KEY), path, sources)
    inline = {name: value for name, value in spec.items() if name not in SPEC_KEYS}
    for name in extra:
        if name in inline:
            where = (*path, KWARGS_KEY, name)
            raise ConfigError(
                f"`{name}` is given twice: inline and in `_kwargs_`",
                code="OT0313",
                config_path=where,
                span=sources.key_span(where),
            )
    places = {name: (*path, name) for name in inline}
    places |= {name: (*path, KWARGS_KEY, name) for name in extra}
    chosen_at = (*path, TYPE_KEY if TYPE_KEY in spec else TARGET_KEY)
    kwargs = {**inline, **extra}
    return Call(entry, signature, path, chosen_at, args, kwargs, (*path, ARGS_KEY), places)


def call_inside(
    outer: Call,
    name: str,
    mark: CallOf,
    entry: Entry,
    signature: Signature | None,
    sources: SourceMap,
) -> Call:
    """The call that a component will make of the one that its parameter ``name`` names.

    Args:
        mark: The mark of the parameter.
        signature: Of the named component, whole.

    Raises:
        ConfigError: ``args`` is no list, or ``kwargs`` no mapping.
    """
    path = outer.path
    args, kwargs = arguments_in(outer.kwargs, INNER_KEYS, path, sources)
    at = {part: outer.places.get(part, (*path, part)) for part in INNER_KEYS}
    places = {key: (*at["kwargs"], key) for key in kwargs}
    rest = signature.without_first(mark.filled) if signature is not None else None
    return Call(
        entry,
        rest,
        path,
        outer.places[name],
        args,
        kwargs,
        at["args"],
        places,
        mark.filled,
        mark.later,
    )


def arguments_in(
    spec: Mapping[str, Any], keys: tuple[str, str], path: ConfigPath, sources: SourceMap
) -> tuple[list[Any], dict[str, Any]]:
    """The positional and the keyword arguments under two keys of a spec; absent or null is none.

    Raises:
        ConfigError: They are no list and no mapping.
    """
    args, kwargs = (spec.get(key) for key in keys)
    for key, value, kind, word in (
        (keys[0], args, list | tuple, "list"),
        (keys[1], kwargs, Mapping, "mapping"),
    ):
        if value is not None and not isinstance(value, kind):
            where = (*path, key)
            raise ConfigError(
                f"`{key}` must be a {word}, got {value!r}",
                code="OT0315",
                config_path=where,
                span=sources.span(where),
            )
    return list(args or ()), dict(kwargs or {})
