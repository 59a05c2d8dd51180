"""`log.tensorboard`: metrics as TensorBoard's event files."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from model_constructor.errors import ParameterError
from offline_trainer.engine import Stage


class TensorboardLogger:
    """A curve for each metric, ``train/loss``, ``val/accuracy`` and so on, over steps.

    ``tensorboard --logdir runs`` shows every run below ``runs``. The resolved config is beside the
    curves, as text. In a resumed run, what an interrupted attempt wrote of later steps is hidden.

    Args:
        folder_name: Name of the folder in the run directory.

    Raises:
        ParameterError: It is a path and not a name.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as run:
    ...     logger = TensorboardLogger()
    ...     logger.begin(out_dir=Path(run), step=0)
    ...     logger.log_metrics({"loss": 0.5}, step=1, stage="train")
    ...     logger.close()
    ...     [path.name.split(".")[0] for path in Path(run, "tensorboard").iterdir()]
    ['events']
    """

    def __init__(self, folder_name: str = "tensorboard") -> None:
        if not folder_name or folder_name != Path(folder_name).name:
            raise ParameterError(
                f"folder_name must be a name in the run directory, got {folder_name!r}",
                parameter="folder_name",
            )
        self._folder_name = folder_name
        self._writer: SummaryWriter | None = None

    def begin(self, *, out_dir: Path, step: int) -> None:
        """Open a new event file; where a run goes on, the rows after its step are taken back."""
        self.close()
        purge_step = step + 1 if step else None
        self._writer = SummaryWriter(str(out_dir / self._folder_name), purge_step=purge_step)

    def log_hparams(self, params: Mapping[str, Any]) -> None:
        """Show the config as text."""
        text = json.dumps(params, indent=4, default=str)
        indented = "".join(f"    {line}\n" for line in text.splitlines())
        self._opened.add_text("config", indented)

    def log_metrics(self, metrics: Mapping[str, float], *, step: int, stage: Stage) -> None:
        """Add a point to each curve; a number that is not finite has none."""
        for name, value in metrics.items():
            if math.isfinite(value):
                self._opened.add_scalar(f"{stage}/{name}", value, step)

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()

    @property
    def _opened(self) -> SummaryWriter:
        if self._writer is None:
            raise RuntimeError("begin(out_dir=…, step=…) comes first")
        return self._writer
