"""What a resumed run's config says otherwise than the one its checkpoint was trained with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from model_constructor.config.resolve import resolve_config
from model_constructor.errors import ConfigError, ConfigPath, format_config_path
from offline_trainer.run.config_hash import LEFT_OUT

SHOWN = 6


def config_changes(resolved_file: Path, data: Mapping[str, Any]) -> str:
    """The paths that differ, each with both values; empty when nothing does.

    Args:
        resolved_file: The earlier run's ``config.resolved.yaml``; need not exist.
        data: The resolved config of now.
    """
    try:
        earlier = resolve_config(resolved_file, untrusted=True).data
    except ConfigError:
        return "it has no readable config.resolved.yaml to compare with"
    before, now = dict(_leaves(earlier, ())), dict(_leaves(data, ()))
    changed = [
        f"{format_config_path(path)}: {before.get(path, 'unset')} → {now.get(path, 'unset')}"
        for path in {**before, **now}
        if before.get(path, _UNSET) != now.get(path, _UNSET)
    ]
    hidden = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
    return "; ".join(changed[:SHOWN]) + hidden


_UNSET = object()


def _leaves(value: Any, path: ConfigPath) -> Iterator[tuple[ConfigPath, Any]]:
    if any(path[: len(left_out)] == left_out for left_out in LEFT_OUT):
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    else:
        yield path, value
