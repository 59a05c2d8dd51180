"""The JSON Schema accepts what is shipped, whole or a part, and refuses what is surely wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from model_constructor.config.loader import load_document
from model_constructor.config.nodes import Node, Origin
from model_constructor.source_map import SourceMap
from offline_trainer.registry import build_registry, register_imports
from offline_trainer.schema.document import config_schema, schema_text

ROOT = Path(__file__).parent.parent
MAX_BYTES = 500_000
SHIPPED = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("configs/**/*.yaml"))
NUMPY = "offline_trainer.testing.numpy_engine"


def document(*imports: str) -> dict[str, Any]:
    registry = build_registry()
    assert register_imports(registry, imports, SourceMap()) == []
    schema, unreadable = config_schema(registry)
    assert unreadable == []
    return schema


@pytest.fixture(scope="module")
def installed() -> dict[str, Any]:
    return document()


@pytest.fixture(scope="module")
def schema(installed: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(installed)


def load(text: str) -> Any:
    tree, errors = load_document(text, Origin("test.yaml", "."))
    assert tree is not None, errors
    return plain(tree)


def plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: plain(field) for key, field in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value


def wrong_places(schema: Draft202012Validator, text: str) -> dict[str, str]:
    """The places that are refused, and why."""
    return {
        ".".join(map(str, error.absolute_path)): error.message
        for error in schema.iter_errors(load(text))
    }


def test_it_is_a_small_schema_of_its_dialect(installed: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(installed)
    assert len(schema_text(installed).encode()) < MAX_BYTES


def test_every_reference_has_its_definition(installed: dict[str, Any]) -> None:
    parts = schema_text(installed).split('"#/$defs/')[1:]
    assert {part.partition('"')[0] for part in parts} - set(installed["$defs"]) == set()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_config_is_accepted(name: str, schema: Draft202012Validator) -> None:
    assert wrong_places(schema, (ROOT / name).read_text()) == {}


def test_a_config_with_imports_is_accepted_once_they_are_named(
    schema: Draft202012Validator,
) -> None:
    text = (ROOT / "packages/example-plugin/experiment.yaml").read_text()
    assert "engine._type_" in wrong_places(schema, text)
    assert wrong_places(Draft202012Validator(document(NUMPY)), text) == {}


RIGHT = [
    "{}",
    "schema_version: 1",
    "defaults: [a.yaml, b.yml, 'pkg://dist/c.yaml', {optional: d.yaml}]",
    "defaults:",
    "imports: [my.module]",
    "plugins: {disable: [lion], require: ['ot-lion>=0.2']}",
    "settings: {strict: false, allowed_import_prefixes: [my.]}",
    "settings: {strict: '${params.strict}'}",
    "params: {anything: [1, {_type_: nothing.known}], else: null}",
    "_template_: whole\ntemplates: {whole: {params: {a: 1}}}",
    "templates: {layer: {_type_: nn.Linear, in_features: 3}, mine: {a: 1}}",
    "run: {name: 3.10, out_dir: 'runs/${run.name}', seed: '${env:int:SEED}'}",
    "run: {seed: 1e3, precision: bf16-mixed, resume_from: null}",
    "run: {_template_: usual, device: 'cuda:1'}",
    "run: {_merge_: replace, _value_: {name: a, out_dir: b}}",
    "run: {precision: '${params.precision}', seed: {_merge_: delete}}",
    "data: {batch_size: 3, of_whatever: it_is}",
    "data: ${params.data}",
    "data:",
    "data: {_type_: data.table, path: a.csv, target: label}",
    "data: {_type_: data.table@offline-trainer-core, anything: 1}",
    "data: {_type_: '${params.kind}', anything: 1}",
    "data: {_target_: 'my.module:Data', anything: 1}",
    "data: {_type_: {_merge_: delete}, _target_: 'my.module:Data'}",
    "data: {_template_: table, _type_: data.table, path: a.csv}",
    "data: {_type_: data.table, _kwargs_: {path: a.csv}, _args_: [1]}",
    "data: {_merge_: delete}",
    "data: {_type_: data.random_regression, x_shape: {_merge_: append, _value_: [3]}}",
    "data: {_type_: data.random_regression, num_samples: 1e3, noise: 1, x_shape: [4, '${a}']}",
    "model: {sequential: {inputs: [x], layers: [{_type_: nn.Linear, in_features: 3}]}}",
    "model: {sequential: {layers: [{_template_: layer, out_features: '${params.n}'}]}}",
    "model: {sequential: {layers: {_merge_: append, _value_: [{_type_: nn.ReLU}]}}}",
    "model: {sequential: {layers: '${params.layers}', return: single}}",
    "model: {sequential: {_merge_: delete}, graph: {inputs: [x]}}",
    "model: {sequential: {layers: [{_type_: nn.Conv2d, kernel_size: [3, 3], padding: same}]}}",
    "model: {sequential: {layers: [{_type_: nn.Sequential, _args_: [{_type_: nn.ReLU}]}]}}",
    "model: {sequential: {layers: [{_type_: mlp, dims: [null, 4], norm: {_type_: nn.ReLU}}]}}",
    "model: {graph: {modules: {a: {_type_: nn.ReLU}, _template_: b}}}",
    "model: {graph: {nodes: [{name: a, call: 'op:add', args: [$x, 1, [$y]]}], outputs: [a]}}",
    "model: {graph: {nodes: {a: {call: 'module:m', kwargs: {x: $x}}}, order: [a]}}",
    "model: {graph: {steps: [{out: a, call: 'op:relu', args: [$x]}], outputs: {y: $a}}}",
    "model: {graph: {nodes: {_merge_: keyed, key: name, _value_: [{name: a, args: [1]}]}}}",
    "models: {actor: {sequential: {layers: []}}, critic: '${models.actor}'}",
    "loss: {_type_: loss.torch, fn: {_type_: nn.MSELoss, reduction: sum}}",
    "optimizer: {_type_: optim_factory.torch, type: optim_cls.SGD, kwargs: {lr: 1, momentum: 0.9}}",
    "optimizer: {type: optim_cls.SGD, kwargs: {_merge_: replace, _value_: {lr: '${params.lr}'}}}",
    "optimizer: {kwargs: {lr: 1e-3, betas: [0.9, '${params.beta}']}}",
    "optimizer: {actor: {_type_: optim_factory.torch, type: optim_cls.AdamW, kwargs: {lr: 1}}}",
    "optimizer: {_type_: optim_factory.torch, type: optim_cls.AdamW, kwargs: {fused: null}}",
    "scheduler: {_type_: sched_factory.torch, type: sched_cls.StepLR, kwargs: {step_size: 1}}",
    "scheduler: {_type_: sched_factory.torch, interval: epoch, frequency: 2}",
    "scheduler: null",
    "trainer: {max_epochs: 3}",
    "trainer: {_type_: trainer.default, max_epochs: 3000st, val_every_n_epochs: null}",
    "trainer: {_type_: trainer.verbose, max_epochs: 3, whatever: it takes}",
    "callbacks: []",
    "callbacks: [{_type_: cb.model_checkpoint, save_dir: '${run.out_dir}/c'}, '${params.cb}']",
    "callbacks: {_merge_: append, _value_: [{_type_: cb.model_checkpoint, keep_last: 3}]}",
    "callbacks: {_merge_: keyed, key: _type_, _value_: [{_type_: cb.model_checkpoint}]}",
    "loggers: [{_type_: log.stdout}]",
    "metrics: [{_type_: metric.accuracy}]",
]


@pytest.mark.parametrize("text", RIGHT)
def test_what_can_be_right_is_accepted(text: str, schema: Draft202012Validator) -> None:
    assert wrong_places(schema, text) == {}


LAYER = "model: {{sequential: {{layers: [{}]}}}}"
NODE = "model: {{graph: {{nodes: [{}]}}}}"
IN_LAYER = "model.sequential.layers.0"
IN_NODE = "model.graph.nodes.0"

WRONG = [
    ("modle: {}", "", "modle"),
    ("schema_version: 2", "schema_version", "1 was expected"),
    ("schema_version: '1'", "schema_version", "1 was expected"),
    ("defaults: base.yaml", "defaults", "array"),
    ("defaults: [base.json]", "defaults.0", "base.json"),
    ("defaults: [{optinal: a.yaml}]", "defaults.0", "optinal"),
    ("settings: {strikt: true}", "settings", "strikt"),
    ("settings: {strict: yes}", "settings.strict", "boolean"),
    ("settings: {allowed_import_prefixes: my.}", "settings.allowed_import_prefixes", "array"),
    ("imports: my.module", "imports", "array"),
    ("plugins: {disabled: [a]}", "plugins", "disabled"),
    ("plugins: {require: ot-lion}", "plugins.require", "array"),
    ("run: [a]", "run", "object"),
    ("run: {sede: 1}", "run", "sede"),
    ("run: {seed: abc}", "run.seed", "integer"),
    ("run: {seed: 1.5}", "run.seed", "integer"),
    ("run: {precision: fp8}", "run.precision", "bf16-mixed"),
    ("run: {name: [a]}", "run.name", "string"),
    ("run: {_merge_: replac, _value_: {}}", "run._merge_", "replace"),
    ("run: {_merge_: replace}", "run", "_value_"),
    ("run: {_merge_: replace, _value_: {sede: 1}}", "run._value_", "sede"),
    ("run: {_merge_: replace, _value_: {}, also: 1}", "run", "also"),
    ("templates: [a]", "templates", "object"),
    ("templates: {a: {_type_: nn.Linear, in_fetures: 3}}", "templates.a", "in_fetures"),
    ("data: data.table", "data", "object"),
    ("data: [{_type_: data.table}]", "data", "object"),
    ("data: {_type_: data.tabel}", "data._type_", "data.table"),
    ("data: {_type_: nn.Linear}", "data._type_", "data.table"),
    ("data: {_type_: 3}", "data._type_", "data.table"),
    ("data: {_type_: data.table, bach_size: 3}", "data", "bach_size"),
    ("data: {_type_: data.table, _kwarg_: {}}", "data", "_kwarg_"),
    ("data: {_type_: data.table, batch_size: many}", "data.batch_size", "integer"),
    ("data: {_type_: data.table, batch_size: null}", "data.batch_size", "integer"),
    ("data: {_type_: data.table, _args_: 3}", "data._args_", "array"),
    ("data: {_type_: data.random_regression, x_shape: 4}", "data.x_shape", "array"),
    ("data: {_type_: data.random_regression, x_shape: [a]}", "data.x_shape.0", "integer"),
    ("data: {_merge_: replace, _value_: {_type_: data.tabel}}", "data._value_._type_", "tabel"),
    ("model: {sequental: {}}", "model", "sequental"),
    ("model: {sequential: {layer: []}}", "model.sequential", "layer"),
    ("model: {sequential: {inputs: [x, y]}}", "model.sequential.inputs", "long"),
    ("model: {sequential: {inputs: x}}", "model.sequential.inputs", "array"),
    ("model: {sequential: {inputs: ['1x']}}", "model.sequential.inputs.0", "1x"),
    ("model: {sequential: {return: many}}", "model.sequential.return", "tuple"),
    (LAYER.format("nn.ReLU"), IN_LAYER, "object"),
    (LAYER.format("{_type_: nn.Lineer}"), f"{IN_LAYER}._type_", "nn.Linear"),
    (LAYER.format("{_type_: data.table}"), f"{IN_LAYER}._type_", "data.table"),
    (LAYER.format("{_type_: nn.Linear, out: 3}"), IN_LAYER, "out"),
    (LAYER.format("{_type_: nn.Linear, bias: 'no'}"), f"{IN_LAYER}.bias", "boolean"),
    (LAYER.format("{_type_: nn.Dropout, p: high}"), f"{IN_LAYER}.p", "number"),
    (
        LAYER.format("{_type_: nn.Conv2d, padding_mode: zero}"),
        f"{IN_LAYER}.padding_mode",
        "zeros",
    ),
    (LAYER.format("{_type_: mlp, dims: [4, b]}"), f"{IN_LAYER}.dims.1", "integer"),
    (LAYER.format("{_type_: mlp, norm: {_type_: nn.Norm}}"), f"{IN_LAYER}.norm", "nn.Norm"),
    ("model: {graph: {modules: [a]}}", "model.graph.modules", "object"),
    ("model: {graph: {modules: {a b: {_type_: nn.ReLU}}}}", "model.graph.modules", "a b"),
    (NODE.format("{name: a, cal: 'op:add'}"), IN_NODE, "cal"),
    (NODE.format("{name: a, call: 'op:ad'}"), f"{IN_NODE}.call", "op:add"),
    (NODE.format("{name: a, call: add}"), f"{IN_NODE}.call", "op:add"),
    (NODE.format("{name: a, args: $x}"), f"{IN_NODE}.args", "array"),
    ("model: {graph: {outputs: a}}", "model.graph.outputs", "array"),
    ("models: {a: {sequental: {}}}", "models.a", "sequental"),
    ("loss: {_type_: loss.torch, fn: {_type_: nn.MSE}}", "loss.fn._type_", "nn.MSE"),
    ("loss: {fn: {_type_: nn.MSELoss, reduce_: 1}}", "loss.fn", "reduce_"),
    ("optimizer: {type: optim_cls.SGD, kwargs: {learning_rate: 1}}", "optimizer.kwargs", "rate"),
    ("optimizer: {type: optim_cls.SGD, kwargs: {params: []}}", "optimizer.kwargs", "params"),
    ("optimizer: {type: optim_cls.SGD, kwargs: {lr: high}}", "optimizer.kwargs.lr", "high"),
    (
        "optimizer: {_type_: optim_factory.torch, type: AdamW}",
        "optimizer.type",
        "optim_cls.AdamW",
    ),
    (
        "optimizer: {type: optim_cls.SGD, kwargs: {_merge_: replace, _value_: {eta: 1}}}",
        "optimizer.kwargs._value_",
        "eta",
    ),
    (
        "optimizer: {_type_: optim_factory.torch, kwargs: {a: {_type_: nn.ReLU}}}",
        "optimizer.kwargs",
        "_type_",
    ),
    ("optimizer: {actor: {_type_: optim_factory.troch}}", "optimizer.actor._type_", "troch"),
    ("scheduler: {_type_: sched_factory.torch, interval: batch}", "scheduler.interval", "epoch"),
    ("scheduler: {type: sched_cls.StepLR, kwargs: {step: 1}}", "scheduler.kwargs", "step"),
    ("trainer: {_type_: trainer.default, epochs: 3}", "trainer", "epochs"),
    ("callbacks: {_type_: cb.model_checkpoint}", "callbacks", "array"),
    ("callbacks: [cb.model_checkpoint]", "callbacks.0", "object"),
    ("callbacks: {_merge_: append, _value_: {a: 1}}", "callbacks._value_", "array"),
    ("callbacks: {_merge_: keyed, _value_: []}", "callbacks", "key"),
    ("loggers: [{_type_: log.stdot}]", "loggers.0._type_", "log.stdout"),
]


@pytest.mark.parametrize(("text", "place", "says"), WRONG)
def test_what_is_surely_wrong_is_refused_at_its_place(
    text: str, place: str, says: str, schema: Draft202012Validator
) -> None:
    found = wrong_places(schema, text)
    assert place in found, found
    assert says in found[place]


def test_an_editor_is_told_types_defaults_and_help(installed: dict[str, Any]) -> None:
    linear = installed["$defs"]["nn.Linear"]
    assert linear["description"].startswith("Applies an affine linear transformation")
    assert linear["properties"]["bias"]["default"] is True
    assert linear["properties"]["in_features"] == {
        "$ref": "#/$defs/integer",
        "description": "size of each input sample (required)",
    }


def test_an_editor_finds_the_values_it_can_offer(installed: dict[str, Any]) -> None:
    """yaml-language-server looks into `anyOf`, not into `else`."""

    def offered(schema: dict[str, Any]) -> list[str]:
        first = schema["anyOf"][0]
        values: list[str] = (installed["$defs"][first["$ref"][8:]] if "$ref" in first else first)[
            "enum"
        ]
        assert schema["anyOf"][-1] == {}
        return values

    definitions = installed["$defs"]
    assert "data.table" in offered(definitions["spec:data"]["properties"]["_type_"])
    assert "optim_cls.AdamW" in offered(definitions["optim_factory.torch"]["properties"]["type"])
    assert "op:add" in offered(definitions["node"]["properties"]["call"])
    assert offered(definitions["nn.Conv2d"]["properties"]["padding_mode"])[0] == "zeros"
