"""Bad input: one clear message with config path and place, exit 2, nothing written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from offline_trainer.cli import main

GOOD = """\
schema_version: 1
settings: {allowed_import_prefixes: [model_constructor., offline_trainer., extensions.]}
run: {name: bad, out_dir: runs/bad, device: cpu}
model:
  sequential:
    inputs: [x]
    layers:
      - _type_: mlp
        dims: [null, 8, 3]
data:
  _type_: data.table
  path: table.csv
  target: label
  target_dtype: int64
  batch_size: 4
io:
  _type_: io.mapping
  model_kwargs: {x: [x]}
  targets: {y: [y]}
loss:
  _type_: loss.torch
  fn: {_type_: nn.CrossEntropyLoss}
optimizer:
  _type_: optim_factory.torch
  type: optim_cls.SGD
  kwargs: {lr: 0.1}
scheduler:
  _type_: sched_factory.torch
  type: sched_cls.StepLR
  kwargs: {step_size: 1}
  interval: epoch
trainer:
  _type_: trainer.default
  max_epochs: 1
"""

TABLE = "a,b,label\n" + "".join(f"{n},{n * n % 7},{n % 3}\n" for n in range(12))

# what is replaced, by what → what the message must hold
CASES = {
    "unknown key in a spec": (
        ("        dims:", "        dimms: [1]\n        dims:"),
        ("dimms", "model.sequential.layers[0].dimms", "bad.yaml:9:9", "did you mean `dims`"),
    ),
    "unknown component": (
        ("- _type_: mlp", "- _type_: mpl"),
        ("mpl", "model.sequential.layers[0]._type_", "bad.yaml:8:17", "did you mean `mlp`"),
    ),
    "missing required section": (
        ("loss:\n  _type_: loss.torch\n  fn: {_type_: nn.CrossEntropyLoss}\n", ""),
        ("missing required section `loss`", "loss", "bad.yaml"),
    ),
    "duplicate import": (
        ("run: {", "imports: [extensions.one, extensions.one]\nrun: {"),
        ("duplicate import `extensions.one`", "imports[1]", "bad.yaml:3:27"),
    ),
    "import outside the allowed prefixes": (
        ("run: {", "imports: [os]\nrun: {"),
        ("`os` is outside settings.allowed_import_prefixes", "imports[0]", "bad.yaml:3:11"),
    ),
    "nested spec in optimizer.kwargs": (
        ("{lr: 0.1}", "{lr: {_type_: nn.ReLU}}"),
        ("pure data", "optimizer.kwargs.lr._type_", "bad.yaml:26:17"),
    ),
    "io misses a model input": (
        ("{x: [x]}", "{}"),
        ("does not feed `x`", "io.model_kwargs", "bad.yaml:18:3"),
    ),
    "io adds a model input": (
        ("{x: [x]}", "{x: [x], z: [x]}"),
        ("feeds `z`", "io.model_kwargs.z", "bad.yaml:18:26"),
    ),
    "interval metric without monitor": (
        ("interval: epoch", "interval: metric"),
        ("needs `monitor`", "scheduler.interval", "bad.yaml:31:13"),
    ),
    "missing data file": (
        ("table.csv", "nowhere.csv"),
        ("nowhere.csv", "data.path", "bad.yaml:12:9", "or from the current folder"),
    ),
    "missing column": (
        ("target: label", "target: lable"),
        ("lable", "table.csv", "did you mean `label`", "data.target", "bad.yaml:13:11"),
    ),
    "misspelt optimizer argument": (
        ("{lr: 0.1}", "{lr: 0.1, momentun: 0.9}"),
        ("momentun", "did you mean `momentum`", "optimizer.kwargs.momentun", "bad.yaml:26:"),
    ),
    "what other libraries call it": (
        ("{lr: 0.1}", "{learning_rate: 0.1}"),
        ("learning_rate", "did you mean `lr`", "optimizer.kwargs.learning_rate"),
    ),
    "text for a number of the optimizer": (
        ("{lr: 0.1}", "{lr: yes}"),
        ("expected a number, got 'yes'", "optimizer.kwargs.lr", "bad.yaml:26:16"),
    ),
    "wrong kind of init": (
        ("model:\n", "model:\n  init: {'*': {_type_: nn.ReLU}}\n"),
        ("nn.ReLU", "kind `init`", "model.init.*._type_", "bad.yaml:5:24"),
    ),
    "wrong kind of pretrained": (
        ("model:\n", "model:\n  pretrained: {_type_: init.zeros}\n"),
        ("init.zeros", "model.pretrained._type_", "did you mean `pretrained.safetensors`"),
    ),
    "wrong kind of component": (
        ("_type_: data.table", "_type_: io.mapping"),
        ("io.mapping", "kind `data`", "data._type_", "bad.yaml:11:11"),
    ),
    "text for a number": (
        ("max_epochs: 1", "max_epochs: 1\n  log_every_n_steps: often"),
        ("often", "trainer.log_every_n_steps", "bad.yaml:35:22"),
    ),
    "unknown section": (
        ("trainer:", "trainr: {}\ntrainer:"),
        ("trainr", "did you mean `trainer`", "bad.yaml:32:1"),
    ),
    "unknown key in run": (
        ("device: cpu", "devise: cpu"),
        ("devise", "did you mean `device`", "run.devise", "bad.yaml:3:"),
    ),
    "no length": (
        ("max_epochs: 1", "progress: false"),
        ("needs a length", "trainer", "bad.yaml"),
    ),
}

Attempt = Callable[[str], "tuple[int, str]"]


@pytest.fixture
def attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Attempt:
    """Run a config's text with ``ot run``; the exit code and what went to stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text(TABLE)

    def run(text: str) -> tuple[int, str]:
        (tmp_path / "bad.yaml").write_text(text)
        result = CliRunner().invoke(main, ["run", "bad.yaml"])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    return run


