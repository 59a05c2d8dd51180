"""Train a model from recorded data: plugins, the loop, checkpoints, and the ``ot`` command.

Importing this package imports no framework, no numpy and no yaml.
"""

from __future__ import annotations

__version__ = "0.1.0"
