"""The default in force where a config sets nothing: a component's parameter's, or a section's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any

from model_constructor.errors import ConfigError

if TYPE_CHECKING:
    from model_constructor.errors import ConfigPath


@dataclass(frozen=True, slots=True)
class ComponentDefault:
    """A parameter that has its default.

    Attributes:
        path: The path that was asked for.
        value: The default as Python text.
        component: The component's key and provider, or the section.
    """

    path: str
    value: str
    component: str

    def as_text(self) -> str:
        """For people."""
        return f"{self.path}: {self.value}\n  not set; the default of {self.component}\n"

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        return {"path": self.path, "default": self.value, "component": self.component}


def component_default(data: Mapping[str, Any], path: str) -> ComponentDefault | None:
    """The default behind a path that leads nowhere, if something has a parameter there.

    A component is imported for it.
    """
    from model_constructor.config.paths import follow
    from model_constructor.config.schema import Settings
    from offline_trainer.cli.installed import find_installed
    from offline_trainer.config.run_section import RunSection
    from offline_trainer.plugins.describe import describe

    above, _, name = path.rpartition(".")
    section = {"run": RunSection, "settings": Settings}.get(above)
    for field in fields(section) if section is not None else ():
        if field.name == name and field.default is not MISSING:
            return ComponentDefault(path, repr(field.default), f"`{above}`")
    try:
        key = _component_at(data, follow(above, data))
        if key is None:
            return None
        found = describe(key, find_installed(tolerant=True).registry)
    except ConfigError:
        return None
    for parameter in found.parameters or ():
        if parameter.name == name and parameter.default is not None:
            return ComponentDefault(path, parameter.default, f"{key} ({found.entry.provider})")
    return None


def _component_at(data: Mapping[str, Any], path: ConfigPath) -> str | None:
    """The key whose parameters a mapping holds: its own, or that of the ``type`` beside it."""
    from model_constructor.config.paths import value_at

    holder = value_at(data, path)
    key = holder.get("_type_") if isinstance(holder, Mapping) else None
    if key is None and len(path) > 1 and path[-1] == "kwargs":
        key = value_at(data, path[:-1]).get("type")
    return key if isinstance(key, str) else None
