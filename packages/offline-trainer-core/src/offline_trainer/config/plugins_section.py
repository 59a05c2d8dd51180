"""The ``plugins`` section: which plugins a config leaves out, and which it cannot do without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_constructor.errors import ConfigError, ConfigPath, close_matches
from model_constructor.registry import normalized
from model_constructor.source_map import SourceMap

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from offline_trainer.plugins.loader import Plugins, PluginStatus

_KEYS = ("disable", "require")


@dataclass(frozen=True, slots=True)
class PluginsSection:
    """The ``plugins`` section, checked.

    Attributes:
        disable: Plugins or distributions to leave out.
        require: (index in the list, requirement) of what must be installed and in use.
    """

    disable: tuple[str, ...] = ()
    require: tuple[tuple[int, Requirement], ...] = ()


def read_plugins_section(section: Any, sources: SourceMap) -> PluginsSection:
    """A ``plugins`` section as a value; of a wrong one, what can be read of it.

    >>> read_plugins_section({"disable": ["lion"]}, SourceMap()).disable
    ('lion',)
    """
    return _read(section, sources)[0]


def check_plugins_section(section: Any, sources: SourceMap) -> list[ConfigError]:
    """Everything wrong with a ``plugins`` section."""
    return _read(section, sources)[1]


def unmet_requirements(
    section: PluginsSection, plugins: Plugins, sources: SourceMap
) -> list[ConfigError]:
    """Every required plugin that is not installed, not in its version, or not in use."""
    errors = []
    for index, requirement in section.require:
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        path = ("plugins", "require", index)
        error = _unmet(requirement, plugins)
        if error is not None:
            errors.append(error.located(path, sources.span(path)))
    return errors


def _unmet(requirement: Requirement, plugins: Plugins) -> ConfigError | None:
    from importlib_metadata import PackageNotFoundError, version  # slow to load, few need it

    name = requirement.name
    wanted = f"{name}{requirement.specifier}"
    statuses = [
        status
        for status in plugins.statuses
        if normalized(status.provider.distribution) == normalized(name)
    ]
    try:
        installed = statuses[0].provider.version if statuses else version(name)
    except PackageNotFoundError:
        return _not_installed(name, wanted, plugins)
    # What is installed was chosen on purpose, so a pre-release counts.
    if not requirement.specifier.contains(installed, prereleases=True):
        return ConfigError(
            f"this config requires `{wanted}`; installed is {name} {installed}",
            code="OT0325",
            help=f"pip install '{wanted}'",
        )
    if not statuses:
        return ConfigError(
            f"this config requires the plugin `{wanted}`; {name} {installed} is installed "
            "and offers no plugin",
            code="OT0325",
            help="ot plugins shows those that do",
        )
    return _not_in_use(wanted, statuses)


def _not_installed(name: str, wanted: str, plugins: Plugins) -> ConfigError:
    by_plugin = {s.provider.plugin: s.provider.distribution for s in plugins.statuses}
    known = sorted({s.provider.distribution for s in plugins.statuses})
    same = by_plugin.get(name)
    return ConfigError(
        f"this config requires `{wanted}`, which is not installed",
        code="OT0325",
        suggestions=[same] if same else close_matches(name, known),
        help=f"pip install '{wanted}'",
    )


def _not_in_use(wanted: str, statuses: list[PluginStatus]) -> ConfigError | None:
    for status in statuses:
        if status.state == "disabled":
            return ConfigError(
                f"this config requires `{wanted}`; {status.provider} is installed and disabled "
                f"by {status.reason}",
                code="OT0325",
                help=f"do not disable `{status.provider.plugin}`, or remove the requirement",
            )
        if status.state != "ok":
            return ConfigError(
                f"this config requires `{wanted}`; {status.provider} is installed and could not "
                f"be loaded: {status.reason}",
                code="OT0325",
                help=f"ot doctor {status.provider.plugin}",
            )
    return None


def _read(section: Any, sources: SourceMap) -> tuple[PluginsSection, list[ConfigError]]:
    if section is None:
        return PluginsSection(), []
    root: ConfigPath = ("plugins",)
    if not isinstance(section, Mapping):
        message = f"plugins must be a mapping with {_accepted()}, got {section!r}"
        return PluginsSection(), [_error(message, root, sources)]
    errors: list[ConfigError] = []
    for name in section:
        if name not in _KEYS:
            errors.append(
                ConfigError(
                    f"unknown key `{name}` in plugins",
                    code="OT0305",
                    config_path=("plugins", name),
                    span=sources.key_span(("plugins", name)),
                    suggestions=close_matches(name, _KEYS),
                    help=f"accepted: {', '.join(_KEYS)}",
                )
            )
    disable = _names(section, "disable", sources, errors)
    require = [
        (index, requirement)
        for index, text in _names(section, "require", sources, errors)
        if (requirement := _requirement(text, index, sources, errors)) is not None
    ]
    return PluginsSection(tuple(name for _, name in disable), tuple(require)), errors


def _names(
    section: Mapping[str, Any], name: str, sources: SourceMap, errors: list[ConfigError]
) -> list[tuple[int, str]]:
    value = section.get(name)
    path = ("plugins", name)
    if value is None:
        return []
    if not isinstance(value, list):
        errors.append(_error(f"plugins.{name} must be a list, got {value!r}", path, sources))
        return []
    found = []
    for index, item in enumerate(value):
        if isinstance(item, str) and item.strip():
            found.append((index, item.strip()))
        else:
            message = f"plugins.{name}[{index}] must be the name of a plugin, got {item!r}"
            errors.append(_error(message, (*path, index), sources))
    return found


def _requirement(
    text: str, index: int, sources: SourceMap, errors: list[ConfigError]
) -> Requirement | None:
    from packaging.requirements import InvalidRequirement, Requirement  # slow to load

    path = ("plugins", "require", index)
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        reason = str(error).partition("\n")[0]
        errors.append(_error(f"{text!r} is not a requirement: {reason}", path, sources))
        return None
    if requirement.url or requirement.extras:
        message = f"{text!r}: a required plugin is a distribution's name and versions, no more"
        errors.append(_error(message, path, sources))
        return None
    return requirement


def _accepted() -> str:
    return " and ".join(f"`{key}`" for key in _KEYS)


def _error(message: str, path: ConfigPath, sources: SourceMap) -> ConfigError:
    return ConfigError(
        message,
        code="OT0309",
        config_path=path,
        span=sources.span(path),
        help='such as `plugins: {disable: [lion], require: ["ot-lion>=0.2"]}`',
    )
