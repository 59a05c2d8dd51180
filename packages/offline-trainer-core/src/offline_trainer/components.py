"""The objects of one run: every section of the config instantiated and checked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from model_constructor.binding import TYPE_KEY, component_name, is_spec
from model_constructor.config.schema import Settings
from model_constructor.errors import ConfigError, ConfigPath
from model_constructor.instantiate import component_errors, instantiate_value
from model_constructor.registry import Entry, Registry
from model_constructor.source_map import SourceMap
from offline_trainer.config.sections import COMPONENT_SECTIONS
from offline_trainer.conformance import check_methods
from offline_trainer.engine import Engine, RunSettings
from offline_trainer.evaluation import batches_to_evaluate, isolated_random_streams
from offline_trainer.example_batch import example_batch
from offline_trainer.notices import notice
from offline_trainer.plugins.targets import failure_of, on_one_line
from offline_trainer.protocols import DataModule, Io, Objective
from offline_trainer.saving import SaveSettings

DEFAULT_OBJECTIVE = {TYPE_KEY: "objective.supervised"}
PRIORITY_TAG = "priority:"
FACTORY_KINDS = ("optim_factory", "sched_factory")


@dataclass(slots=True)
class Builder:
    """Builds the components of one bound config.

    Args:
        data: Resolved and bound data.
        registry: The run's registry.
        sources: Places of the values.
        settings: The config's settings.
        targets_allowed: The caller's permission for ``_target_``.
    """

    data: Mapping[str, Any]
    registry: Registry
    sources: SourceMap
    settings: Settings
    targets_allowed: bool = False

    def section(self, name: str) -> Any:
        """The component of a section, a list or mapping of them, or None where it is absent."""
        value = self.data.get(name)
        if value is None:
            return None
        kind = COMPONENT_SECTIONS[name]
        if is_spec(value):
            return self.component(value, kind, (name,))
        if isinstance(value, Mapping):
            return {key: self.component(spec, kind, (name, key)) for key, spec in value.items()}
        return [self.component(spec, kind, (name, i)) for i, spec in enumerate(value)]

    def component(self, spec: Mapping[str, Any], kind: str, path: ConfigPath) -> Any:
        """One component, which has the methods of its kind."""
        built = instantiate_value(
            spec,
            registry=self.registry,
            path=path,
            sources=self.sources,
            settings=self.settings,
            targets_allowed=self.targets_allowed,
        )
        name = component_name(spec)
        provider = self.registry.get_module(name).provider if TYPE_KEY in spec else "_target_"
        check_methods(built, kind, name, str(provider), path, self.sources)
        if kind in FACTORY_KINDS and hasattr(built, "check"):
            with self.errors_of(path, spec):
                built.check(self.registry)
        return built

    def engine(self, run: RunSettings) -> tuple[Engine, str]:
        """The engine, prepared, and the name of its device.

        Raises:
            ConfigError: No engine is installed, or it cannot do what ``run`` asks for.
        """
        spec = self.data.get("engine") or {TYPE_KEY: best_engine(self.registry)}
        try:
            engine: Engine = self.component(spec, "engine", ("engine",))
        except ConfigError as error:
            if not self.data.get("engine"):
                error.help = f"`{spec[TYPE_KEY]}` has the highest priority; choose by `engine:`"
            raise
        with component_errors(component_name(spec), ("run",), self.sources):
            return engine, engine.prepare(run)

    def objective(self) -> Objective:
        """The configured objective, or `objective.supervised`."""
        spec = self.data.get("objective") or DEFAULT_OBJECTIVE
        objective: Objective = self.component(spec, "objective", ("objective",))
        return objective

    def datamodule(self, seed: int) -> DataModule:
        """The datamodule, seeded and set up, so that its files are known to be there."""
        datamodule = self.seeded_datamodule(seed)
        self.set_up(datamodule)
        return datamodule

    def seeded_datamodule(self, seed: int) -> DataModule:
        """The datamodule, seeded; nothing is read yet."""
        datamodule: DataModule = self.section("data")
        set_seed = getattr(datamodule, "set_seed", None)
        if set_seed is not None:
            set_seed(seed)
        return datamodule

    def set_up(self, datamodule: DataModule) -> None:
        """Let the datamodule read its data."""
        with self.errors_of(("data",), self.data["data"]):
            datamodule.setup("fit")

    def part_finder(self, datamodule: DataModule, engine: Engine) -> Callable[[str], bool]:
        """What tells whether the data has a part, ``val`` or ``test``; it asks once for each.

        No random stream is moved.
        """

        @cache
        def has_part(part: str) -> bool:
            with self.errors_of(("data",), self.data["data"]), isolated_random_streams(engine):
                return batches_to_evaluate(datamodule, part) is not None

        return has_part

    def example_batch(
        self, datamodule: DataModule, io: Io | None, engine: Engine
    ) -> tuple[Any, int | None]:
        """The first training batch, whose fields io finds, and the batches of an epoch."""
        with self.errors_of(("data",), self.data["data"]):
            batch, epoch_length = example_batch(datamodule, engine)
        if io is not None:
            with self.errors_of(("io",), self.data["io"]):
                io.split(batch, "train")
        return batch, epoch_length

    def errors_of(self, path: ConfigPath, spec: Mapping[str, Any]) -> component_errors:
        """A context in which errors of a component become errors at its place in the config."""
        return component_errors(component_name(spec), path, self.sources, doing="failed")


@contextmanager
def closed_at_the_end(*parts: Any) -> Iterator[None]:
    """A context after which parts of a run that have a ``close`` have let go of what they hold."""
    with ExitStack() as stack:
        for part in parts:
            if hasattr(part, "close"):
                stack.callback(part.close)
        yield


def best_engine(registry: Registry) -> str:
    """The key of the engine with the highest declared priority that can be loaded here.

    One that cannot is passed over; a notice says so unless a module that it declares is missing.

    Raises:
        ConfigError: There is none.
    """
    engines = [entry for entry in registry.entries() if entry.kind == "engine"]
    lacking = []
    for entry in sorted(engines, key=_priority, reverse=True):
        missing, failure = entry.missing_requirements(), failure_of(entry)
        if missing:
            lacking.append(f"{entry.key} needs {', '.join(missing)}")
        elif failure is not None:
            broken = f"{entry.key} from {entry.provider} cannot be loaded: {on_one_line(failure)}"
            lacking.append(broken)
            notice(f"engine passed over: {broken}")
        else:
            return entry.key
    raise ConfigError(
        f"no engine can be used here{': ' if lacking else ''}{'; '.join(lacking)}",
        code="OT0601",
        config_path=("engine",),
        help="pip install offline-trainer-torch",
    )


def _priority(entry: Entry) -> int:
    declared = [
        tag.removeprefix(PRIORITY_TAG) for tag in entry.tags if tag.startswith(PRIORITY_TAG)
    ]
    return max((int(text) for text in declared if text.lstrip("-").isdigit()), default=0)


def save_settings(callbacks: list[Any], sources: SourceMap) -> SaveSettings:
    """How checkpoints are saved: the ``save_settings`` of the callbacks that have some.

    Raises:
        ConfigError: Two callbacks differ; a run has one checkpoint store.
    """
    chosen: tuple[int, SaveSettings] | None = None
    for index, callback in enumerate(callbacks):
        settings = getattr(callback, "save_settings", None)
        if settings is None:
            continue
        if chosen is not None and settings != chosen[1]:
            name = next(
                each.name
                for each in fields(settings)
                if getattr(settings, each.name) != getattr(chosen[1], each.name)
            )
            path = ("callbacks", index)
            raise ConfigError(
                f"two checkpoint callbacks differ in {name}; a run has one checkpoint store",
                code="OT0602",
                config_path=path,
                span=sources.span(path),
                help=f"give both the same {name}; callbacks[{chosen[0]}] has another",
            )
        chosen = (index, settings)
    return chosen[1] if chosen is not None else SaveSettings()


def callback_names(data: Mapping[str, Any]) -> list[str]:
    """The keys of a config's callbacks, for messages."""
    return [component_name(spec) for spec in data.get("callbacks") or []]


def takes_context(fit: Any) -> bool:
    """Whether a trainer's ``fit`` has a ``context`` parameter, or takes any."""
    parameters = inspect.signature(fit).parameters.values()
    return any(p.name == "context" or p.kind is p.VAR_KEYWORD for p in parameters)
