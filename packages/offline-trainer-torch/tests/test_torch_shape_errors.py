"""What a person reads when shapes or types do not fit, and the trace of those that do."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from model_constructor.errors import ConfigError
from offline_trainer.config.errors import format_error_with_context
from offline_trainer.experiment import prepare, run_experiment
from offline_trainer.shape_check import check_shapes
from offline_trainer_torch.model_summary import trace_of

Write = Callable[..., str]

CONFIG = """\
schema_version: 1
settings: {{allowed_import_prefixes: [model_constructor., shape_parts]}}
run: {{name: shapes, out_dir: run}}
data: {{_type_: data.random_regression, num_samples: 64, batch_size: 8, x_shape: {x}, y_shape: {y}}}
io: {{_type_: io.mapping, {io}, targets: {{y: [y]}}}}
loss: {{_type_: loss.torch, fn: {{_type_: {loss}}}}}
optimizer: {{_type_: optim_factory.torch, type: optim_cls.SGD, kwargs: {{lr: 0.1}}}}
trainer: {{_type_: trainer.default, max_epochs: 1}}
{model}
"""

PARTS = """
import torch
from torch import nn
from model_constructor.errors import ParameterError
from offline_trainer.engine import EvalOutput
from offline_trainer.protocols import LossOutput, Update

class Uncalibrated(Exception): ...

class Broken(nn.Module):
    def forward(self, x):
        raise Uncalibrated("no calibration file")

class Refuses(nn.Module):
    def __init__(self, size):
        super().__init__()
    def forward(self, x):
        raise ParameterError("size must be even, got 3", parameter="size")

class Chosen(nn.Module):
    def forward(self, x):
        return x[:3] if x.sum().item() else x

class Decaying(nn.Module):
    "A block that reads values while it is made."
    def __init__(self, depth, how):
        super().__init__()
        values = torch.linspace(0, 0.5, depth)
        rates = values.numpy() if how == "numpy" else [value.item() for value in values]
        self.layers = nn.Sequential(nn.LazyLinear(2), *[nn.Dropout(float(rate)) for rate in rates])
    def forward(self, x):
        return self.layers(x)

class Double(nn.Module):
    def forward(self, x):
        return x.double()

class Pair:
    "Trains an actor on what a critic says."
    def updates(self, step, optimizers):
        return (Update(("actor",), self.actor_loss), Update(("critic",), self.critic_loss))
    def actor_loss(self, models, batch, stage):
        return LossOutput(models["critic"](models["actor"](batch["x"])).mean())
    def critic_loss(self, models, batch, stage):
        return LossOutput(models["critic"](batch["y"]).mean())
    def evaluate(self, models, batch, stage):
        return EvalOutput(self.critic_loss(models, batch, stage).loss)
    def predict(self, models, batch):
        return models["actor"](batch["x"])
    def weight(self, batch):
        return float(len(batch["x"]))

class Unfinished(Pair):
    def evaluate(self, models, batch, stage):
        return self.nothing

def register(registry):
    registry.add("broken", Broken)
    registry.add("refuses", Refuses)
    registry.add("chosen", Chosen)
    registry.add("decaying", Decaying)
    registry.add("double", Double)
    registry.add("objective.pair", Pair)
    registry.add("objective.unfinished", Unfinished)
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a config with a model in an empty folder; line 10 is the model's second line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def file(
        model: str,
        *,
        x: str = "[12]",
        y: str = "[2]",
        io: str = "model_kwargs: {x: [x]}",
        loss: str = "nn.MSELoss",
    ) -> str:
        text = CONFIG.format(model=model, x=x, y=y, io=io, loss=loss)
        Path("c.yaml").write_text(text)
        Path("shape_parts.py").write_text(PARTS)
        return "c.yaml"

    return file


def sequential(*layers: str) -> str:
    lines = "".join(f"      - {layer}\n" for layer in layers)
    return f"model:\n  sequential:\n    inputs: [x]\n    layers:\n{lines}"


def graph(*nodes: str, inputs: str = "x", outputs: str = "y") -> str:
    lines = "".join(f"      - {node}\n" for node in nodes)
    return (
        f"model:\n  graph:\n    inputs: [{inputs}]\n    modules:\n"
        "      trunk: {_type_: nn.Linear, in_features: 12, out_features: 48}\n"
        "      head: {_type_: nn.Linear, in_features: 64, out_features: 2}\n"
        f"    nodes:\n{lines}    outputs: [{outputs}]\n"
    )


