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

BROKEN = {
    "import error": ("import nothing_of_that_name", "error", "ModuleNotFoundError"),
    "syntax error": ("def (", "error", "SyntaxError"),
    "sys.exit": ("import sys; sys.exit(3)", "error", "SystemExit"),
    "no Exception": ("raise type('Skipped', (BaseException,), {})('x')", "error", "Skipped: x"),
    "no message": (
        "class Mute(Exception):\n    def __str__(self):\n        raise OSError\nraise Mute",
        "error",
        "Mute: (no message: its __str__ raised OSError)",
    ),
    "no API": ("x = 1", "incompatible", "OT_PLUGIN_API = (1, 0)"),
    "newer API": ("OT_PLUGIN_API = (1, 9)", "incompatible", "(1, 9)"),
    "other major": ("OT_PLUGIN_API = (2, 0)", "incompatible", "(2, 0)"),
    "malformed API": ("OT_PLUGIN_API = '1.0'", "incompatible", "two integers"),
    "misspelt hook": (
        GOOD.replace("ot_register_components", "ot_register_component"),
        "error",
        "did you mean ot_register_components",
    ),
    "bad hook argument": (GOOD.replace("(registry)", "(registry, colour)"), "error", "colour"),
    "half-way failure": (GOOD + "    raise RuntimeError('half-way')\n", "error", "half-way"),
}
"""Case → source, state, and a part of the reason."""

Install = Callable[..., None]
"""``install(module, source, distribution=, name=, version=, folder=)``"""


def status_of(plugins: Plugins, name: str) -> PluginStatus:
    """What became of the one plugin of a name."""
    (status,) = [s for s in plugins.statuses if s.provider.plugin == name]
    return status
