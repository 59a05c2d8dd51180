"""Sources of plugin modules for tests, and how to install one: a real dist-info on a path."""

from __future__ import annotations

from pathlib import Path

GOOD = """
from offline_trainer.plugins.hooks import hookimpl
OT_PLUGIN_API = (1, 0)

@hookimpl
def ot_register_components(registry):
    registry.add_lazy("data.{module}", "{module}:Data", help="Test data.")

class Data:
    '''Data for tests.'''
"""


def registering(*calls: str, head: str = "") -> str:
    """A plugin module whose registrar makes these calls of ``registry.add_lazy``."""
    lines = "".join(f"    registry.add_lazy({call})\n" for call in calls)
    return (
        "from offline_trainer.plugins.hooks import hookimpl\nOT_PLUGIN_API = (1, 0)\n\n"
        f"@hookimpl\ndef ot_register_components(registry):\n{lines}\n\n{head}"
    )


def write_distribution(
    folder: Path,
    module: str,
    source: str | None = GOOD,
    *,
    distribution: str = "",
    name: str = "",
    version: str = "0.2.0",
) -> Path:
    """Write a distribution with one plugin module; answers the folder to put on ``sys.path``."""
    distribution = distribution or f"ot-{module.replace('_', '-')}"
    place = folder / distribution
    info = place / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
    )
    (info / "entry_points.txt").write_text(
        f"[offline_trainer.plugins]\n{name or module} = {module}\n"
    )
    if source is not None:
        (place / f"{module}.py").write_text(source.replace("{module}", module))
    return place
