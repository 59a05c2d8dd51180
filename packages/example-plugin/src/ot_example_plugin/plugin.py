"""What `ot` loads: the names of this plugin's components. Must not import anything heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offline_trainer.plugins.hooks import hookimpl

if TYPE_CHECKING:
    from model_constructor.registry import Registrar

OT_PLUGIN_API = (1, 0)  # the version of the plugin interface this was written for


@hookimpl
def ot_register_components(registry: Registrar) -> None:
    """Name each component and where its class is; the class is imported when a config uses it."""
    registry.add_lazy(
        "data.constant_regression",
        "ot_example_plugin.data:ConstantRegression",
        help="Inputs of ones and one constant target, for trying things out.",
        tags=("example", "synthetic"),
    )
    registry.add_lazy(
        "loss.pseudo_huber",
        "ot_example_plugin.loss:PseudoHuber",
        help="Squared error for small differences, absolute error for large ones.",
        tags=("example",),
    )
    registry.add_lazy(
        "trainer.verbose",
        "ot_example_plugin.trainer:VerboseTrainer",
        help="trainer.default, announced by a printed line.",
        tags=("example",),
    )