def said(error: ConfigError) -> list[str]:
    """The rendered error without the excerpt of the file, indentation and columns of spaces."""
    lines = format_error_with_context(error).splitlines()
    return [" ".join(line.split()) for line in lines if "|" not in line.split(":")[0][:8]]


TRUNK = "{name: h, call: 'module:trunk', args: [$x]}"
HEAD = "{name: y, call: 'module:head', args: [$h]}"

CASES: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "a linear layer after another": (
        sequential(
            "{_type_: nn.Linear, in_features: 12, out_features: 48}",
            "{_type_: nn.Linear, in_features: 64, out_features: 2}",
        ),
        {},
        [
            "error[OT0440]: nn.Linear wants 64 features, gets (8, 48) float32",
            "--> c.yaml:14:9",
            "::: c.yaml:14:42 `in_features` is 64 here",
            "::: c.yaml:13:9 (8, 48) float32 comes from layers[0]",
            "::: RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x48 and 64x2)",
            "= path: model.sequential.layers[1]",
            "help: make it 48, or let what comes before give 64",
        ],
    ),
    "channels of a convolution": (
        sequential(
            "{_type_: nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3}",
            "{_type_: nn.Conv2d, in_channels: 4, out_channels: 8, kernel_size: 3}",
        ),
        {"x": "[3, 9, 9]"},
        [
            "error[OT0440]: nn.Conv2d wants 4 channels, gets (8, 8, 7, 7) float32",
            "--> c.yaml:14:9",
            "::: c.yaml:14:42 `in_channels` is 4 here",
            "::: c.yaml:13:9 (8, 8, 7, 7) float32 comes from layers[0]",
            "::: RuntimeError: Given groups=1, weight of size [8, 4, 3, 3], expected "
            "input[8, 8, 7, 7] to have 4 channels, but got 8 channels instead",
            "= path: model.sequential.layers[1]",
            "help: make it 8, or let what comes before give 4",
        ],
    ),
    "a wrong number of dimensions for a convolution": (
        sequential("{_type_: nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3}"),
        {},
        [
            "error[OT0440]: nn.Conv2d failed on (8, 12) float32: RuntimeError: Expected 3D "
            "(unbatched) or 4D (batched) input to conv2d, but got input of size: [8, 12]",
            "--> c.yaml:13:9",
            "::: c.yaml:5:44 (8, 12) float32 is the model's input `x`",
            "= path: model.sequential.layers[0]",
        ],
    ),
    "flattened for a linear layer": (
        sequential(
            "{_type_: nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3}",
            "{_type_: nn.Flatten}",
            "{_type_: nn.Linear, in_features: 200, out_features: 2}",
        ),
        {"x": "[3, 8, 8]"},
        [
            "error[OT0440]: nn.Linear wants 200 features, gets (8, 288) float32",
            "--> c.yaml:15:9",
            "::: c.yaml:15:42 `in_features` is 200 here",
            "::: c.yaml:14:9 (8, 288) float32 comes from layers[1]",
            "::: RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x288 and 200x2)",
            "= path: model.sequential.layers[2]",
            "help: make it 288, or let what comes before give 200",
        ],
    ),
    "a module that a node calls": (
        graph(TRUNK, HEAD),
        {},
        [
            "error[OT0440]: nn.Linear wants 64 features, gets (8, 48) float32",
            "--> c.yaml:17:9",
            "::: c.yaml:14:46 `in_features` is 64 here",
            "::: c.yaml:16:9 (8, 48) float32 comes from node `h`",
            "::: RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x48 and 64x2)",
            "= path: model.graph.nodes[1]",
            "help: make it 48, or let what comes before give 64",
        ],
    ),
    "an operation on unequal shapes": (
        graph(TRUNK, "{name: s, call: 'op:add', args: [$h, $x]}", HEAD.replace("$h", "$s")),
        {},
        [
            "error[OT0440]: op:add failed on (8, 48) float32 and (8, 12) float32: RuntimeError: "
            "The size of tensor a (48) must match the size of tensor b (12) at non-singleton "
            "dimension 1",
            "--> c.yaml:17:9",
            "::: c.yaml:16:9 (8, 48) float32 comes from node `h`",
            "::: c.yaml:5:44 (8, 12) float32 is the model's input `x`",
            "= path: model.graph.nodes[1]",
        ],
    ),
    "joining along the wrong dimension": (
        graph(TRUNK, "{name: s, call: 'op:cat', args: [[$h, $x]]}", HEAD.replace("$h", "$s")),
        {},
        [
            "error[OT0440]: op:cat failed on [(8, 48) float32, (8, 12) float32]: RuntimeError: "
            "Sizes of tensors must match except in dimension 0. Expected size 48 but got size 12 "
            "for tensor number 1 in the list.",
            "--> c.yaml:17:9",
            "::: c.yaml:16:9 (8, 48) float32 comes from node `h`",
            "::: c.yaml:5:44 (8, 12) float32 is the model's input `x`",
            "= path: model.graph.nodes[1]",
        ],
    ),
    "two inputs the wrong way round": (
        graph(TRUNK, "{name: s, call: 'op:matmul', args: [$h, $z]}", HEAD.replace("$h", "$s"),
              inputs="x, z"),
        {"io": "model_args: [[y], [x]]"},
        [
            "error[OT0440]: nn.Linear wants 12 features, gets (8, 2) float32",
            "--> c.yaml:16:9",
            "::: c.yaml:13:47 `in_features` is 12 here",
            "::: c.yaml:5:39 (8, 2) float32 is the model's input `x`",
            "::: RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x2 and 12x48)",
            "= path: model.graph.nodes[0]",
            "help: make it 2, or let what comes before give 12",
        ],
    ),
    "inside a block": (
        "model:\n  sequential:\n    inputs: [x]\n    layers:\n"
        "      - _type_: residual_block\n        inner:\n"
        "          - {_type_: nn.Linear, in_features: 12, out_features: 24}\n"
        "          - {_type_: nn.Linear, in_features: 12, out_features: 12}\n",
        {},
        [
            "error[OT0440]: nn.Linear wants 12 features, gets (8, 24) float32",
            "--> c.yaml:16:13",
            "::: c.yaml:16:46 `in_features` is 12 here",
            "::: c.yaml:13:9 this is inside layers[0]",
            "::: c.yaml:5:44 (8, 12) float32 is the model's input `x`",
            "::: RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x24 and 12x12)",
            "= path: model.sequential.layers[0].inner[1]",
            "help: make it 24, or let what comes before give 12",
        ],
    ),
    "after a lazy layer": (
        sequential("{_type_: mlp, dims: [null, 8, 4]}", "{_type_: mlp, dims: [5, 2]}"),
        {},
        [
            "error[OT0440]: mlp wants 5 features, gets (8, 4) float32",
            "--> c.yaml:14:9",
            "::: c.yaml:14:30 `dims` is 5 here",
            "::: c.yaml:13:9 (8, 4) float32 comes from layers[0]",
            "::: RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x4 and 5x2)",
            "= path: model.sequential.layers[1]",
            "help: make it 4, or let what comes before give 5",
        ],
    ),
    "targets of another shape": (
        sequential("{_type_: nn.Linear, in_features: 12, out_features: 2}"),
        {"y": "[3]"},
        [
            "error[OT0320]: the loss failed on outputs (8, 2) float32 with targets "
            "{y: (8, 3) float32}: RuntimeError: The size of tensor a (2) must match the size of "
            "tensor b (3) at non-singleton dimension 1",
            "--> c.yaml:6:7",
            "::: c.yaml:13:9 the outputs come from here",
            "::: c.yaml:5:63 the target `y` is this field",
            "= path: loss",
        ],
    ),
    "targets of another type": (
        sequential("{_type_: nn.Linear, in_features: 12, out_features: 2}"),
        {"y": "[]", "loss": "nn.CrossEntropyLoss"},
        [
            "error[OT0320]: the loss failed on outputs (8, 2) float32 with targets "
            "{y: (8,) float32}: RuntimeError: expected target dtype to be Long or Byte, but got "
            "Float",
            "--> c.yaml:6:7",
            "::: c.yaml:13:9 the outputs come from here",
            "::: c.yaml:5:63 the target `y` is this field",
            "= path: loss",
        ],
    ),
    "a field that the batch has not": (
        sequential("{_type_: nn.Linear, in_features: 12, out_features: 2}"),
        {"io": "model_kwargs: {x: [z]}"},
        [
            "error[OT0320]: the batch has no field `z`; its fields are `x`, `y`",
            "--> c.yaml:5:44",
            "= path: io.model_kwargs.x",
        ],
    ),
    "a weight that the batch has not": (
        sequential("{_type_: nn.Linear, in_features: 12, out_features: 2}"),
        {"io": "model_kwargs: {x: [x]}, weight: mask"},
        [
            "error[OT0320]: the batch has no field `mask`; its fields are `x`, `y`",
            "--> c.yaml:5:58",
            "= path: io.weight",
        ],
    ),
    "more inputs than the model has": (
        sequential("{_type_: nn.Linear, in_features: 12, out_features: 2}"),
        {"io": "model_args: [[x], [y]]"},
        [
            "error[OT0430]: io feeds 2 positional inputs; the model has 1",
            "--> c.yaml:5:38",
            "= path: io.model_args",
            "help: the model's inputs are x",
        ],
    ),
    "an input that is fed by its place and by its name": (
        sequential("{_type_: nn.Linear, in_features: 12, out_features: 2}"),
        {"io": "model_args: [[x]], model_kwargs: {x: [x]}"},
        [
            "error[OT0430]: io feeds `x`, which io.model_args feeds already",
            "--> c.yaml:5:60",
            "= path: io.model_kwargs.x",
            "help: remove one of the two",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_mismatch_names_the_part_both_shapes_and_where_each_is_from(
    name: str, write: Write
) -> None:
    model, changes, expected = CASES[name]
    assert said(refused(write(model, **changes))) == expected


LINEAR = "{_type_: nn.Linear, in_features: 12, out_features: 2}"
OWN = "imports: [shape_parts]\n"


def refused(config: str, *overrides: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        check_shapes(prepare(config, overrides))
    return caught.value


def test_a_run_explains_the_same_as_the_check(write: Write) -> None:
    model, changes, expected = CASES["a module that a node calls"]
    with pytest.raises(ConfigError) as caught:
        run_experiment(write(model, **changes))
    assert said(caught.value) == expected
    assert not Path("run").exists()


def test_an_error_of_a_modules_own_is_shown_as_it_is_at_its_line(write: Write) -> None:
    error = refused(write(OWN + sequential(LINEAR, "{_type_: broken}")))
    assert said(error) == [
        "error[OT0440]: broken failed on (8, 2) float32: Uncalibrated: no calibration file",
        "--> c.yaml:15:9",
        "::: c.yaml:14:9 (8, 2) float32 comes from layers[0]",
        "= path: model.sequential.layers[1]",
    ]


def test_a_module_can_name_its_parameter_while_it_runs(write: Write) -> None:
    error = refused(write(OWN + sequential("{_type_: refuses, size: 3}")))
    assert str(error) == (
        "size must be even, got 3 path=model.sequential.layers[0].size loc=c.yaml:14:33"
    )


def test_wrong_types_are_found_though_the_meta_device_lets_them_pass(write: Write) -> None:
    error = refused(write(OWN + sequential("{_type_: double}", LINEAR)))
    assert error.message.startswith(
        "nn.Linear failed on (8, 12) float64: RuntimeError: mat1 and mat2 must have the same dtype"
    )


MODELS = """\
objective: {_type_: objective.pair}
models:
  actor:
    sequential: {inputs: [x], layers: [{_type_: nn.Linear, in_features: 12, out_features: 3}]}
  critic:
    sequential: {inputs: [a], layers: [{_type_: nn.Linear, in_features: 2, out_features: 1}]}
"""
WITHOUT = ("~io", "~loss")


def test_every_update_is_tried_in_a_run_of_several_models(write: Write) -> None:
    error = refused(write(OWN + MODELS), *WITHOUT)
    assert said(error)[:4] == [
        "error[OT0440]: nn.Linear wants 2 features, gets (8, 3) float32",
        "--> c.yaml:15:40",
        "::: c.yaml:15:73 `in_features` is 2 here",
        "::: c.yaml:15:27 (8, 3) float32 is the model's input `a`",
    ]


def test_an_objective_of_ones_own_that_fails_is_an_error_at_its_line(write: Write) -> None:
    error = refused(write(OWN + MODELS), *WITHOUT, "objective._type_=objective.unfinished")
    assert error.config_path == ("objective",)
    assert "AttributeError: 'Unfinished' object has no attribute 'nothing'" in error.message


def test_everything_that_cannot_be_built_is_reported_together(write: Write) -> None:
    config = write(sequential(LINEAR))
    error = refused(
        config, "data.batch_size=0", "optimizer.kwargs.lr=-1", "~model.sequential.layers[0]",
        "model.sequential.layers+={_type_: mlp, dims: [4, 2], dropout: 1.5}",
    )  # fmt: skip
    paths = {single.config_path[0] for single in error.errors}
    assert paths == {"data", "optimizer", "model"}


def test_the_trace_has_every_node_and_counts_a_shared_module_once(write: Write) -> None:
    again = "{name: g, call: 'module:trunk', args: [$x]}"
    both = "{name: s, call: 'op:add', args: [$h, $g]}"
    config = write(graph(TRUNK, again, both, HEAD.replace("$h", "$s")))
    report = check_shapes(prepare(config, ["model.graph.modules.head.in_features=48"]))
    trace = report.trace
    assert [(n.name, tuple(n.value.shape), n.parameters) for n in trace.models["model"]] == [
        ("h", (8, 48), 12 * 48 + 48),
        ("g", (8, 48), 0),
        ("s", (8, 48), 0),
        ("y", (8, 2), 48 * 2 + 2),
    ]
    assert (report.samples, report.warnings) == (8, ())
    assert tuple(trace.evaluation.outputs.shape) == (8, 2)
    assert {path.name for path in Path.cwd().iterdir()} == {"c.yaml", "shape_parts.py"}


def test_a_model_that_no_batch_of_the_first_step_reaches_has_no_shapes(write: Write) -> None:
    sizes = ["models.critic.sequential.layers[0].in_features=3", "data.y_shape=[3]"]
    overrides = [*WITHOUT, *sizes, "++models.idle=${models.actor}"]
    trace = check_shapes(prepare(write(OWN + MODELS), overrides)).trace
    nodes = {name: len(nodes) for name, nodes in trace.models.items()}
    assert nodes == {"actor": 1, "critic": 1, "idle": 0}
    assert set(trace.inputs) == {"actor", "critic"}


def test_shapes_that_only_broadcasting_makes_fit_are_a_warning_at_the_loss(write: Write) -> None:
    report = check_shapes(prepare(write(sequential(LINEAR), y="[1]")))
    (note,) = report.warnings
    assert str(note.span) == "c.yaml:6:7"
    assert "different to the input size" in note.text


def test_a_device_that_is_not_here_does_not_matter(write: Write) -> None:
    overrides = ["run.device=cuda:7", "run.precision=fp16-mixed"]
    assert check_shapes(prepare(write(sequential(LINEAR)), overrides)).samples == 8


def test_a_large_model_needs_no_memory(write: Write) -> None:
    sizes = (12, 300_000, 300_000, 2)  # 360 GB
    layers = [
        f"{{_type_: nn.Linear, in_features: {size}, out_features: {after}}}"
        for size, after in pairwise(sizes)
    ]
    config = write(sequential(*layers))
    nodes = check_shapes(prepare(config)).trace.models["model"]
    assert [tuple(node.value.shape) for node in nodes] == [(8, size) for size in sizes[1:]]
    error = refused(config, "model.sequential.layers[2].in_features=7")
    assert error.message == "nn.Linear wants 7 features, gets (8, 300000) float32"


@pytest.mark.parametrize("how", ["item", "numpy"])
@pytest.mark.parametrize("large", [0, 1 << 30])
def test_a_model_that_reads_values_while_it_is_made_is_checked(
    write: Write, monkeypatch: pytest.MonkeyPatch, how: str, large: int
) -> None:
    monkeypatch.setattr("offline_trainer_torch.shapes.LARGE_BYTES", large)
    config = write(OWN + sequential(f"{{_type_: decaying, depth: 3, how: {how}}}"))
    (node,) = check_shapes(prepare(config)).trace.models["model"]
    assert (tuple(node.value.shape), node.parameters) == ((8, 2), 26)
    assert [node.parameters for node in trace_of(config, [], []).trace.models["model"]] == [26]


def test_a_large_model_whose_shapes_depend_on_values_runs_for_real(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offline_trainer_torch.shapes.LARGE_BYTES", 0)
    error = refused(write(OWN + sequential(LINEAR, "{_type_: chosen}")))
    assert "outputs (3, 2) float32 with targets {y: (8, 2) float32}" in error.message
