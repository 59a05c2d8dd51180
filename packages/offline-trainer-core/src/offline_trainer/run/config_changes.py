"""What a resumed run's config says otherwise than the one its checkpoint was trained with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from model_constructor.config.diff import Difference, Side, compare
from model_constructor.config.paths import value_at
from model_constructor.config.resolve import resolve_config
from model_constructor.errors import ConfigError, ConfigPath
from model_constructor.listing import first_few
from offline_trainer.run.config_hash import config_hash as hash_of
from offline_trainer.run.config_hash import hashed_data
from offline_trainer.run.directory import resolved_config

SHOWN = 6

_NOTHING = object()


def config_changes(run: Path, config_hash: str, data: Mapping[str, Any]) -> str:
    """The paths that differ, each with both values; empty when nothing does.

    Args:
        run: The earlier run's directory.
        config_hash: Of the config that it had then.
        data: The resolved config of now.
    """
    try:
        earlier = resolve_config(resolved_config(run, config_hash), untrusted=True)
    except ConfigError:
        return f"{run} has no readable config to compare with"
    if hash_of(earlier.data) != config_hash:
        return f"what it was cannot be told, for the config in {run} is another one"
    differences = compare(Side(earlier.data, earlier.source_map), Side(data))
    changed = [
        f"{each.path}: {_shown(earlier.data, each.before)} → {_shown(data, each.after)}"
        for each in that_change_the_run(differences, earlier.data, data)
    ]
    return first_few(changed, SHOWN, "; ")


def that_change_the_run(
    differences: Iterable[Difference], first: Mapping[str, Any], second: Mapping[str, Any]
) -> list[Difference]:
    """Those of the differences between two configs in which what is hashed differs."""
    hashed = hashed_data(first), hashed_data(second)
    return [
        each
        for each in differences
        if _found(hashed[0], each.before) != _found(hashed[1], each.after)
    ]


def _found(data: Any, path: ConfigPath | None) -> Any:
    """What stands at a path, or that nothing does, which the hash leaving it out amounts to."""
    try:
        return value_at(data, path) if path is not None else _NOTHING
    except KeyError:
        return _NOTHING


def _shown(data: Mapping[str, Any], path: ConfigPath | None) -> Any:
    return value_at(data, path) if path is not None else "unset"
