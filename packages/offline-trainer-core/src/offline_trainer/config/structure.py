"""The structure of an experiment: its sections and their shape, imports, pure data.

Looks at plain values only; no component is needed for any of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from model_constructor.binding import TYPE_KEY, is_spec, prefix_allowed
from model_constructor.config.schema import TRUST_IT
from model_constructor.config.type_check import shown
from model_constructor.errors import ConfigError, ConfigPath, format_config_path
from offline_trainer.config.plugins_section import check_plugins_section
from offline_trainer.config.run_section import check_run_section
from offline_trainer.config.sections import (
    COMPONENT_SECTIONS,
    LIST_SECTIONS,
    PER_OPTIMIZER_SECTIONS,
    SINGLE_SECTIONS,
    section_specs,
)

if TYPE_CHECKING:
    from model_constructor.config.resolve import ResolvedConfig

REQUIRED_SECTIONS = ("run", "data", "optimizer", "trainer")
SUPERVISED = "objective.supervised"
SUPERVISED_SECTIONS = ("io", "loss")
SCHEDULER_INTERVALS = ("step", "epoch", "metric")


def is_model_alone(data: Mapping[str, Any]) -> bool:
    """Whether a config has a model and no section of an experiment: a file for `load_model`."""
    return ("model" in data or "models" in data) and not {"run", *COMPONENT_SECTIONS} & set(data)


def is_supervised(data: Mapping[str, Any]) -> bool:
    """Whether the top-level io and loss are what is trained."""
    objective = data.get("objective")
    if objective is None:
        return True
    key = objective.get(TYPE_KEY) if isinstance(objective, Mapping) else None
    return isinstance(key, str) and key.partition("@")[0] == SUPERVISED


class StructureReport:
    """Collects what is wrong with the structure of one config."""

    def __init__(self, resolved: ResolvedConfig) -> None:
        self.data = resolved.data
        self.settings = resolved.settings
        self.sources = resolved.source_map
        self.errors: list[ConfigError] = []

    def add(
        self, message: str, code: str, path: ConfigPath, *, at_key: bool = False, help: str = ""
    ) -> None:
        span = self.sources.key_span(path) if at_key else self.sources.span(path)
        self.errors.append(ConfigError(message, code=code, config_path=path, span=span, help=help))

    def required_sections(self) -> None:
        required = list(REQUIRED_SECTIONS)
        if is_supervised(self.data):
            required += SUPERVISED_SECTIONS
        for section in required:
            if self.data.get(section) is None:
                self.add(
                    f"missing required section `{section}`",
                    "OT0306",
                    (section,),
                    help=f"add a section `{section}:`",
                )

    def run(self) -> None:
        section = self.data.get("run")
        if isinstance(section, Mapping):
            self.errors += check_run_section(section, self.sources)
        elif section is not None:
            self.add(f"run must be a mapping, got {section!r}", "OT0309", ("run",))

    def plugins(self) -> None:
        self.errors += check_plugins_section(self.data.get("plugins"), self.sources)

    def models(self) -> None:
        single, several = self.data.get("model"), self.data.get("models")
        if single is None and several is None:
            self.add(
                "missing required section `model`",
                "OT0306",
                ("model",),
                help="add `model:` with `sequential` or `graph`, or `models:` for several",
            )
        if single is not None and several is not None:
            self.add(
                "a config has `model` or `models`, not both", "OT0401", ("models",), at_key=True
            )

    def section_shapes(self) -> None:
        for section, kind in SINGLE_SECTIONS.items():
            value = self.data.get(section)
            if value is not None and not is_spec(value):
                self.not_a_spec((section,), kind, value)
        for section, kind in PER_OPTIMIZER_SECTIONS.items():
            value = self.data.get(section)
            if value is None or is_spec(value):
                continue
            if self.data.get("models") is not None and isinstance(value, Mapping):
                for name, spec in value.items():
                    if not is_spec(spec):
                        self.not_a_spec((section, name), kind, spec)
            else:
                self.not_a_spec((section,), kind, value)
        for section, kind in LIST_SECTIONS.items():
            value = self.data.get(section)
            if value is None:
                continue
            if not isinstance(value, list):
                self.add(
                    f"{section} must be a list of specs, got {_shown(value)}", "OT0309", (section,)
                )
                continue
            for index, spec in enumerate(value):
                if not is_spec(spec):
                    self.not_a_spec((section, index), kind, spec)

    def not_a_spec(self, path: ConfigPath, kind: str, value: Any) -> None:
        which = f"ot list-components --kind {kind}"
        self.add(
            f"{format_config_path(path)} must be a mapping with `_type_: {kind}.…`, "
            f"got {_shown(value)}",
            "OT0309",
            path,
            help=f"say which, too: {format_config_path(path)}._type_; {which}"
            if isinstance(value, Mapping)
            else which,
        )

    def imports(self) -> None:
        modules = self.data.get("imports")
        if modules is None:
            return
        if not isinstance(modules, list):
            self.add(
                f"imports must be a list of module names, got {_shown(modules)}",
                "OT0309",
                ("imports",),
            )
            return
        if modules and not self.settings.allow_imports:
            untrusted = self.settings.untrusted
            self.add(
                "an untrusted configuration cannot import anything"
                if untrusted
                else "imports are switched off by settings.allow_imports: false",
                "OT0318",
                ("imports",),
                at_key=True,
                help=f"read these modules and {TRUST_IT}"
                if untrusted
                else "set it to true if you trust these modules",
            )
            return
        prefixes = self.settings.allowed_import_prefixes
        for index, name in enumerate(modules):
            path: ConfigPath = ("imports", index)
            if not isinstance(name, str) or not all(p.isidentifier() for p in name.split(".")):
                self.add(f"{name!r} is not a module name", "OT0309", path)
            elif name in modules[:index]:
                self.add(
                    f"duplicate import `{name}`: it is imports[{modules.index(name)}] already",
                    "OT0319",
                    path,
                    help="remove one of the two",
                )
            elif not prefix_allowed(name, prefixes):
                self.add(
                    f"`{name}` is outside settings.allowed_import_prefixes "
                    f"({', '.join(prefixes) or 'empty'})",
                    "OT0318",
                    path,
                    help=f"add `{name.partition('.')[0]}.` to settings.allowed_import_prefixes "
                    "if you trust that code",
                )

    def pure_data(self) -> None:
        for section in PER_OPTIMIZER_SECTIONS:
            for path, _, spec in section_specs({section: self.data.get(section)}):
                for part in ("args", "kwargs", "param_groups"):
                    self.no_specs_in(spec.get(part), (*path, part))

    def no_specs_in(self, value: Any, path: ConfigPath) -> None:
        if is_spec(value):
            key = "_type_" if "_type_" in value else "_target_"
            self.add(
                f"{format_config_path(path)} is pure data; a component cannot stand in it",
                "OT0322",
                (*path, key),
                at_key=True,
                help="args and kwargs of optimizers and schedulers hold plain values only",
            )
            return
        items: Any = ()
        if isinstance(value, Mapping):
            items = value.items()
        elif isinstance(value, list):
            items = enumerate(value)
        for key, item in items:
            self.no_specs_in(item, (*path, key))

    def secret_names(self, secrets: Collection[ConfigPath]) -> None:
        for path in (("run", "name"), ("run", "out_dir")):
            if path in secrets:
                self.add("a secret would become the name of a directory", "OT0327", path)

    def scheduler_intervals(self) -> None:
        for path, _, spec in section_specs({"scheduler": self.data.get("scheduler")}):
            interval = spec.get("interval", "epoch")
            if interval not in SCHEDULER_INTERVALS:
                self.add(
                    f"interval must be one of {', '.join(SCHEDULER_INTERVALS)}, got {interval!r}",
                    "OT0323",
                    (*path, "interval"),
                )
            elif interval == "metric" and not spec.get("monitor"):
                self.add(
                    "`interval: metric` needs `monitor`, the metric to watch",
                    "OT0323",
                    (*path, "interval"),
                    help="add `monitor: val_loss`",
                )


def _shown(value: Any) -> str:
    return "a mapping without `_type_`" if isinstance(value, Mapping) else shown(value)
