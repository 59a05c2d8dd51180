"""What plugins find wrong with a config, each finding at its place and with its owner."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from model_constructor.errors import ConfigError, raise_collected
from model_constructor.source_map import SourceMap
from offline_trainer.errors import OfflineTrainerError
from offline_trainer.notices import notice
from offline_trainer.plugins.loader import Plugins


def check_by_plugins(plugins: Plugins, data: Mapping[str, Any], sources: SourceMap) -> None:
    """Show the resolved config to every plugin's `ot_check_config`.

    Plugins look at a copy, so that the run's config stays as it is. One that raises is named in a
    notice, and what it reported before that still counts.

    Raises:
        ConfigError: All findings of all plugins, together.
        OfflineTrainerError: A plugin raised, and ``OT_STRICT_PLUGINS=1``.
    """
    errors: list[ConfigError] = []
    reported: list[tuple[str, tuple[str | int, ...]]] = []

    def report(message: str, config_path: Sequence[str | int] = ()) -> None:
        path = (config_path,) if isinstance(config_path, str) else tuple(config_path)
        reported.append((str(message), path))

    calls = plugins.call_each("ot_check_config", config=copy.deepcopy(data), report=report)
    for plugin, result in calls:
        if isinstance(result, Exception):
            notice(plugins.hook_failure(plugin, "ot_check_config", result))
        for message, path in reported:
            errors.append(
                ConfigError(
                    message,
                    code="OT0330",
                    config_path=path,
                    span=sources.span(path),
                    help=f"found by plugin '{plugin}'; without it: --no-plugin {plugin}",
                )
            )
        reported.clear()
        if plugins.strict and isinstance(result, Exception):
            raise OfflineTrainerError(
                f"OT_STRICT_PLUGINS=1 and plugin '{plugin}' failed in ot_check_config",
                help=f"without it: --no-plugin {plugin}; without OT_STRICT_PLUGINS ot goes on",
            ) from result
    raise_collected(errors)
