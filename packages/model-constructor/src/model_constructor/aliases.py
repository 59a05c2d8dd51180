"""Former names of components and parameters in a resolved config, replaced by the present ones.

Runs once, after plugins are loaded and before components are bound, so that nothing later knows
any former name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from model_constructor.config.renamed_keys import way_out
from model_constructor.config.resolve import ResolvedConfig
from model_constructor.entry import OP_PREFIX, Alias
from model_constructor.errors import (
    ConfigError,
    ConfigPath,
    Note,
    format_config_path,
)
from model_constructor.findings import Findings
from model_constructor.registry import Registry
from model_constructor.source_map import SourceMap

_CHOICES = {
    "_type_": None,
    "type": ("optimizer", "scheduler", "templates"),
    "call": ("model", "models", "templates"),
}
"""Keys that name a component → the sections in which they do; None for all."""


@dataclass(frozen=True, slots=True)
class OldName:
    """One use of a former name.

    Attributes:
        path: The value that names a component, or the field of which it is the key.
        alias: What to write instead.
        at_key: Whether it is a key.
    """

    path: ConfigPath
    alias: Alias
    at_key: bool


def use_present_names(
    resolved: ResolvedConfig,
    registry: Registry,
    findings: Findings,
    warn: Callable[[str], None],
) -> ResolvedConfig:
    """The config with former names replaced; one warning for each place that has one.

    Where two files use the two names of a parameter, the later one counts.

    Args:
        resolved: The resolved config.
        registry: Knows the names.
        findings: Takes what is wrong: both names of a parameter in one file, a former name with
            two present ones.
        warn: Receives each warning: the place and what to write.
    """
    if not registry.aliases():
        return resolved
    found, errors = old_names(resolved.data, registry)
    sources = resolved.source_map
    errors = [error.located((), sources.span(error.config_path)) for error in errors]
    if not (found or errors):
        return resolved
    rewriting = _Rewriting({use.path: use for use in found}, sources, errors)
    data = rewriting.rewritten(resolved.data, (), ())
    findings.add(errors)
    for text in dict.fromkeys(_warning(use, sources) for use in found):
        warn(text)
    moved = rewriting.moved
    return replace(
        resolved,
        data=data,
        source_map=SourceMap({moved[path]: sources[path] for path in sources if path in moved}),
        provenance=resolved.provenance.moved(moved),
        secrets=frozenset(moved[path] for path in resolved.secrets if path in moved),
    )


def with_present_names(
    resolved: ResolvedConfig, registry: Registry, warn: Callable[[str], None]
) -> ResolvedConfig:
    """As `use_present_names`, for a caller that has nothing more to check before it reports.

    Raises:
        ConfigError: Two names of one parameter, together with all others.
    """
    findings = Findings()
    resolved = use_present_names(resolved, registry, findings, warn)
    findings.raise_all()
    return resolved


def old_names(
    data: Mapping[str, Any], registry: Registry
) -> tuple[list[OldName], list[ConfigError]]:
    """Every former name of a component or parameter in a config, and what cannot be decided."""
    finder = _Finder(registry)
    finder.look(data, ())
    return finder.found, finder.errors


def present_text(text: str, alias: Alias) -> str:
    """A value that names a component, with the present name: ``op:`` and ``@`` parts stay."""
    return alias.new + text[len(alias.old) :]


@dataclass(slots=True)
class _Finder:
    registry: Registry
    found: list[OldName] = field(default_factory=list)
    errors: list[ConfigError] = field(default_factory=list)

    def look(self, value: Any, path: ConfigPath) -> None:
        if isinstance(value, list):
            for index, item in enumerate(value):
                self.look(item, (*path, index))
        if not isinstance(value, Mapping):
            return
        for choice, sections in _CHOICES.items():
            key = value.get(choice)
            if isinstance(key, str) and (sections is None or path[:1] in [(s,) for s in sections]):
                self.spec(value, path, choice, key)
        for name, item in value.items():
            self.look(item, (*path, name))

    def spec(self, value: Mapping[str, Any], path: ConfigPath, choice: str, key: str) -> None:
        if choice == "type" and "." not in key:
            return
        if choice == "call" and not key.startswith(OP_PREFIX):
            return
        name = key.partition("@")[0]
        alias = self.alias_of(name, "", (*path, choice), at_key=False)
        component = alias.new if alias is not None else name
        for arguments, where in _arguments(value, path, choice):
            for argument in arguments:
                self.alias_of(argument, component, (*where, argument), at_key=True)

    def alias_of(
        self, name: str, component: str, path: ConfigPath, *, at_key: bool
    ) -> Alias | None:
        try:
            alias = self.registry.alias_of(name, component)
        except ConfigError as error:
            self.errors.append(error.located(path, None))
            return None
        if alias is not None:
            self.found.append(OldName(path, alias, at_key))
        return alias


def _arguments(
    value: Mapping[str, Any], path: ConfigPath, choice: str
) -> Iterator[tuple[Mapping[str, Any], ConfigPath]]:
    """The mappings that hold keyword arguments of a component, with their paths."""
    if choice == "_type_":
        yield value, path
    name = "_kwargs_" if choice == "_type_" else "kwargs"
    inner, where = value.get(name), (*path, name)
    if isinstance(inner, Mapping) and "_merge_" in inner:
        inner, where = inner.get("_value_"), (*where, "_value_")
    if isinstance(inner, Mapping):
        yield inner, where


@dataclass(slots=True)
class _Rewriting:
    """Makes the new data, and records where each value went."""

    uses: Mapping[ConfigPath, OldName]
    sources: SourceMap
    errors: list[ConfigError]
    moved: dict[ConfigPath, ConfigPath] = field(default_factory=dict)

    def rewritten(self, value: Any, path: ConfigPath, new_path: ConfigPath) -> Any:
        self.moved[path] = new_path
        if isinstance(value, list):
            return [
                self.rewritten(item, (*path, i), (*new_path, i)) for i, item in enumerate(value)
            ]
        if not isinstance(value, Mapping):
            use = self.uses.get(path)
            if use is not None and not use.at_key and isinstance(value, str):
                return present_text(value, use.alias)
            return value
        spellings: dict[str, list[ConfigPath]] = {}
        for name in value:
            use = self.uses.get((*path, name))
            new = use.alias.new if use is not None and use.at_key else name
            spellings.setdefault(new, []).append((*path, name))
        fields = {}
        for new, fields_of_it in spellings.items():
            field_path = self.counting(new, fields_of_it)
            fields[new] = self.rewritten(value[field_path[-1]], field_path, (*new_path, new))
        return fields

    def counting(self, new: str, spellings: list[ConfigPath]) -> ConfigPath:
        """The field that counts of those that are one parameter: that of the latest file."""
        first, *others = sorted(spellings, key=self.layer, reverse=True)
        for other in others:
            if self.layer(other) == self.layer(first):
                old, kept = (other, first) if other in self.uses else (first, other)
                self.errors.append(
                    ConfigError(
                        f"`{old[-1]}` and `{kept[-1]}` are two names of one parameter",
                        code="OT0340",
                        config_path=old,
                        span=self.sources.key_span(old),
                        label=f"called `{new}` now",
                        notes=[Note(f"`{kept[-1]}` is given here", self.sources.key_span(kept))],
                        help=f"keep `{new}` and remove the other",
                    )
                )
        return first

    def layer(self, path: ConfigPath) -> int:
        source = self.sources.get(path)
        return source.layer if source is not None else 0


def _warning(use: OldName, sources: SourceMap) -> str:
    span = sources.key_span(use.path) if use.at_key else sources.span(use.path)
    provider = use.alias.provider
    options = f" --import {provider.plugin}" if provider.origin == "imports" else ""
    return f"{span or format_config_path(use.path)}: {use.alias}{way_out(span, options)}"
