"""What a run writes down at its start: manifest, configs, fitted transforms."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from model_constructor.config.resolve import ResolvedConfig
from model_constructor.config.resolved_yaml import dump_resolved
from model_constructor.foreign import error_text
from offline_trainer.checkpoint.reading import Checkpoint
from offline_trainer.engine import Engine, Json
from offline_trainer.notices import notice
from offline_trainer.plugins.loader import Plugins
from offline_trainer.protocols import DataModule
from offline_trainer.run.attempt_changes import report_attempt_changes, report_other_split
from offline_trainer.run.config_hash import config_hash
from offline_trainer.run.directory import SPLIT_NAME, RunDirectory
from offline_trainer.run.input_files import input_files
from offline_trainer.run.manifest import Origin, RunManifest, describe_run
from offline_trainer.secrets_scope import shown as shown_text
from offline_trainer.secrets_scope import shown_argument

if TYPE_CHECKING:
    from offline_trainer.experiment import Prepared

_PACKAGES = ("model-constructor", "offline-trainer-core", "numpy")


def describe(
    prepared: Prepared,
    engine: Engine,
    device: str,
    *,
    earlier: RunManifest | None = None,
    resumed: Checkpoint | None = None,
    init_from: Checkpoint | None = None,
) -> RunManifest:
    """What run.json will say, all but its data files, which `write_records` adds.

    The config is hashed as it is stored: with the values that the components get, without secrets.

    Args:
        engine: Prepared.
        device: What it chose.
        earlier: The manifest of the run that is resumed in place.
        resumed: The checkpoint that is gone on from.
        init_from: The checkpoint that a new run takes its weights from.
    """
    threads = getattr(engine, "threads", None)
    return describe_run(
        versions=installed_versions(prepared.plugins),
        plugins=prepared.plugins.versions(),
        seed=prepared.run.seed,
        device=device,
        config_hash=config_hash(prepared.shown),
        threads=threads() if threads is not None else None,
        argv=[shown_argument(argument) for argument in sys.argv],
        earlier=earlier,
        origin=_origin(resumed, init_from),
    )


def write_records(
    directory: RunDirectory,
    manifest: RunManifest,
    resolved: ResolvedConfig,
    shown: Mapping[str, Any],
    datamodule: DataModule,
) -> None:
    """Write run.json, the config as given and as resolved, and what the datamodule fitted.

    Args:
        shown: The bound config, as `without_secrets` leaves it.
    """
    manifest = replace(manifest, data=input_files(datamodule))
    report_attempt_changes(directory.earlier, manifest)
    if directory.earlier is not None and directory.earlier.config_hash != manifest.config_hash:
        directory.keep_config(directory.earlier.config_hash)
    directory.write_manifest(manifest)
    files = {str(file.path): file.content.decode("utf-8-sig") for file in reversed(resolved.files)}
    directory.write_config(files, dump_resolved(shown, resolved.source_map))
    fitted = _told(datamodule, "transform_state")
    if fitted is not None:
        directory.write_transforms(fitted)
    split = _told(datamodule, "split_state")
    if split is not None:
        if directory.earlier is not None:
            report_other_split(directory.root / SPLIT_NAME, split)
        directory.write_split(split)


def _told(datamodule: DataModule, method: str) -> Json:
    """What a method that a datamodule may have returns; None if it has none."""
    tells = getattr(datamodule, method, None)
    return tells() if tells is not None else None


def _origin(resumed: Checkpoint | None, init_from: Checkpoint | None) -> Origin | None:
    start = resumed or init_from
    if start is None:
        return None
    path = shown_text(str(start.path.resolve()))
    return Origin("resumed" if resumed else "weights", path, start.manifest.sha256)


@cache
def _own_versions() -> dict[str, str]:
    from importlib.metadata import version  # `ot check` does without it

    return {name: version(name) for name in _PACKAGES}


def installed_versions(plugins: Plugins) -> dict[str, str]:
    """The versions of our own packages, and of what plugins say that they depend on."""
    versions = dict(_own_versions())
    for plugin, rows in plugins.call_each("ot_environment", thorough=False):
        failure = rows
        if not isinstance(rows, Exception):
            try:
                versions.update({str(name): str(value) for name, value in rows})
                continue
            except Exception as error:  # noqa: BLE001 - a plugin may return anything
                failure = TypeError(f"returned no pairs (name, value): {error_text(error)}")
        notice(plugins.hook_failure(plugin, "ot_environment", failure))
    return versions
