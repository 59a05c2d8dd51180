"""What plugin authors test with; imported by nothing in the framework itself.

`PluginConformance` and `EngineConformance` need pytest, which is imported when one of them is asked
for. The fixtures are opted into with ``pytest_plugins = ["offline_trainer.testing.fixtures"]``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offline_trainer.testing.engine_conformance import EngineConformance
    from offline_trainer.testing.plugin_conformance import PluginConformance

__all__ = ["EngineConformance", "PluginConformance"]

_HOMES = {
    "EngineConformance": "offline_trainer.testing.engine_conformance",
    "PluginConformance": "offline_trainer.testing.plugin_conformance",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import pytest

    pytest.register_assert_rewrite(home)  # so that a failing check shows its values
    return getattr(import_module(home), name)
