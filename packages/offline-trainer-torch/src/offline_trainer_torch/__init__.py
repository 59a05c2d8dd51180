"""PyTorch for offline_trainer: engine, losses, optimizers, schedules and metrics.

Importing this package imports no torch; the components do, when they are resolved.
"""

from __future__ import annotations

__version__ = "0.1.0"
