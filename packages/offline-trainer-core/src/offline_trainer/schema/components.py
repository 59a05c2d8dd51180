"""The definitions of components and of the specs that choose one by ``_type_``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from inspect import Parameter
from typing import Any

from model_constructor.errors import ConfigError
from model_constructor.listing import first_few
from model_constructor.registry import Alias, Entry, Registry, kind_of
from model_constructor.signatures import Signature, read_signature
from offline_trainer.config.sections import COMPONENT_SECTIONS, PART_KINDS
from offline_trainer.schema.docstrings import parameter_help, summary
from offline_trainer.schema.values import IS_SPEC, Schema, leaf, place, ref, value_schema, words

WHY_UNKNOWN = {
    "OT0302": "are claimed by several plugins",
    "OT0303": "need a package that is not installed",
}
"""Code of the error about a component whose arguments are unknown → why; others are broken."""

CLASS_KINDS = {"optim_factory": "optim_cls", "sched_factory": "sched_cls"}
"""Factories that name a class in ``type`` and its arguments in ``kwargs`` → kind of that class."""

NO_MODULES = {*COMPONENT_SECTIONS.values(), *CLASS_KINDS.values(), *PART_KINDS, "cmd"}
"""Kinds that cannot be a part of a model."""

_RESERVED = "^_(type|target|args|kwargs|template)_$"


@dataclass(slots=True)
class Components:
    """Definitions of all components of a registry.

    Attributes:
        definitions: By name; ``spec`` and ``spec:<kind>`` are what sections refer to.
        unknown: Keys of whose arguments nothing is known, by why not.
    """

    registry: Registry
    kind: str | None = None
    aliases: list[Alias] = field(init=False)
    definitions: Schema = field(default_factory=dict)
    unknown: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.aliases = _present_names(self.registry)
        by_kind: dict[str, list[str]] = {}
        for key in self.registry.list_modules():
            if kind_of(key) != "cmd" and self.kind in (None, kind_of(key)):
                by_kind.setdefault(kind_of(key), []).append(key)
        for kind in COMPONENT_SECTIONS.values():
            by_kind.setdefault(kind, [])
        for kind, keys in by_kind.items():
            for key in keys:
                self._add(key, is_class=kind in CLASS_KINDS.values())
        self._add_specs(by_kind)

    def remarks(self) -> list[str]:
        """What the schema lacks, a line for each reason."""
        return [
            f"{why}, so the schema has nothing of their arguments: {_some(keys)}  "
            "[ot list-components --check]"
            for why, keys in sorted(self.unknown.items())
        ]

    def _add(self, key: str, *, is_class: bool) -> None:
        try:
            entry = self.registry.get_module(key)
            target = entry.target
        except ConfigError as error:
            why = WHY_UNKNOWN.get(error.code, "cannot be loaded")
            self.unknown.setdefault(why, []).append(key)
            self.definitions[key] = {}
            return
        signature = read_signature(target)
        if signature is None:
            self.definitions[key] = {"description": entry.help}
        elif is_class:
            later = "auto" if kind_of(key) == CLASS_KINDS["sched_factory"] else None
            self.definitions[key] = _class_arguments(entry, target, signature, later)
        else:
            self.definitions[key] = self._component(entry, target, signature)
        for alias in self.aliases:
            properties = self.definitions[key].get("properties", {})
            if alias.component == key and alias.new in properties:
                now = {"deprecated": True, "description": f"Called `{alias.new}` now."}
                properties[alias.old] = {**properties[alias.new], **now}

    def _component(self, entry: Entry, target: Any, signature: Signature) -> Schema:
        schema = arguments_schema(target, signature, signature.parameters, "any")
        schema["description"] = summary(target) or entry.help
        class_kind = CLASS_KINDS.get(entry.kind)
        if class_kind and {"type", "kwargs"} <= set(signature.parameters):
            for part in {"args", "kwargs"} & set(schema["properties"]):
                schema["properties"][part] = {
                    **schema["properties"][part],
                    **value_schema(signature.annotations.get(part), "plain"),
                }
            keys = [key for key in self.registry if kind_of(key) == class_kind]
            known_as = {
                "description": "The class, by its registry key.",
                **schema["properties"]["type"],
            }
            schema["properties"]["type"] = {
                **self._keys(class_kind, keys),
                "description": known_as["description"],
            }
        if entry.signature == "strict" and not signature.any_keyword:
            schema["patternProperties"] = {_RESERVED: True}
            schema["additionalProperties"] = False
        return schema

    def _add_specs(self, by_kind: Mapping[str, Collection[str]]) -> None:
        everything: list[str] = []
        modules: list[str] = []
        dispatch = []
        for kind, keys in by_kind.items():
            if kind in CLASS_KINDS.values():
                self.definitions[f"class:{kind}"] = self._class_choice(keys)
                continue
            everything += keys
            modules += keys if kind not in NO_MODULES else ()
            self.definitions[f"of:{kind}"] = self._by_type(keys)
            self.definitions[f"spec:{kind}"] = self._spec(kind, keys, f"of:{kind}")
            dispatch.append(
                {"if": _type_is({"pattern": _pattern(kind)}), "then": ref(f"of:{kind}")}
            )
        self.definitions["of"] = {"allOf": dispatch}
        self.definitions["spec"] = self._spec("all", everything, "of")
        self.definitions["spec:module"] = self._spec("module", modules, "of")
        for factory, kind in CLASS_KINDS.items():
            if f"class:{kind}" in self.definitions:
                self.definitions[f"spec:{factory}"]["allOf"].append(ref(f"class:{kind}"))

    def _class_choice(self, keys: Collection[str]) -> Schema:
        return {
            "allOf": [
                {
                    "if": {"properties": {"type": self._called(key)}, "required": ["type"]},
                    "then": {"properties": {"kwargs": place(ref(key))}},
                }
                for key in keys
            ]
        }

    def _by_type(self, keys: Collection[str]) -> Schema:
        return {"allOf": [{"if": _type_is(self._called(key)), "then": ref(key)} for key in keys]}

    def _called(self, key: str) -> Schema:
        """The value that names a component, by its key or a former one."""
        old = [alias.old for alias in self.aliases if alias.new == key and not alias.component]
        return {"enum": [key, *old]} if old else {"const": key}

    def _spec(self, name: str, keys: Collection[str], dispatch: str) -> Schema:
        others = {
            "if": IS_SPEC,
            "then": ref(dispatch),
            "else": {"additionalProperties": ref("any")},
        }
        return {
            "type": ["object", "null"],
            "properties": {
                "_type_": {
                    **self._keys(name, sorted(keys)),
                    "description": "The component, by its registry key.",
                },
                "_target_": {**ref("string"), "description": "`package.module:Name`, if allowed."},
                "_args_": place({"type": "array", "items": ref("any")}),
                "_kwargs_": place({"type": "object", **ref("any")}),
                "_repeat_": {**ref("integer"), "description": "So many of this layer in a row."},
                "_template_": ref("string"),
            },
            "allOf": [others],
        }

    def _keys(self, name: str, keys: Collection[str]) -> Schema:
        """Registry keys; former ones and ``key@distribution`` are accepted and not offered."""
        self.definitions[f"keys:{name}"] = words(keys)
        known = set(keys)
        old = [re.escape(alias.old) for alias in self.aliases if alias.new in known]
        return leaf(ref(f"keys:{name}"), also="|".join(["@", *(f"^{name}$" for name in old)]))


def arguments_schema(
    target: Any, signature: Signature, names: Collection[str], anything: str
) -> Schema:
    """A mapping of arguments: each parameter with its values, default and help."""
    texts = parameter_help(target)
    properties: Schema = {}
    for name in names:
        parameter = signature.parameters[name]
        annotation = signature.annotations.get(name, parameter.annotation)
        schema = value_schema(annotation, anything)
        text = texts.get(name, "")
        if parameter.default is Parameter.empty:
            text = f"{text} (required)".strip()
        elif _is_json(parameter.default):
            schema = {**schema, "default": parameter.default}
        properties[name] = {**schema, **({"description": text} if text else {})}
    return {"properties": properties}


def _class_arguments(entry: Entry, target: Any, signature: Signature, later: str | None) -> Schema:
    # The factory fills the first parameter itself: the weights, or the optimizer.
    names = list(signature.parameters)[1:]
    schema = arguments_schema(target, signature, names, "plain")
    for name, values in schema["properties"].items() if later is not None else ():
        schema["properties"][name] = {"anyOf": [values, {"const": later}]}
    schema["description"] = summary(target) or entry.help
    schema["type"] = ["object", "null"]
    if not signature.any_keyword:
        schema["patternProperties"] = {"^_template_$": True}
        schema["additionalProperties"] = False
    return schema


def _present_names(registry: Registry) -> list[Alias]:
    """Former names with what they are called in the end; without those that are in dispute."""
    found = []
    for alias in registry.aliases():
        with suppress(ConfigError):
            found.append(registry.alias_of(alias.old, alias.component))
    return [alias for alias in found if alias is not None]


def _type_is(schema: Schema) -> Schema:
    return {"properties": {"_type_": schema}, "required": ["_type_"]}


def _pattern(kind: str) -> str:
    return r"^[^.]+$" if kind == "block" else rf"^{kind}\."


def _is_json(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_json(item) for item in value)
    if isinstance(value, float):
        return abs(value) < float("inf")
    return value is None or type(value) in (bool, int, str)


def _some(keys: Sequence[str]) -> str:
    return first_few(keys, 3)
