"""What a run computes on."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any


def describe_hardware(device: str, threads: int | None) -> dict[str, Any]:
    """The ``hardware`` of run.json.

    Args:
        device: What `Engine.prepare` returned.
        threads: How many the engine computes with; None where it does not say.
    """
    return {
        "cpu_count": os.cpu_count(),
        "cpu": _cpu_model(),
        "platform": platform.platform(),
        "device": device,
        "threads": threads,
    }


def device_type(device: str) -> str:
    """A device without its number: equal cards compute equal bytes.

    >>> device_type("cuda:1 (NVIDIA H100)"), device_type("cpu")
    ('cuda (NVIDIA H100)', 'cpu')
    """
    return re.sub(r"^(\w+):\d+", r"\1", device)


def _cpu_model() -> str:
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:  # not Linux
        found = None
    return found[1] if found else platform.processor() or platform.machine()
