"""Making a distribution with a plugin on the spot: a real dist-info folder on ``sys.path``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from model_constructor.registry import Provider
from offline_trainer.plugins.discovery import GROUP, Candidate, origin_of


@dataclass(frozen=True, slots=True)
class FakeDistribution:
    """A distribution that is importable and discoverable until the test ends.

    Attributes:
        root: The folder that is on ``sys.path``.
        info: Its dist-info folder.
        candidate: What discovery finds.
    """

    root: Path
    info: Path
    candidate: Candidate


class FakeDistributions:
    """Makes distributions; call it once for each. The fixture ``ot_fake_dist`` is one of these."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._patch = patch

    def __call__(
        self,
        source: str,
        *,
        module: str = "ot_fake",
        distribution: str = "",
        plugin: str = "",
        version: str = "0.1.0",
    ) -> FakeDistribution:
        """Write a plugin module and the metadata that names it, and put both on ``sys.path``.

        Args:
            source: What is in the plugin module.
            module: The module's name.
            distribution: By default the module's name with hyphens.
            plugin: By default the module's name.
            version: The distribution's.
        """
        distribution = distribution or module.replace("_", "-")
        root = self._folder / f"{distribution}-{version}"
        info = root / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{plugin or module} = {module}\n")
        (root / f"{module}.py").write_text(source)
        self._patch.syspath_prepend(str(root))
        provider = Provider(distribution, version, plugin or module, origin_of(distribution))
        return FakeDistribution(root, info, Candidate(provider, module))

    def forget_modules(self) -> None:
        """Take everything imported from these distributions out of ``sys.modules``."""
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if file is not None and self._folder in Path(file).parents:
                del sys.modules[name]
