"""Binding: every spec of a config checked against its component, every scalar typed by it.

This is the step between a resolved config and objects. It looks up each ``_type_``, leaves behind
what belonged to a component that was swapped for another, checks names and required parameters,
types plain scalars by the parameter that receives them, and makes relative input paths absolute.
It builds nothing, and reports everything it finds at once.
"""

from __future__ import annotations

import os
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

from model_constructor.argument_check import ArgumentCheck
from model_constructor.call import (
    ARGS_KEY,
    KWARGS_KEY,
    REPEAT_KEY,
    TARGET_KEY,
    TYPE_KEY,
    Call,
    call_inside,
    call_of_spec,
)
from model_constructor.config.late_typing import coerce
from model_constructor.config.schema import Settings
from model_constructor.config.type_check import (
    TypeMismatch,
    check_against_default,
    is_component,
)
from model_constructor.errors import (
    ConfigError,
    ConfigPath,
    Span,
    close_matches,
    format_config_path,
)
from model_constructor.registry import Entry, Registry, kind_of
from model_constructor.signatures import CallOf, Signature, read_signature
from model_constructor.source_map import SourceMap
from model_constructor.static.signatures import StaticSignatures
from model_constructor.swap import leave_behind
from model_constructor.targets import prefix_allowed, target_entry

__all__ = ["TARGET_KEY", "TYPE_KEY", "Binder", "component_name", "is_spec", "prefix_allowed"]

Found = TypeVar("Found")