def test_the_config_that_all_cases_start_from_runs(attempt: Attempt, tmp_path: Path) -> None:
    code, output = attempt(GOOD)
    assert (code, "outputs in runs/bad" in output) == (0, True), output


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_answered_by_one_clear_message(
    attempt: Attempt, tmp_path: Path, case: str
) -> None:
    (old, new), expected = CASES[case]
    assert GOOD.count(old) == 1
    code, output = attempt(GOOD.replace(old, new))
    assert code == 2, output
    for text in expected:
        assert text in output
    assert "Traceback" not in output
    assert output.count("error[") == 1
    assert not (tmp_path / "runs").exists()


def test_a_cell_that_is_no_number_is_named_by_line_and_column(
    attempt: Attempt, tmp_path: Path
) -> None:
    (tmp_path / "table.csv").write_text(TABLE.replace("5,4,2", "5,four,2"))
    code, output = attempt(GOOD)
    assert code == 2
    for text in ("four", "table.csv", "line 7", "`b`", "data.path", "bad.yaml:12:9"):
        assert text in output
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_cuda_where_there_is_none(attempt: Attempt, tmp_path: Path) -> None:
    code, output = attempt(GOOD.replace("device: cpu", "device: cuda"))
    assert code == 2
    for text in ("cuda", "run.device", "bad.yaml:3:45"):
        assert text in output
    assert not (tmp_path / "runs").exists()


def test_all_mistakes_of_a_stage_are_reported_together(attempt: Attempt) -> None:
    text = GOOD.replace("        dims:", "        dimms: [1]\n        dims:")
    text = text.replace("max_epochs: 1", "max_epoch: 1").replace("fn:", "function:")
    code, output = attempt(text)
    assert code == 2
    assert output.count("error[") == 4  # fn is missing, too
    for name in ("dimms", "max_epoch", "function", "`fn`"):
        assert name in output


def test_a_field_that_the_batch_does_not_have(attempt: Attempt, tmp_path: Path) -> None:
    code, output = attempt(GOOD.replace("{y: [y]}", "{y: [z]}"))
    assert code == 2
    for text in ("`z`", "io.targets.y", "bad.yaml:19:"):
        assert text in output
    assert not (tmp_path / "runs").exists()


