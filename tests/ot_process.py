"""How the tests start ``ot`` as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

OT = (sys.executable, "-m", "offline_trainer.cli")

RunOt = Callable[..., "subprocess.CompletedProcess[str]"]


def run_ot(
    folder: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    timeout_seconds: float = 300,
) -> subprocess.CompletedProcess[str]:
    """Run ``ot`` in a folder to its end, on one thread."""
    return subprocess.run(
        [*OT, *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
