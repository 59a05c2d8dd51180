"""Binding: every spec of a config checked against its component, every scalar typed by it.

This is the step between a resolved config and objects. It looks up each ``_type_``, checks names
and required parameters, types plain scalars by the parameter that receives them, and makes
relative input paths absolute. It builds nothing, and reports everything it finds at once.
"""

from __future__ import annotations

import importlib
import os
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from model_constructor.config.late_typing import coerce
from model_constructor.config.schema import TRUST_IT, Settings
from model_constructor.errors import ConfigError, ConfigPath, format_config_path
from model_constructor.registry import Entry, Registry
from model_constructor.signatures import Signature, check_arguments, read_signature
from model_constructor.source_map import SourceMap

TYPE_KEY = "_type_"
TARGET_KEY = "_target_"
ARGS_KEY = "_args_"
KWARGS_KEY = "_kwargs_"


@dataclass(slots=True)
class Binder:
    """Binds values against a registry, collecting errors.

    Args:
        registry: Where keys are looked up.
        sources: Places and typed text of the values.
        settings: The config's settings.
        targets_allowed: The caller's permission for ``_target_``; the file's own is needed too.
        kinds: The kind that the component at a path must be of, where that is known.
    """

    registry: Registry
    sources: SourceMap = field(default_factory=SourceMap)
    settings: Settings = field(default_factory=Settings)
    targets_allowed: bool = False
    kinds: Mapping[ConfigPath, str] = field(default_factory=dict)
    errors: list[ConfigError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _signatures: dict[str, Signature | None] = field(default_factory=dict)

    def bind(self, value: Any, path: ConfigPath = (), annotation: Any = Any) -> Any:
        """The value with every spec in it checked and typed; errors are left in `errors`."""
        if is_spec(value):
            return self._bind_spec(value, path)
        if isinstance(value, Mapping):
            return {key: self.bind(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            value = [self.bind(item, (*path, index)) for index, item in enumerate(value)]
        return self._bind_scalar(value, path, annotation)

    def entry_of(self, spec: Mapping[str, Any], path: ConfigPath) -> Entry:
        """The registry entry a spec names, or one made for its ``_target_``.

        Raises:
            ConfigError: The key is unknown, or the target is not allowed.
        """
        if TYPE_KEY in spec and TARGET_KEY in spec:
            raise self._error("a spec has `_type_` or `_target_`, not both", "OT0315", path)
        if TARGET_KEY in spec:
            return self._target_entry(spec[TARGET_KEY], (*path, TARGET_KEY))
        key = spec[TYPE_KEY]
        where = (*path, TYPE_KEY)
        if not isinstance(key, str):
            raise self._error(f"`_type_` must be a registry key, got {key!r}", "OT0315", where)
        try:
            return self.registry.get_module(key)
        except ConfigError as error:
            raise error.located(where, self.sources.span(where)) from error

    def signature_of(self, entry: Entry) -> Signature | None:
        """The signature of an entry's target, which is imported for it."""
        name = f"{entry.key}@{entry.provider.distribution}"
        if name not in self._signatures:
            self._signatures[name] = read_signature(entry.target)
        return self._signatures[name]

    def _bind_spec(self, spec: Mapping[str, Any], path: ConfigPath) -> Any:
        try:
            entry = self.entry_of(spec, path)
            self._check_kind(entry, path)
            signature = self.signature_of(entry)
        except ConfigError as error:
            where = (*path, TYPE_KEY if TYPE_KEY in spec else TARGET_KEY)
            self.errors.append(
                error if error.config_path else error.located(where, self.sources.span(where))
            )
            return dict(spec)
        args, kwargs = arguments_of(spec, path, self.sources)
        if signature is not None:
            self.errors += check_arguments(
                entry,
                signature,
                args,
                kwargs,
                path=path,
                sources=self.sources,
                strict=self.settings.strict,
            )
        ignored = self._ignored(entry, signature, kwargs, path)
        bound: dict[str, Any] = {}
        for key, value in spec.items():
            if key in ignored:
                continue
            if key in (TYPE_KEY, TARGET_KEY):
                bound[key] = value
            elif key == ARGS_KEY:
                names = signature.positional if signature else ()
                bound[key] = [
                    self.bind(
                        item,
                        (*path, key, i),
                        _annotation(signature, names[i] if i < len(names) else ""),
                    )
                    for i, item in enumerate(value)
                ]
            elif key == KWARGS_KEY:
                bound[key] = {
                    name: self.bind(item, (*path, key, name), _annotation(signature, name))
                    for name, item in value.items()
                }
            else:
                bound[key] = self.bind(value, (*path, key), _annotation(signature, key))
        return bound

    def _ignored(
        self, entry: Entry, signature: Signature | None, kwargs: Mapping[str, Any], path: ConfigPath
    ) -> set[str]:
        """Unknown arguments that ``settings.strict: false`` drops, with a warning each."""
        if signature is None or self.settings.strict or entry.signature != "best_effort":
            return set()
        unknown = {name for name in kwargs if not signature.accepts(name)}
        for name in sorted(unknown):
            place = self.sources.key_span((*path, name))
            at = f"{place}: " if place is not None else ""
            self.warnings.append(f"{at}`{name}` is not a parameter of {entry.key} and is ignored")
        return unknown

    def _check_kind(self, entry: Entry, path: ConfigPath) -> None:
        wanted = self.kinds.get(path, entry.kind)
        if entry.kind != wanted:
            where = (*path, TYPE_KEY)
            raise ConfigError(
                f"`{entry.key}` is of kind `{entry.kind}`; {format_config_path(path)} takes "
                f"a component of kind `{wanted}`",
                code="OT0308",
                config_path=where,
                span=self.sources.span(where),
                help=f"ot list-components --kind {wanted}",
            )

    def _bind_scalar(self, value: Any, path: ConfigPath, annotation: Any) -> Any:
        plain, is_output = _without_annotated(annotation)
        source = self.sources.get(path)
        try:
            typed = coerce(value, plain, source)
        except ValueError as error:
            self.errors.append(self._error(str(error), "OT0316", path))
            return value
        if isinstance(typed, Path) and not is_output and not typed.is_absolute():
            folder = Path(source.folder) if source is not None and source.folder else Path.cwd()
            return Path(os.path.normpath(folder.absolute() / typed))
        return typed

    def _target_entry(self, target: Any, path: ConfigPath) -> Entry:
        if self.settings.untrusted:
            raise self._error(
                "an untrusted configuration cannot use `_target_`, which can call anything",
                "OT0317",
                path,
                help=f"use a registry key in `_type_`, or read what it calls and {TRUST_IT}",
            )
        if not self.settings.allow_target or not self.targets_allowed:
            raise self._error(
                "`_target_` is not allowed here",
                "OT0317",
                path,
                help="it can call anything, so it needs `settings.allow_target: true` in the file "
                "and the caller's permission (--allow-target); prefer a registry key in `_type_`",
            )
        if not isinstance(target, str) or ":" not in target:
            raise self._error(f"`_target_` must be 'module:name', got {target!r}", "OT0317", path)
        if not prefix_allowed(target.partition(":")[0], self.settings.allowed_import_prefixes):
            prefixes = ", ".join(self.settings.allowed_import_prefixes)
            raise self._error(
                f"`{target}` is outside settings.allowed_import_prefixes ({prefixes or 'empty'})",
                "OT0318",
                path,
                help=f"add `{target.partition(':')[0]}` to it if you trust that code",
            )
        module, _, name = target.partition(":")
        try:
            found: Any = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            raise self._error(f"`{target}` cannot be imported: {error}", "OT0317", path) from error
        return Entry(target, target, given=found)

    def _error(self, message: str, code: str, path: ConfigPath, *, help: str = "") -> ConfigError:
        return ConfigError(
            message, code=code, config_path=path, span=self.sources.span(path), help=help
        )


def is_spec(value: object) -> bool:
    """Whether a value is a mapping that names a component."""
    return isinstance(value, Mapping) and (TYPE_KEY in value or TARGET_KEY in value)


def component_name(spec: Mapping[str, Any]) -> str:
    """What a spec calls its component: the registry key, or the target."""
    return str(spec.get(TYPE_KEY, spec.get(TARGET_KEY)))


def arguments_of(
    spec: Mapping[str, Any], path: ConfigPath, sources: SourceMap
) -> tuple[list[Any], dict[str, Any]]:
    """The positional and keyword arguments of a spec.

    Raises:
        ConfigError: ``_args_`` is no list, ``_kwargs_`` no mapping, or a name is in both places.
    """
    args = spec.get(ARGS_KEY, [])
    extra = spec.get(KWARGS_KEY, {})
    if not isinstance(args, list):
        where = (*path, ARGS_KEY)
        raise ConfigError(
            f"`_args_` must be a list, got {args!r}",
            code="OT0315",
            config_path=where,
            span=sources.span(where),
        )
    if not isinstance(extra, Mapping):
        where = (*path, KWARGS_KEY)
        raise ConfigError(
            f"`_kwargs_` must be a mapping, got {extra!r}",
            code="OT0315",
            config_path=where,
            span=sources.span(where),
        )
    inline = {
        k: v for k, v in spec.items() if k not in (TYPE_KEY, TARGET_KEY, ARGS_KEY, KWARGS_KEY)
    }
    for name in extra:
        if name in inline:
            where = (*path, KWARGS_KEY, name)
            raise ConfigError(
                f"`{name}` is given twice: inline and in `_kwargs_`",
                code="OT0313",
                config_path=where,
                span=sources.key_span(where),
            )
    return list(args), {**inline, **extra}


def prefix_allowed(module: str, prefixes: typing.Sequence[str]) -> bool:
    """Whether a module lies under an allowed prefix; prefixes end at a dot.

    >>> prefix_allowed("torch_evil", ["torch."])
    False
    >>> prefix_allowed("torch", ["torch."]), prefix_allowed("torch.nn", ["torch."])
    (True, True)
    """
    return any((module + ".").startswith(prefix.rstrip(".") + ".") for prefix in prefixes if prefix)


def _annotation(signature: Signature | None, name: str) -> Any:
    return signature.annotations.get(name, Any) if signature is not None else Any


def _without_annotated(annotation: Any) -> tuple[Any, bool]:
    """The annotation without ``Annotated``, and whether it marks an output path."""
    if typing.get_origin(annotation) is Annotated:
        plain, *marks = typing.get_args(annotation)
        return plain, "output" in marks
    for part in typing.get_args(annotation):
        if typing.get_origin(part) is Annotated and "output" in typing.get_args(part)[1:]:
            return Path | None, True
    return annotation, False
