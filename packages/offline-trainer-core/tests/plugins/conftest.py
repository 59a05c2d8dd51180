"""Real distributions on ``sys.path``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_up_plugins import Install


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a distribution with one plugin module on ``sys.path``."""
    modules: list[str] = []

    def make(
        module: str,
        source: str,
        *,
        distribution: str = "",
        name: str = "",
        version: str = "0.2.0",
        folder: str = "",
        entry: str = "",
    ) -> None:
        distribution = distribution or f"ot-{module}"
        root = tmp_path / (folder or distribution)
        info = root / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        entry = entry or f"{name or module} = {module}"
        (info / "entry_points.txt").write_text(f"[offline_trainer.plugins]\n{entry}\n")
        (root / f"{module}.py").write_text(source.replace("{module}", module))
        monkeypatch.syspath_prepend(str(root))
        modules.append(module)

    yield make
    for module in modules:
        sys.modules.pop(module, None)
