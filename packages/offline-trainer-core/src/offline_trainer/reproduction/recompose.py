"""A recorded run put together again from its config, as far as nothing is trained yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model_constructor.config.diff import Side, compare
from model_constructor.config.paths import value_at
from model_constructor.config.resolve import resolve_config
from model_constructor.errors import ConfigError, ConfigPath
from model_constructor.redaction import HIDDEN
from offline_trainer.checkpoint.reading import read_manifest
from offline_trainer.components import Builder
from offline_trainer.config.stored import is_overridden, require_secrets
from offline_trainer.errors import OfflineTrainerError
from offline_trainer.experiment import Prepared, prepare
from offline_trainer.outcome import exits_told
from offline_trainer.records import describe
from offline_trainer.reproduction.recorded import RecordedRun
from offline_trainer.run.config_changes import that_change_the_run
from offline_trainer.run.config_hash import config_hash
from offline_trainer.run.differences import ABSENT, Difference, differences
from offline_trainer.run.directory import RESOLVED_NAME
from offline_trainer.run.input_files import InputFile, hash_file, input_files
from offline_trainer.run.manifest import RunManifest
from offline_trainer.secrets_scope import secrets_hidden

COMMAND = "ot reproduce"

LEFT_OUT = "loggers"
"""They change nothing of a run, and would write where its own did."""

_NOT_READ = ("params", LEFT_OUT)
"""What may hold secrets that nobody needs: `params` have gone into the values made from them."""

_SHORT = 12


@dataclass(frozen=True, slots=True)
class Caller:
    """What the caller allows and leaves out, as for `run_experiment`.

    Attributes:
        trust: The run's config may import what its settings allow.
    """

    trust: bool = False
    allow_target: bool = False
    no_plugin: Sequence[str] = ()

    def options(self) -> dict[str, Any]:
        """The keyword arguments of `prepare` and `run_experiment`."""
        return {
            "no_plugin": self.no_plugin,
            "allow_target": self.allow_target,
            "untrusted": not self.trust,
            "stored": True,
        }


@dataclass(frozen=True, slots=True)
class Recomposed:
    """A run as it would start here.

    Attributes:
        overrides: The caller's, and one that leaves out the loggers unless the caller gives some.
        prepared: Its config, checked.
        manifest: What its run.json would say.
    """

    overrides: tuple[str, ...]
    prepared: Prepared
    manifest: RunManifest

    def overridden(self, *path: str | int) -> bool:
        """Whether the caller set a value."""
        return is_overridden(self.prepared.resolved, path)

    @property
    def starts_elsewhere(self) -> bool:
        """Whether the caller says what to go on or start from."""
        return self.overridden("run", "resume_from") or self.overridden("run", "init_from")


@secrets_hidden()
@exits_told()
def recompose(run: RecordedRun, overrides: Sequence[str], caller: Caller) -> Recomposed:
    """Prepare a recorded run here: config, plugins, engine and data.

    Raises:
        ConfigError: The config cannot be used here, or needs a secret that no override gives.
        OfflineTrainerError: Its data files cannot be told.
    """
    resolved = resolve_config(run.config_file, overrides, untrusted=not caller.trust)
    require_secrets(resolved, [name for name in resolved.data if name not in _NOT_READ], COMMAND)
    without = LEFT_OUT in resolved.data and not is_overridden(resolved, (LEFT_OUT,))
    arguments = (*overrides, f"~{LEFT_OUT}") if without else tuple(overrides)
    prepared = prepare(run.config_file, arguments, **caller.options())
    builder = prepared.builder(caller.allow_target)
    engine, device = builder.engine(prepared.run.settings())
    manifest = describe(prepared, engine, device)
    files = _files_here(builder, prepared.run.seed, run.manifest.data)
    return Recomposed(arguments, prepared, replace(manifest, data=files))


def all_differences(run: RecordedRun, here: Recomposed) -> list[Difference]:
    """Everything in which a run would start otherwise here, the config first."""
    return [*_config(run, here), *_origin(run, here), *differences(run.manifest, here.manifest)]


def _files_here(
    builder: Builder, seed: int, recorded: tuple[InputFile, ...] | None
) -> tuple[InputFile, ...] | None:
    """The files that are read here; those that are left of the recorded ones, if that fails."""
    try:
        datamodule = builder.datamodule(seed)
    except ConfigError:
        found = tuple(file for file in map(_now, recorded or ()) if file is not None)
        if found == (recorded or ()):
            raise  # they are not why
        return found
    return input_files(datamodule)


def _now(file: InputFile) -> InputFile | None:
    try:
        return hash_file(Path(file.path))
    except (OSError, ValueError):
        return None


def _config(run: RecordedRun, here: Recomposed) -> Iterator[Difference]:
    stored = config_hash(run.stored.data)
    if stored != run.manifest.config_hash:
        hashes = [each[:_SHORT] for each in (run.manifest.config_hash, stored)]
        yield Difference(f"hash of {RESOLVED_NAME}", hashes[0], hashes[1])
    then, now = run.stored.data, here.prepared.shown
    for each in that_change_the_run(
        compare(Side(then, run.stored.source_map), Side(now)), then, now
    ):
        before, after = _shown(then, each.before), _shown(now, each.after)
        if before != HIDDEN:
            moved = _has_files(before, run.manifest) and _has_files(after, here.manifest)
            yield Difference(f"config {each.path}", before, after, changes_bytes=not moved)


def _shown(data: dict[str, Any], path: ConfigPath | None) -> str:
    return ABSENT if path is None else str(value_at(data, path))


def _has_files(place: str, manifest: RunManifest) -> bool:
    """Whether data files are at a path: what is in them is compared, not where they are."""
    return any(Path(file.path).is_relative_to(place) for file in manifest.data or ())


def _origin(run: RecordedRun, here: Recomposed) -> Iterator[Difference]:
    origin = run.manifest.origin
    if origin is None or here.starts_elsewhere:
        return
    try:
        found = f"manifest {read_manifest(Path(origin.path)).sha256[:_SHORT]}…"
    except (OfflineTrainerError, ValueError):
        found = "no good checkpoint"
    recorded = f"manifest {origin.sha256[:_SHORT]}…"
    if found != recorded:
        yield Difference(f"checkpoint it started from, {origin.path}", recorded, found)
