"""Models that no optimizer of the run trains, such as the targets of an algorithm.

They compute and are not trained: evaluation mode for good, and no gradient for their parameters. An
objective may still write to them after a step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from offline_trainer.engine import OptimizerPlan
from offline_trainer.notices import notice


def leave_untrained(models: Mapping[str, nn.Module], plans: Sequence[OptimizerPlan]) -> None:
    """Put every model that no plan names into evaluation mode, without gradients.

    One line on stderr says so for a model that is not frozen by the config: its optimizer may have
    been forgotten.

    Args:
        models: By name.
        plans: The optimizers of the run; where there are none at all, nothing is trained here, and
            nothing is said.
    """
    trained = {name for plan in plans for name in plan.models}
    for name, model in models.items():
        if name in trained:
            continue
        if plans and any(parameter.requires_grad for parameter in model.parameters()):
            notice(
                f"no optimizer trains model `{name}`, which stays in evaluation mode; add "
                f"optimizer.{name} to train it, or `freeze: true` to models.{name}"
            )
        model.eval()
        model.requires_grad_(False)
