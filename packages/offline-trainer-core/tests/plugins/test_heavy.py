"""Which plugin imported something heavy, and in which line; fresh processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from made_up_plugins import GOOD, Install

PROGRAM = """
import json, sys
sys.path[:0] = {path!r}
from offline_trainer.plugins.loader import load_plugins
finders = list(sys.meta_path)
plugins = load_plugins()
assert sys.meta_path == finders
print(json.dumps({{s.module: dict(s.heavy_imports) for s in plugins.statuses}}))
"""


def heavy_imports() -> dict[str, dict[str, str]]:
    """Plugin module → its heavy imports, as a fresh process sees them."""
    program = PROGRAM.format(path=[entry for entry in sys.path if entry])
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


def test_a_heavy_plugin_is_reported_with_the_line_of_the_import(
    install: Install, tmp_path: Path
) -> None:
    install("a_light", GOOD)
    install("b_heavy", "# a comment\nimport torch\n" + GOOD)
    install("c_second", "import torch\n" + GOOD)
    (tmp_path / "ot-b_heavy" / "torch.py").touch()
    found = heavy_imports()
    assert found["b_heavy"] == {"torch": f"{tmp_path / 'ot-b_heavy' / 'b_heavy.py'}:2"}
    assert found["a_light"] == found["c_second"] == {}


def test_an_import_by_another_package_is_told_at_the_plugins_own_line(
    install: Install, tmp_path: Path
) -> None:
    install("heavy", "\n\ndef load():\n    import between\n\nload()\n" + GOOD)
    folder = tmp_path / "ot-heavy"
    (folder / "between.py").write_text("import torch\n")
    (folder / "torch.py").touch()
    assert heavy_imports()["heavy"] == {"torch": f"{folder / 'heavy.py'}:4"}


def test_a_heavy_module_that_is_tried_and_not_there_is_no_heavy_import(install: Install) -> None:
    source = "try:\n    import jax\nexcept ImportError:\n    pass\n"
    install("trying", source + GOOD)
    assert heavy_imports()["trying"] == {}
