"""The outermost form of a configuration: its top-level keys, `schema_version` and `settings`.

What the sections hold is checked by whoever knows components; this module knows none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model_constructor.config.late_typing import coerce
from model_constructor.config.nodes import Node, describe, kind
from model_constructor.errors import MAX_COLLECTED_ERRORS, ConfigError, ConfigPath, close_matches
from model_constructor.source_map import Source

SCHEMA_VERSION = 1

TOP_LEVEL_KEYS = (
    "schema_version",
    "settings",
    "defaults",
    "imports",
    "plugins",
    "templates",
    "params",
    "run",
    "engine",
    "objective",
    "model",
    "models",
    "data",
    "io",
    "loss",
    "optimizer",
    "scheduler",
    "trainer",
    "callbacks",
    "loggers",
    "metrics",
)


TRUST_IT = (
    "run it without --untrusted (untrusted=False), or export it with --trust, if you trust who "
    "wrote it"
)
"""The way out that every refusal of an untrusted configuration names."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The `settings` section.

    Attributes:
        strict: False turns unknown keys of components with a ``best_effort`` signature into
            warnings.
        allow_imports: Whether `imports:` may import anything.
        allowed_import_prefixes: Modules that `imports:` may name start with one of these.
        allow_target: Whether the file wants `_target_`; the caller has to allow it as well.
        untrusted: The caller does not trust the file: whatever it says, it imports nothing.
    """

    strict: bool = True
    allow_imports: bool = True
    allowed_import_prefixes: tuple[str, ...] = ("model_constructor.",)
    allow_target: bool = False
    untrusted: bool = False


_SWITCHES = ("strict", "allow_imports", "allow_target")
_SETTINGS = ("strict", "allow_imports", "allowed_import_prefixes", "allow_target")

# What other tools call the files whose values a file changes.
_MEANT = dict.fromkeys(("_base_", "base", "extends", "include", "includes"), ("defaults",))


def check_top_level(fields: Mapping[str, Node]) -> list[ConfigError]:
    """Everything wrong with the names of the top-level keys and with `schema_version`."""
    unknown = [(name, node) for name, node in fields.items() if name not in TOP_LEVEL_KEYS]
    errors = [
        ConfigError(
            f"unknown top-level key `{name}`",
            code="OT0120",
            config_path=(name,),
            span=node.key_span or node.span,
            suggestions=_MEANT.get(name) or close_matches(name, TOP_LEVEL_KEYS),
            help="values of your own for `${…}` go under `params`",
        )
        for name, node in unknown[:MAX_COLLECTED_ERRORS]
    ]
    version = fields.get("schema_version")
    if version is None:
        errors.append(
            ConfigError(
                "`schema_version` is missing",
                code="OT0121",
                config_path=("schema_version",),
                help=f"write `schema_version: {SCHEMA_VERSION}` at the top of the file",
            )
        )
        return errors
    # Every layer's is looked at: a base file of another version must not pass unseen.
    for node in (version, *version.history):
        if type(node.value) is not int or node.value != SCHEMA_VERSION:
            errors.append(
                ConfigError(
                    f"`schema_version` must be {SCHEMA_VERSION}, got {describe(node)}",
                    code="OT0121",
                    config_path=("schema_version",),
                    span=node.span,
                )
            )
    return errors


def read_settings(fields: Mapping[str, Node]) -> tuple[Settings, list[ConfigError]]:
    """The settings, and everything that is wrong with them."""
    section = fields.get("settings")
    if section is None or section.value is None:
        return Settings(), []
    if not isinstance(section.value, dict):
        message = f"`settings` must be a mapping, got {kind(section)}"
        return Settings(), [_error(message, ("settings",), section)]
    errors: list[ConfigError] = []
    switches: dict[str, bool] = {}
    prefixes = Settings().allowed_import_prefixes
    for name, node in section.value.items():
        if len(errors) >= MAX_COLLECTED_ERRORS:
            break
        path = ("settings", name)
        try:
            if name in _SWITCHES:
                switches[name] = coerce(node.value, bool)
            elif name == "allowed_import_prefixes":
                prefixes = _prefixes(node, path)
            else:
                near = close_matches(name, _SETTINGS)
                errors.append(_error(f"unknown setting `{name}`", path, node, near, at_key=True))
        except ConfigError as error:
            errors.append(error)
        except ValueError as error:
            errors.append(_error(f"`settings.{name}`: {error}", path, node))
    return Settings(allowed_import_prefixes=prefixes, **switches), errors


def _prefixes(node: Node, path: ConfigPath) -> tuple[str, ...]:
    if not isinstance(node.value, list):
        message = f"`allowed_import_prefixes` must be a list, got {kind(node)}"
        raise _error(message, path, node)
    prefixes = []
    for i, item in enumerate(node.value):
        try:
            prefix = coerce(item.value, str, Source(item.span, text=item.text))
        except ValueError as error:
            raise _error(f"an import prefix: {error}", (*path, i), item) from None
        if not all(part.isidentifier() for part in prefix.removesuffix(".").split(".")):
            message = f"`{prefix}` is not the start of a module's name"
            raise _error(message, (*path, i), item)
        prefixes.append(prefix)
    return tuple(prefixes)


def _error(
    message: str,
    path: ConfigPath,
    node: Node,
    suggestions: tuple[str, ...] = (),
    *,
    at_key: bool = False,
) -> ConfigError:
    span = node.key_span if at_key and node.key_span else node.span
    return ConfigError(message, code="OT0122", config_path=path, span=span, suggestions=suggestions)
