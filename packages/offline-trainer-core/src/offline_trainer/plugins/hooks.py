"""The hooks a plugin can implement. Arguments may be added here, never removed, within a major."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from model_constructor.errors import ConfigPath
    from model_constructor.registry import Entry, Registrar

PROJECT = "offline_trainer"
PLUGIN_API = (1, 0)
"""Version of this file's contract; a plugin states the one it was written for."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def ot_register_components(registry: Registrar) -> None:
    """Add keys with `registry.add_lazy`; all of a plugin's keys arrive, or none."""


@hookspec(firstresult=True)
def ot_resolve_component(key: str, config_path: ConfigPath) -> Entry | None:
    """Supply an entry for a key that nobody registered, or return None.

    ``config_path`` is empty for now: a key is looked up without its place.
    """


@hookspec
def ot_check_config(config: Mapping[str, Any], report: Any) -> None:
    """Add findings about a resolved config with ``report(message, config_path)``."""


@hookspec
def ot_run_start(run: Any) -> None:
    """A run is about to train."""


@hookspec
def ot_run_end(run: Any, outcome: str) -> None:
    """A run has ended: ``done``, ``interrupted``, ``diverged`` or ``failed``."""


@hookspec
def ot_environment(thorough: bool) -> Sequence[tuple[str, str]]:
    """Rows (name, value) for the run manifest and, where ``thorough``, for ``ot doctor``.

    Only a thorough answer may import something heavy.
    """
    return ()
