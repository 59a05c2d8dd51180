"""What the tests of this package share: a registry with torch's keys, and engines ready to step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from model_constructor.registry import Registry
from offline_trainer.engine import MicroBatch, OptimizerPlan, Precision, RunSettings, Task
from offline_trainer.objective import SupervisedObjective
from offline_trainer_torch.engine import TorchEngine
from offline_trainer_torch.loss import TorchLoss
from offline_trainer_torch.optimizers import OptimizerFactory
from offline_trainer_torch.plugin import ot_register_components
from offline_trainer_torch.schedulers import SchedulerFactory

StartEngine = Callable[..., TorchEngine]


class FieldsIo:
    """The model gets field ``x`` of a batch, the loss field ``y``."""

    def split(
        self, batch: Any, stage: str
    ) -> tuple[tuple[tuple[Any, ...], dict[str, Any]], Any, Any]:
        return ((batch["x"],), {}), {"y": batch.get("y")}, None


@pytest.fixture(autouse=True)
def _torch_as_found() -> Iterator[None]:
    """Each test starts from the same random stream and leaves torch's settings as they were."""
    torch.manual_seed(0)
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.deterministic = False
    torch.set_float32_matmul_precision("highest")
    torch.set_flush_denormal(False)
    torch.set_num_threads(threads)
    torch.set_default_dtype(dtype)


@pytest.fixture
def registry() -> Registry:
    """A registry with this package's keys."""
    registry = Registry()
    ot_register_components(registry)
    return registry


@pytest.fixture
def start_engine(registry: Registry) -> StartEngine:
    """Make an engine that has been set up and can take steps."""

    def start(
        model: nn.Module | Mapping[str, nn.Module],
        *,
        objective: Any = None,
        plans: Sequence[OptimizerPlan] | None = None,
        optimizer: str = "SGD",
        kwargs: Mapping[str, Any] | None = None,
        scheduler: SchedulerFactory | None = None,
        loss: Any = None,
        clip_grad_norm: float | None = None,
        clip_grad_value: float | None = None,
        device: str = "cpu",
        precision: Precision = "fp32",
        seed: int = 0,
        example: Any = None,
        engine: TorchEngine | None = None,
    ) -> TorchEngine:
        models = dict(model) if isinstance(model, Mapping) else {"model": model}
        if objective is None:
            objective = SupervisedObjective()
            objective.bind(FieldsIo(), TorchLoss(loss if loss is not None else nn.MSELoss()))
        if plans is None:
            factory = OptimizerFactory(f"optim_cls.{optimizer}", kwargs=kwargs)
            plans = [OptimizerPlan("optimizer", tuple(models), factory, scheduler)]
        engine = TorchEngine() if engine is None else engine
        engine.prepare(RunSettings(seed=seed, device=device, precision=precision))
        task = Task(models, objective, plans, registry, clip_grad_norm, clip_grad_value)
        engine.setup(task, example)
        return engine

    return start


@pytest.fixture
def make_batches() -> Callable[..., list[MicroBatch]]:
    """Make random micro-batches of ``x`` (B, 4) and ``y`` (B, 3) for the batch sizes given."""

    def make(*sizes: int, dtype: Any = np.float32, seed: int = 1) -> list[MicroBatch]:
        random = np.random.Generator(np.random.PCG64(seed))
        return [
            MicroBatch(
                {
                    "x": random.standard_normal((size, 4)).astype(dtype),
                    "y": random.standard_normal((size, 3)).astype(dtype),
                },
                float(size),
            )
            for size in sizes
        ]

    return make
