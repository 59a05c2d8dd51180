"""What the documentation says ``ot`` prints about a plugin is what it prints."""

from __future__ import annotations

import os
from pathlib import Path

from plugin_sources import write_distribution

from ot_process import RunOt

PAGE = Path(__file__).parent.parent / "docs" / "plugins.md"


def test_the_line_about_a_broken_plugin_is_as_documented(ot: RunOt, tmp_path: Path) -> None:
    folder = write_distribution(tmp_path, "lion", "import lion_pytorch\n")
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    done = ot("list-components", "--plugin", "core", env={"PYTHONPATH": path})
    assert done.stderr in PAGE.read_text()
    assert done.stderr.startswith("ot: plugin 'lion' (ot-lion 0.2.0) not loaded: ")
