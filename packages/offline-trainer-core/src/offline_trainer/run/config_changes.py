"""What a resumed run's config says otherwise than the one its checkpoint was trained with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_constructor.config.diff import Side, compare
from model_constructor.config.paths import value_at
from model_constructor.config.resolve import resolve_config
from model_constructor.errors import ConfigError, ConfigPath
from offline_trainer.run.config_hash import is_left_out

SHOWN = 6


def config_changes(resolved_file: Path, data: Mapping[str, Any]) -> str:
    """The paths that differ, each with both values; empty when nothing does.

    Args:
        resolved_file: The earlier run's ``config.resolved.yaml``; need not exist.
        data: The resolved config of now.
    """
    try:
        earlier = resolve_config(resolved_file, untrusted=True)
    except ConfigError:
        return "it has no readable config.resolved.yaml to compare with"
    differences = compare(Side(earlier.data, earlier.source_map), Side(data))
    changed = [
        f"{each.path}: {_shown(earlier.data, each.before)} → {_shown(data, each.after)}"
        for each in differences
        if not is_left_out(each.after or each.before or ())
    ]
    hidden = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
    return "; ".join(changed[:SHOWN]) + hidden


def _shown(data: Mapping[str, Any], path: ConfigPath | None) -> Any:
    return value_at(data, path) if path is not None else "unset"
