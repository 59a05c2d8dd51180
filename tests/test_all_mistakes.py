"""Mistakes of every stage, in three files, come out in one pass, without what follows from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_constructor.errors import ConfigError
from offline_trainer.experiment import prepare

FILES = {
    "base/data.yaml": """\
templates:
  small: {batch_size: 4}
data:
  _template_: smal
  _type_: data.table
  path: table.csv
  target: label
  target: class
io:
  _type_: io.maping
  targets: {y: [y]}
""",
    "base/optim.yaml": """\
optimizer:
  _type_: optim_factory.torch
  type: optim_cls.AdamW
  kwargs: {lr: "${params.lr}"}
scheduler:
  _type_: sched_factory.torch
  type: sched_cls.StepLR
  kwargs: {step_size: 1}
  interval: epochs
""",
    "experiment.yaml": """\
schema_version: 1
defaults: [base/data.yaml, base/optim.yaml]
params: {learning_rate: 1e-3}
run: {name: eleven, out_dir: runs/eleven, sede: 1}
model:
  graph:
    inputs: [x]
    modules:
      head: {_type_: nn.Linear, in_features: four, out_features: 3}
    nodes:
      - {name: y, call: module:haed, args: [$x]}
    outputs: [y]
loss: {_type_: loss.torch}
scheduler:
  kwargs: [1, 2]
trainer: {_type_: trainer.default, max_epoch: 1}
callback: []
""",
}

MISTAKES = {
    "base/data.yaml:4:15": "unknown template `smal`",
    "base/data.yaml:8:3": "duplicate key `target`",
    "base/data.yaml:10:11": "unknown component `io.maping`",
    "base/optim.yaml:4:17": "`params` has no `lr`",
    "base/optim.yaml:9:13": "interval must be one of step, epoch, metric",
    "experiment.yaml:4:43": "unknown key `sede` in run",
    "experiment.yaml:9:46": "expected an integer, got 'four'",
    "experiment.yaml:11:25": "haed",
    "experiment.yaml:13:16": "loss.torch needs `fn`",
    "experiment.yaml:15:11": "a list cannot be merged over a mapping",
    "experiment.yaml:16:36": "unknown key `max_epoch` for trainer.default",
    "experiment.yaml:17:1": "unknown top-level key `callback`",
}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
    return "experiment.yaml"


def test_all_mistakes_are_reported_in_one_pass(config: str) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare(config)
    found = {str(error.location): error.message for error in caught.value.errors}
    assert sorted(found) == sorted(MISTAKES)
    for place, message in MISTAKES.items():
        assert message in found[place]
    assert len(caught.value.errors) == len(MISTAKES)


def test_what_follows_from_a_mistake_is_not_reported(config: str) -> None:
    text = FILES["experiment.yaml"].replace("head: {", "head: {_type_: '${params.none}'} #")
    Path(config).write_text(text.replace("loss: {_type_: loss.torch}", "loss: ${params.none}"))
    with pytest.raises(ConfigError) as caught:
        prepare(config)
    found = [error.message for error in caught.value.errors if "none" in str(error)]
    assert found == ["`${params.none}`: `params` has no `none`"] * 2


def test_operations_are_checked_with_the_components(config: str) -> None:
    node = "      - {name: y, call: module:haed, args: [$x]}\n"
    nodes = (
        node
        + """\
      - {name: a, call: "op:ad", args: [$x, $x]}
      - {name: b, call: "op:add", args: [$x]}
      - {name: c, call: "op:relu", args: [$x], kwargs: {slope: 3}}
      - {name: d, call: "op:relu", args: 3}
"""
    )
    Path(config).write_text(FILES["experiment.yaml"].replace(node, nodes))
    with pytest.raises(ConfigError) as caught:
        prepare(config)
    found = {str(error.location): error.message for error in caught.value.errors}
    assert found["experiment.yaml:12:25"] == "unknown component `op:ad`"
    assert found["experiment.yaml:13:25"] == "op:add needs `b`"
    assert found["experiment.yaml:14:57"] == "unknown key `slope` for op:relu"
    assert found["experiment.yaml:15:42"] == "expected a list of positional arguments, got int 3"
    assert len(found) == len(MISTAKES) + 4


def test_nothing_is_written(config: str) -> None:
    with pytest.raises(ConfigError):
        prepare(config)
    assert sorted(str(path) for path in Path().rglob("*") if path.is_file()) == sorted(FILES)