def test_a_path_into_the_outputs_that_leads_nowhere(attempt: Attempt) -> None:
    code, output = attempt(GOOD.replace("loss.torch\n", "loss.torch\n  pred_path: logits\n"))
    assert code == 2
    for text in ("logits", "loss.pred_path", "bad.yaml:22:14"):
        assert text in output
    assert "Traceback" not in output


def test_a_metric_to_monitor_that_there_is_not(attempt: Attempt) -> None:
    text = GOOD.replace("interval: epoch", "interval: metric\n  monitor: val_los")
    text = text.replace("batch_size: 4", "batch_size: 4\n  val_fraction: 0.25")
    text = text.replace("StepLR", "ReduceLROnPlateau").replace("{step_size: 1}", "{}")
    code, output = attempt(text)
    assert code == 2
    for expected in ("val_los", "did you mean `val_loss`", "scheduler.monitor", "bad.yaml:33:12"):
        assert expected in output


def test_a_caret_stands_under_a_wrong_override(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt(GOOD)
    result = CliRunner().invoke(main, ["run", "bad.yaml", "optimizer.kwargs.weigth_decay=0.1"])
    assert result.exit_code == 2
    assert "optimizer.kwargs.weigth_decay=0.1\n" in result.output
    assert "<cli:1>:1:" in result.output
    assert "did you mean `weight_decay`" in result.output


def test_a_loss_that_does_not_take_the_targets(attempt: Attempt, tmp_path: Path) -> None:
    code, output = attempt(GOOD.replace("target: label", "target: [a, label]"))
    assert code == 2
    for text in ("(4, 3) float32", "(4, 2) int64", "path: loss", "bad.yaml:2"):
        assert text in output
    assert "Traceback" not in output
    assert not (tmp_path / "runs" / "bad").exists()


def test_a_layer_that_does_not_take_what_comes_before(attempt: Attempt, tmp_path: Path) -> None:
    text = GOOD.replace(
        "        dims: [null, 8, 3]\n",
        "        dims: [null, 8]\n      - _type_: nn.Linear\n"
        "        in_features: 9\n        out_features: 3\n",
    )
    code, output = attempt(text)
    assert code == 2
    for expected in ("model.sequential.layers[1]", "bad.yaml:10:", "4x8 and 9x3"):
        assert expected in output
    assert "Traceback" not in output
    assert not (tmp_path / "runs" / "bad").exists()


def test_a_schedule_that_watches_a_metric_needs_that_interval(attempt: Attempt) -> None:
    text = GOOD.replace("StepLR", "ReduceLROnPlateau").replace("{step_size: 1}", "{}")
    code, output = attempt(text.replace("interval: epoch", "interval: epoch\n  monitor: val_loss"))
    assert code == 2
    for expected in ("its interval is `metric`", "scheduler.interval", "bad.yaml:31:13"):
        assert expected in output


def test_an_argument_of_a_layer_is_underlined_where_it_was_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text(TABLE)
    Path("good.yaml").write_text(GOOD)
    dropout = "model.sequential.layers[0].dropout=1.5"
    for command in (["check", "--shapes"], ["run"]):
        result = CliRunner().invoke(main, [*command, "good.yaml", dropout])
        assert result.exit_code == 2
        assert "--> <cli:1>:1:36" in result.stderr


def test_a_target_in_a_layer_works_with_both_permissions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text(TABLE)
    text = GOOD.replace("prefixes: [", "prefixes: [torch.nn., ").replace(
        "settings: {", "settings: {allow_target: true, "
    )
    Path("target.yaml").write_text(
        text.replace("dims: [null, 8, 3]", 'dims: [null, 8, 3]\n      - _target_: "torch.nn:Tanh"')
    )
    for command in (["check"], ["check", "--shapes"], ["run"]):
        result = CliRunner().invoke(main, [*command, "target.yaml", "--allow-target"])
        assert result.exit_code == 0, result.stderr
    assert CliRunner().invoke(main, ["run", "target.yaml"]).exit_code == 2
