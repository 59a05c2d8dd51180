"""How the tests start ``ot`` as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

OT = (sys.executable, "-m", "offline_trainer.cli")

RunOt = Callable[..., "subprocess.CompletedProcess[str]"]
