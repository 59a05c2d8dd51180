"""What plugin authors test with; imported by nothing in the framework itself.

These names need pytest, which is imported when one of them is asked for; the numpy engine does
not. The fixtures are opted into with ``pytest_plugins = ["offline_trainer.testing.fixtures"]``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offline_trainer.testing.command_line import CliResult, RunCli
    from offline_trainer.testing.distributions import FakeDistribution, FakeDistributions
    from offline_trainer.testing.engine_conformance import EngineConformance
    from offline_trainer.testing.loading import PluginManager
    from offline_trainer.testing.plugin_conformance import PluginConformance

__all__ = [
    "CliResult",
    "EngineConformance",
    "FakeDistribution",
    "FakeDistributions",
    "PluginConformance",
    "PluginManager",
    "RunCli",
]

_HOMES = {
    "CliResult": "command_line",
    "EngineConformance": "engine_conformance",
    "FakeDistribution": "distributions",
    "FakeDistributions": "distributions",
    "PluginConformance": "plugin_conformance",
    "PluginManager": "loading",
    "RunCli": "command_line",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import pytest

    home = f"{__name__}.{_HOMES[name]}"
    if home not in sys.modules:
        pytest.register_assert_rewrite(home)  # so that a failing check shows its values
    return getattr(import_module(home), name)
