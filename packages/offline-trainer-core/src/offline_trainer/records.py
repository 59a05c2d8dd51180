"""What a run writes down at its start: manifest, configs, fitted transforms."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from model_constructor.config.resolve import ResolvedConfig
from model_constructor.config.resolved_yaml import dump_resolved
from model_constructor.foreign import error_text
from offline_trainer.notices import notice
from offline_trainer.plugins.loader import Plugins
from offline_trainer.protocols import DataModule
from offline_trainer.run.config_hash import config_hash
from offline_trainer.run.directory import RunDirectory
from offline_trainer.run.manifest import RunManifest, describe_run
from offline_trainer.secrets_scope import shown_argument

_PACKAGES = ("model-constructor", "offline-trainer-core")


def describe(
    directory: RunDirectory, resolved: ResolvedConfig, plugins: Plugins, device: str
) -> RunManifest:
    """What run.json will say.

    Args:
        device: What the engine chose.
    """
    return describe_run(
        versions=_versions(plugins),
        plugins=plugins.versions(),
        seed=resolved.data["run"].get("seed", 0),
        device=device,
        config_hash=config_hash(resolved.data),
        argv=[shown_argument(argument) for argument in sys.argv],
        earlier=directory.earlier,
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
    directory.write_manifest(manifest)
    files = {str(file.path): file.content.decode("utf-8-sig") for file in reversed(resolved.files)}
    directory.write_config(files, dump_resolved(shown, resolved.source_map))
    transform_state = getattr(datamodule, "transform_state", None)
    fitted = transform_state() if transform_state is not None else None
    if fitted is not None:
        directory.write_transforms(fitted)


def _versions(plugins: Plugins) -> dict[str, str]:
    from importlib_metadata import version  # `ot check` does without it

    versions = {name: version(name) for name in _PACKAGES}
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
