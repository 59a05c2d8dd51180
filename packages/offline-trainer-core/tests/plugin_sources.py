"""Sources of plugins that tests put on ``sys.path``, and how they are put there."""

from __future__ import annotations

from collections.abc import Callable

from offline_trainer.plugins.loader import Plugins, PluginStatus

GOOD = """
from offline_trainer.plugins.hooks import hookimpl
OT_PLUGIN_API = (1, 0)

@hookimpl
def ot_register_components(registry):
    registry.add_lazy("data.{module}", "{module}:Data", help="Test data.")
"""

Install = Callable[..., None]
"""``install(module, source, distribution=, name=, version=, folder=)``"""


def status_of(plugins: Plugins, name: str) -> PluginStatus:
    """What became of the one plugin of a name."""
    (status,) = [s for s in plugins.statuses if s.provider.plugin == name]
    return status
