"""The whole schema: the sections of a config, and the definitions they refer to."""

from __future__ import annotations

import json
from typing import Any

from model_constructor.config.schema import SCHEMA_VERSION, TOP_LEVEL_KEYS, Settings
from model_constructor.registry import Registry
from model_constructor.signatures import read_signature
from offline_trainer.config.run_section import RunSection
from offline_trainer.config.sections import (
    LIST_SECTIONS,
    PER_OPTIMIZER_SECTIONS,
    SINGLE_SECTIONS,
)
from offline_trainer.engine import PRECISIONS
from offline_trainer.schema.components import Components, arguments_schema
from offline_trainer.schema.models import model_definitions
from offline_trainer.schema.values import (
    IS_SPEC,
    Schema,
    either,
    leaf,
    mapping,
    place,
    ref,
    value_definitions,
    words,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_HELP = {
    "schema_version": "Version of the config language.",
    "settings": "What the config may do.",
    "defaults": "Files included below this one, earlier entries first.",
    "imports": "Modules with components of their own (`ot schema --import MODULE` knows them).",
    "plugins": "Plugins that are left out, or that must be there.",
    "templates": "Mappings for `_template_: name`.",
    "params": "Values of your own, for ${params.…}.",
    "run": "Name, places, seed and device.",
    "engine": "What runs the models; by default the best that is installed.",
    "objective": "What one step computes; by default io → model → loss.",
    "model": "The model.",
    "models": "Several models, by name.",
    "data": "Where batches come from.",
    "io": "Which parts of a batch the model and the loss get.",
    "loss": "What is minimised.",
    "optimizer": "How weights are updated.",
    "scheduler": "How the learning rate changes.",
    "trainer": "The training loop.",
    "callbacks": "What happens beside the loop.",
    "loggers": "Where metrics are shown.",
    "metrics": "What is measured.",
}

_NAMES = {"type": ["array", "null"], "items": ref("string")}
_FILE = {"type": "string", "pattern": r"\.ya?ml$"}
_INCLUDE = either(
    _FILE,
    {
        "type": "object",
        "properties": {"optional": _FILE},
        "required": ["optional"],
        "additionalProperties": False,
    },
)


def config_schema(registry: Registry) -> tuple[Schema, list[str]]:
    """The schema of a config file, whole or a part that others include.

    Args:
        registry: The components that ``_type_`` may name.

    Returns:
        The schema, and what it lacks, a line for each reason.
    """
    components = Components(registry)
    properties = _sections()
    for name in TOP_LEVEL_KEYS:
        properties[name] = {**properties[name], "description": _HELP[name]}
    schema = {
        "$schema": DIALECT,
        "type": "object",
        "properties": {name: properties[name] for name in TOP_LEVEL_KEYS},
        "patternProperties": {"^_template_$": True},
        "additionalProperties": False,
        "$defs": {
            **value_definitions(),
            **_section_definitions(),
            **model_definitions(registry),
            **components.definitions,
        },
    }
    return schema, components.remarks()


def kind_schema(registry: Registry, kind: str) -> tuple[Schema, list[str]]:
    """The schema of one spec of a kind; specs inside it are not looked into.

    Returns:
        The schema, and what it lacks, a line for each reason.
    """
    components = Components(registry, kind)
    definitions = {**value_definitions(), **components.definitions}
    definitions["spec"] = {"type": "object"}
    name = f"class:{kind}" if f"class:{kind}" in definitions else f"spec:{kind}"
    schema = {
        "$schema": DIALECT,
        **ref(name),
        "$defs": _reached(name, definitions),
    }
    return schema, components.remarks()


def schema_text(schema: Schema) -> str:
    """A schema as the text of a file, a line for each definition.

    The same components make the same bytes, and a component that changes changes one line.
    """
    head = {name: value for name, value in schema.items() if name != "$defs"}
    lines = [_json(head)[:-1] + ', "$defs": {']
    lines += [f"{_json(name)}: {_json(value)}," for name, value in schema["$defs"].items()]
    lines[-1] = lines[-1].removesuffix(",")
    return "\n".join([*lines, "}}"]) + "\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _reached(name: str, definitions: Schema) -> Schema:
    """The definitions that one needs, in their order."""
    needed: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in needed:
            needed.add(current)
            waiting += _references(definitions[current])
    return {key: value for key, value in definitions.items() if key in needed}


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [name for item in schema for name in _references(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema["$ref"].rpartition("/")[2]] if isinstance(schema.get("$ref"), str) else []
    return own + [name for item in schema.values() for name in _references(item)]


def _section_definitions() -> Schema:
    names = place(_NAMES)
    return {
        "settings": mapping(_fields(Settings)),
        "run": mapping({**_fields(RunSection), "precision": leaf(words(PRECISIONS))}),
        "plugins": mapping({"disable": names, "require": names}),
    }


def _sections() -> Schema:
    properties: Schema = {
        "schema_version": place({"const": SCHEMA_VERSION}),
        "settings": place(ref("settings")),
        "defaults": {"type": ["array", "null"], "items": _INCLUDE},
        "imports": place(_NAMES),
        "plugins": place(ref("plugins")),
        "templates": place({"type": ["object", "null"], "additionalProperties": ref("any")}),
        "params": place({"type": ["object", "null"]}),
        "run": place(ref("run")),
        "model": place(ref("model")),
        "models": place({"type": ["object", "null"], "additionalProperties": place(ref("model"))}),
    }
    for name, kind in SINGLE_SECTIONS.items():
        properties[name] = place(ref(f"spec:{kind}"))
    for name, kind in PER_OPTIMIZER_SECTIONS.items():
        one = ref(f"spec:{kind}")
        by_model = {"additionalProperties": {"if": IS_SPEC, "then": one}}
        properties[name] = place({**one, "if": IS_SPEC, "else": by_model})
    for name, kind in LIST_SECTIONS.items():
        items = place(ref(f"spec:{kind}"))
        properties[name] = place({"type": ["array", "null"], "items": items})
    return properties


def _fields(section: type) -> Schema:
    signature = read_signature(section)
    assert signature is not None
    properties: Schema = arguments_schema(section, signature, signature.parameters, "any")[
        "properties"
    ]
    return properties
