"""The hash that says whether two runs were configured alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from model_constructor.errors import ConfigPath

LEFT_OUT: frozenset[ConfigPath] = frozenset(
    {
        ("run", "name"),
        ("run", "out_dir"),
        ("run", "resume_from"),
        ("loggers",),
        ("trainer", "progress"),
        ("trainer", "log_every_n_steps"),
    }
)
"""What a run is called, where it writes, what it shows: none of it changes what is trained."""


def config_hash(data: Mapping[str, Any]) -> str:
    """The sha256 of resolved data without `LEFT_OUT`, independent of the order of keys.

    Paths inside ``run.out_dir`` count as relative to it, for ``${run.out_dir}/checkpoints`` is the
    same setting wherever the run writes.
    """
    text = json.dumps(hashed_data(data), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def hashed_data(data: Mapping[str, Any]) -> Any:
    """What of resolved data is hashed: everything in which a difference changes the run."""
    run = data.get("run")
    out_dir = run.get("out_dir") if isinstance(run, Mapping) else None
    return _kept(data, (), out_dir if isinstance(out_dir, str) and out_dir else None)


def _kept(value: Any, path: ConfigPath, out_dir: str | None) -> Any:
    if isinstance(value, Mapping):
        return {
            key: _kept(item, (*path, key), out_dir)
            for key, item in value.items()
            if (*path, key) not in LEFT_OUT
        }
    if isinstance(value, (list, tuple)):
        return [_kept(item, (*path, index), out_dir) for index, item in enumerate(value)]
    if out_dir and isinstance(value, str) and f"{value}/".startswith(f"{out_dir}/"):
        return f"${{run.out_dir}}{value[len(out_dir) :]}"
    return value