@dataclass(slots=True)
class Binder:
    """Binds values against a registry, collecting errors.

    Args:
        registry: Where keys are looked up.
        sources: Places and typed text of the values.
        settings: The config's settings.
        targets_allowed: The caller's permission for ``_target_``; the file's own is needed too.
        kinds: The kind that the component at a path must be of, where that is known.
        included_at: For an included file, the line that includes it.
    """

    registry: Registry
    sources: SourceMap = field(default_factory=SourceMap)
    settings: Settings = field(default_factory=Settings)
    targets_allowed: bool = False
    kinds: Mapping[ConfigPath, str] = field(default_factory=dict)
    included_at: Mapping[str, Span] = field(default_factory=dict)
    errors: list[ConfigError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _signatures: dict[str, Signature | None] = field(default_factory=dict)
    _static_signatures: StaticSignatures = field(default_factory=StaticSignatures)

    def bind(self, value: Any, path: ConfigPath = ()) -> Any:
        """The value with every spec in it checked and typed; errors are left in `errors`."""
        if is_spec(value):
            return self._bind_spec(value, path)
        if isinstance(value, Mapping):
            return {key: self.bind(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.bind(item, (*path, index)) for index, item in enumerate(value)]
        return value

    def call_of(self, spec: Mapping[str, Any], path: ConfigPath) -> Call:
        """The call that a spec is.

        Raises:
            ConfigError: The component is unknown, cannot be loaded or is of the wrong kind, or its
                arguments have the wrong shape.
        """
        where = (*path, TYPE_KEY if TYPE_KEY in spec else TARGET_KEY)
        entry = self._placed(lambda: self._entry_of(spec, path), where)
        wanted = self.kinds.get(path, entry.kind)
        if entry.kind != wanted:
            raise self._wrong_kind(entry.key, wanted, where)
        signature = self._placed(lambda: self.signature_of(entry), where)
        return call_of_spec(spec, entry, signature, path, self.sources)

    def signature_of(self, entry: Entry) -> Signature | None:
        """The signature of an entry's target.

        What needs a framework that is not imported yet is read from its source file; only where
        that leaves a doubt is the target imported.

        Raises:
            ConfigError: The target cannot be loaded, or what it needs is not installed.
        """
        name = f"{entry.key}@{entry.provider.distribution}"
        if name not in self._signatures:
            found = None
            if _needs_a_heavy_import(entry):
                found = self._static_signatures.read(entry.loads)
            self._signatures[name] = found or read_signature(entry.target)
        return self._signatures[name]

    def _entry_of(self, spec: Mapping[str, Any], path: ConfigPath) -> Entry:
        if TYPE_KEY in spec and TARGET_KEY in spec:
            raise self._error("a spec has `_type_` or `_target_`, not both", "OT0315", path)
        if TARGET_KEY in spec:
            return target_entry(spec[TARGET_KEY], self.settings, allowed=self.targets_allowed)
        key = spec[TYPE_KEY]
        if not isinstance(key, str):
            raise ConfigError(f"`_type_` must be a registry key, got {key!r}", code="OT0315")
        return self.registry.get_module(key, kind=self.kinds.get(path, ""))

    def _placed(self, look_up: Callable[[], Found], where: ConfigPath) -> Found:
        """What a look-up finds; its error gets a place if it has none."""
        try:
            return look_up()
        except ConfigError as error:
            if error.config_path:
                raise
            raise error.located(where, self.sources.span(where)) from error

    def _bind_spec(self, spec: Mapping[str, Any], path: ConfigPath) -> Any:
        try:
            call = self.call_of(spec, path)
        except ConfigError as error:
            self.errors.append(error)
            return {key: self.bind(value, (*path, key)) for key, value in spec.items()}
        self._check_repeat(spec, path)
        call = self._bind_call(call)
        for name, mark in (call.signature.calls() if call.signature is not None else {}).items():
            if isinstance(call.kwargs.get(name), str):
                call = self._bind_inner_call(call, name, mark)
        return _as_spec(spec, call)

    def _check_repeat(self, spec: Mapping[str, Any], path: ConfigPath) -> None:
        """Check ``_repeat_``, which a layer may have and nothing else."""
        if REPEAT_KEY not in spec:
            return
        count = spec[REPEAT_KEY]
        in_list_or_modules = (
            isinstance(path[-1], int) or path[-2:-1] == ("modules",) if path else True
        )
        if path[:1] not in ((), ("model",), ("models",)) or not in_list_or_modules:
            message = "`_repeat_` works for layers: items of a list, and modules of a graph"
        elif isinstance(count, bool) or not isinstance(count, int) or count < 1:
            message = f"`_repeat_` must be a whole number from 1, got {count!r}"
        else:
            return
        self.errors.append(self._error(message, "OT0315", (*path, REPEAT_KEY)))

    def _bind_inner_call(self, outer: Call, name: str, mark: CallOf) -> Call:
        """Check and type the ``args`` and ``kwargs`` that belong to the component named beside."""
        where, key = outer.places[name], outer.kwargs[name]
        try:
            if kind_of(key) != mark.kind:
                raise self._wrong_kind(key, mark.kind, where)
            entry = self._placed(lambda: self.registry.get_module(key), where)
            signature = self._placed(lambda: self.signature_of(entry), where)
            inner = call_inside(outer, name, mark, entry, signature, self.sources)
        except ConfigError as error:
            self.errors.append(error)
            return outer
        inner = self._bind_call(inner)
        given = {"args": inner.args, "kwargs": inner.kwargs}
        changed = {part: value for part, value in given.items() if outer.kwargs.get(part)}
        return replace(outer, kwargs={**outer.kwargs, **changed})

    def _bind_call(self, call: Call) -> Call:
        """The call with its arguments checked and typed, less those that do not belong to it."""
        call, notes = leave_behind(call, self.sources, self.registry, self.signature_of)
        check = ArgumentCheck(self.sources, self.settings.strict, self.included_at)
        self.errors += check.errors(call)
        ignored: list[str] = []
        if call.entry.signature == "best_effort" and not self.settings.strict:
            ignored = check.unknown_names(call)
        for name in ignored:
            place = self.sources.key_span(call.places[name])
            at = f"{place}: " if place is not None else ""
            notes.append(f"{at}`{name}` is not a parameter of {call.entry.key} and is ignored")
        self.warnings += notes
        args = [
            self._bind_argument(call, call.parameter_at(index), value, (*call.args_at, index))
            for index, value in enumerate(call.args)
        ]
        kwargs = {
            name: self._bind_argument(call, name, value, call.places[name])
            for name, value in call.kwargs.items()
            if name not in ignored
        }
        return replace(call, args=args, kwargs=kwargs)

    def _bind_argument(self, call: Call, name: str, value: Any, path: ConfigPath) -> Any:
        """One argument as its parameter wants it."""
        pure_data = call.is_pure_data(name)
        if pure_data and is_spec(value):
            return value  # no place for a component, as the check of the structure says
        if call.later and value == call.later:
            return value
        bound = value if pure_data else self.bind(value, path)
        parameter = call.signature.parameters.get(name) if call.signature is not None else None
        if call.signature is None or parameter is None:
            return bound
        annotation, is_output = _without_annotated(call.signature.annotations.get(name, Any))
        source = self.sources.get(path)
        try:
            typed = coerce(bound, annotation, source)
            check_against_default(typed, annotation, parameter.default)
        except TypeMismatch as error:
            wrong = self._error(error.message, "OT0316", (*path, *error.path))
            wrong.suggestions = error.suggestions
            wrong.label = f"for `{name}` of {call.entry.key}"
            self.errors.append(wrong)
            return bound
        if isinstance(typed, Path) and not is_output and not typed.is_absolute():
            folder = Path(source.folder) if source is not None and source.folder else Path.cwd()
            return Path(os.path.normpath(folder.absolute() / typed))
        return typed

    def _wrong_kind(self, key: str, wanted: str, where: ConfigPath) -> ConfigError:
        # By the names alone: a kind that both have would make any two of them look alike.
        names = {
            known.rpartition(".")[2]: known for known in self.registry if kind_of(known) == wanted
        }
        near = close_matches(key.rpartition(".")[2], names) if len(names) > 1 else names
        here = format_config_path(where[:-1] if where[-1] == TYPE_KEY else where)
        return ConfigError(
            f"`{key}` is of kind `{kind_of(key)}`; {here} takes a component of kind `{wanted}`",
            code="OT0308",
            config_path=where,
            span=self.sources.span(where),
            suggestions=tuple(names[name] for name in near),
            help=f"ot list-components --kind {wanted}",
        )

    def _error(self, message: str, code: str, path: ConfigPath) -> ConfigError:
        return ConfigError(message, code=code, config_path=path, span=self.sources.span(path))


def is_spec(value: object) -> bool:
    """Whether a value is a mapping that names a component."""
    return is_component(value)


def component_name(spec: Mapping[str, Any]) -> str:
    """What a spec calls its component: the registry key, or the target."""
    return str(spec.get(TYPE_KEY, spec.get(TARGET_KEY)))


def _needs_a_heavy_import(entry: Entry) -> bool:
    """Whether a target waits for a framework that is installed and not imported yet."""
    return (
        entry.given is None
        and any(module not in sys.modules for module in entry.requires)
        and not entry.missing_requirements()
    )


def _as_spec(spec: Mapping[str, Any], call: Call) -> dict[str, Any]:
    """The spec with the arguments that the call has now, in the order they were written."""
    bound: dict[str, Any] = {}
    for key, value in spec.items():
        if key == ARGS_KEY:
            bound[key] = call.args
        elif key == KWARGS_KEY:
            bound[key] = {name: call.kwargs[name] for name in value or () if name in call.kwargs}
        elif key in call.kwargs:
            bound[key] = call.kwargs[key]
        elif key in (TYPE_KEY, TARGET_KEY, REPEAT_KEY):
            bound[key] = value
    return bound


def _without_annotated(annotation: Any) -> tuple[Any, bool]:
    """The annotation without ``Annotated``, and whether it marks an output path."""
    if typing.get_origin(annotation) is Annotated:
        plain, *marks = typing.get_args(annotation)
        return plain, "output" in marks
    for part in typing.get_args(annotation):
        if typing.get_origin(part) is Annotated and "output" in typing.get_args(part)[1:]:
            return Path | None, True
    return annotation, False
