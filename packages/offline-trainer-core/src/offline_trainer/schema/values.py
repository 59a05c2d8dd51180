"""What a value may be, from the type annotation of the parameter that receives it.

A file is rarely the whole config: another file, a template or an override may add to it. So a
schema refuses only what is wrong wherever it stands, and requires nothing.
"""

from __future__ import annotations

import types
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from model_constructor.config.containers import MODES
from model_constructor.config.type_check import LISTS, MAPPINGS

Schema = dict[str, Any]

_TYPES = {int: "integer", float: "number", bool: "boolean", str: "string", Path: "string"}
_WRITTEN = {"int": int, "float": float, "bool": bool, "str": str}
_BOOLEAN = {"type": "boolean"}
_LIST_MODES = ["append", "prepend", "keyed"]
_IS_CONTAINER = {"type": "object", "required": ["_merge_"]}
IS_SPEC = {"type": "object", "required": ["_type_"]}
_IS_BUILT = {"type": "object", "anyOf": [IS_SPEC, {"required": ["_target_"]}]}


def ref(name: str) -> Schema:
    """A reference to a definition."""
    return {"$ref": f"#/$defs/{name}"}


def either(*alternatives: Schema) -> Schema:
    """One of some values; what differs in nothing but its type becomes one alternative."""
    types: list[str] = []
    others: list[Schema] = []
    for each in alternatives:
        if list(each) == ["type"]:
            named = each["type"] if isinstance(each["type"], list) else [each["type"]]
            types += [name for name in named if name not in types]
        elif each not in others:
            others.append(each)
    plain = [{"type": types if len(types) > 1 else types[0]}] if types else []
    kept = [*plain, *others]
    return kept[0] if len(kept) == 1 else {"anyOf": kept}


def place(schema: Schema) -> Schema:
    """A place for such a value: also for ``${…}``, or for a merge container with such a value."""
    # `if` and not `anyOf`: then what is wrong is said of the value, not of its alternatives.
    then = {**ref("container"), "properties": {"_value_": schema}}
    return {"if": ref("special"), "then": then, "else": schema}


def mapping(properties: Schema) -> Schema:
    """A section with these keys and no others."""
    return {
        "type": ["object", "null"],
        "properties": {**properties, "_template_": ref("string")},
        "additionalProperties": False,
    }


def leaf(*alternatives: Schema, also: str = "") -> Schema:
    """A place for one of some values, for ``${…}``, or with ``also`` for any text of a pattern."""
    schema = either(*alternatives)
    if also:
        schema = {"if": {"type": "string", "pattern": also}, "else": schema}
    found = {"if": ref("special"), "then": ref("container"), "else": schema}
    offered = [each for each in alternatives if each.keys() & {"enum", "$ref"} or each == _BOOLEAN]
    # Refuses nothing: editors look for values to offer here, and not inside of an `else`.
    return {**found, "anyOf": [*offered, {}]} if offered else found


def words(choices: Collection[str]) -> Schema:
    """One of some words."""
    return {"enum": list(choices)}


def value_schema(annotation: Any, anything: str = "any") -> Schema:
    """The values that a parameter takes.

    Args:
        annotation: Its type, as an object or as text.
        anything: The definition for values of which nothing more is known.
    """
    alternatives = _alternatives(annotation, anything)
    if alternatives is None:
        return ref(anything)
    optional = {"type": "null"} in alternatives
    values = [each for each in alternatives if each != {"type": "null"}]
    if len(values) == 1 and list(values[0]) == ["type"]:
        return ref(f"{values[0]['type']}{'-or-null' if optional else ''}")
    return leaf(*alternatives)


def _alternatives(annotation: Any, anything: str) -> list[Schema] | None:
    """What may stand for a type; None where nothing is known."""
    annotation = _WRITTEN.get(annotation, annotation) if isinstance(annotation, str) else annotation
    origin, members = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _alternatives(members[0], anything)
    if origin is Literal:
        return [{"enum": list(members)}]
    if origin in (Union, types.UnionType):
        return _union(members, anything)
    if annotation is None or annotation is type(None):
        return [{"type": "null"}]
    if isinstance(annotation, type) and annotation in _TYPES:
        return [{"type": _TYPES[annotation]}]
    kind = origin or annotation
    if kind in MAPPINGS:
        return [{"type": "object", **ref(anything)}]
    if kind in LISTS:
        return [_list(kind, members, anything)]
    return None


def _list(kind: Any, members: tuple[Any, ...], anything: str) -> Schema:
    items = [value_schema(member, anything) for member in members if member is not Ellipsis]
    schema: Schema = {"type": "array", "items": items[0] if items else ref(anything)}
    if kind is tuple and items and Ellipsis not in members:
        count = {"minItems": len(items), "maxItems": len(items)}
        schema = {"type": "array", "prefixItems": items, **count}
    # Where a component can stand, it may be one that builds a list.
    return schema if anything != "any" else {"if": _IS_BUILT, "then": ref("spec"), "else": schema}


def _union(members: tuple[Any, ...], anything: str) -> list[Schema] | None:
    known = [_alternatives(member, anything) for member in members]
    found = [schema for each in known for schema in each or ()]
    if None not in known:
        return found
    # Beside a plain type, an object of some class can only be made by a spec.
    plain = any(member in _TYPES for member in members)
    return [*found, {"type": "object", **ref(anything)}] if plain else None


def value_definitions() -> Schema:
    """The definitions that values refer to."""
    leaves = {}
    for name in dict.fromkeys(_TYPES.values()):
        # An unquoted number given to a text parameter arrives as typed.
        accepted: Any = ["string", "number", "boolean"] if name == "string" else name
        leaves[name] = leaf({"type": accepted})
        leaves[f"{name}-or-null"] = leaf({"type": accepted}, {"type": "null"})
    return {
        "special": {
            "anyOf": [{"type": "string", "pattern": r"\$\{"}, _IS_CONTAINER],
        },
        "container": {
            "properties": {
                "_merge_": {"enum": list(MODES), "description": "How this field is merged."},
                "_value_": {"description": "What is merged."},
                "key": {"type": "string", "description": "The field that items are matched by."},
            },
            "additionalProperties": False,
            "allOf": [
                _when_merge(["delete"], {}, {"required": ["_value_"]}),
                _when_merge(["keyed"], {"required": ["key"]}, {"properties": {"key": False}}),
                _when_merge(_LIST_MODES, {"properties": {"_value_": {"type": "array"}}}),
            ],
        },
        **leaves,
        "any": place({"if": IS_SPEC, "then": ref("spec"), "else": _inside("any")}),
        "plain": place({"properties": {"_type_": False, "_target_": False}, **_inside("plain")}),
    }


def _inside(name: str) -> Schema:
    return {"items": ref(name), "additionalProperties": ref(name)}


def _when_merge(modes: list[str], then: Schema, otherwise: Schema | None = None) -> Schema:
    condition = {"properties": {"_merge_": {"enum": modes}}, "required": ["_merge_"]}
    return {"if": condition, "then": then, "else": otherwise or {}}
