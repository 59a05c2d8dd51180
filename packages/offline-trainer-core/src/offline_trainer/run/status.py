"""status.json: how far a run is, or how it ended."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

RunState = Literal["running", "done", "interrupted", "failed", "diverged"]


@dataclass(frozen=True, slots=True)
class Status:
    """How far a run is, or how it ended.

    Attributes:
        state: Where it stands.
        step: Optimizer steps done.
        epoch: Epochs done.
        exit_code: What the process ended with; None while it runs.
        message: One line on why it ended, when it failed.
    """

    state: RunState
    step: int = 0
    epoch: int = 0
    exit_code: int | None = None
    message: str | None = None

    def to_bytes(self) -> bytes:
        """The content of status.json."""
        return (json.dumps(asdict(self), indent=1) + "\n").encode()
