"""Heavy modules: what no plugin may import while `ot` loads it, and where one did."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import FrameType, ModuleType

HEAVY_MODULES = frozenset(
    {
        "cv2",
        "datasets",
        "gymnasium",
        "h5py",
        "jax",
        "keras",
        "lightning",
        "matplotlib",
        "numba",
        "numpy",
        "pandas",
        "PIL",
        "polars",
        "pyarrow",
        "scipy",
        "sklearn",
        "tensorflow",
        "torch",
        "torchaudio",
        "torchmetrics",
        "torchvision",
        "transformers",
        "yaml",
    }
)
"""What no `ot` command should have to import only because a plugin is installed."""


class HeavyImports:
    """A context in which imports of `HEAVY_MODULES` are noted; it finds no module itself.

    Args:
        module: The plugin module that is loaded in it.
    """

    def __init__(self, module: str) -> None:
        self._package = module.partition(".")[0]
        self._places: dict[str, str] = {}

    def __enter__(self) -> HeavyImports:
        sys.meta_path.insert(0, self)
        return self

    def __exit__(self, *_: object) -> None:
        sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> None:
        """Note who imports a heavy module; what follows on the meta path finds it."""
        if name in HEAVY_MODULES and name not in self._places:
            self._places[name] = self._importing_line()

    def found(self) -> dict[str, str]:
        """Each heavy module that was imported → ``file:line`` of the import."""
        return {name: place for name, place in sorted(self._places.items()) if name in sys.modules}

    def _importing_line(self) -> str:
        """The line of the plugin's own package nearest to the import, or whoever imports."""
        nearest = ""
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            file = frame.f_code.co_filename
            if not file.startswith("<frozen "):
                place = f"{file}:{frame.f_lineno}"
                nearest = nearest or place
                if frame.f_globals.get("__name__", "").partition(".")[0] == self._package:
                    return place
            frame = frame.f_back
        return nearest
