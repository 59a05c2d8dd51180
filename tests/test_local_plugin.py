"""Components from a file beside the user, named in ``imports:``."""

from __future__ import annotations

from pathlib import Path

from ot_process import RunOt

EXTENSION = """
import numpy as np


class ConstantRegression:
    def __init__(self, batch_size, steps_per_epoch, x_shape, y_shape):
        self.batch = {
            "x": np.ones((batch_size, *x_shape), dtype=np.float32),
            "y": np.full((batch_size, *y_shape), 0.5, dtype=np.float32),
        }
        self.steps = steps_per_epoch

    def setup(self, stage):
        pass

    def train_dataloader(self):
        for _ in range(self.steps):
            yield self.batch


class VerboseTrainer:
    def __init__(self, **kwargs):
        self.kwargs = kwargs

    def fit(self, **kwargs):
        print("local trainer speaking")
        default = kwargs["registry"].get_module("trainer.default").target
        return default(**self.kwargs).fit(**kwargs)


def register(registry):
    registry.register_module(
        "data.constant_regression", ConstantRegression, signature_policy="strict", tags=("data",)
    )
    registry.register_module(
        "trainer.verbose", VerboseTrainer, signature_policy="strict", tags=("trainer",)
    )
"""

CONFIG = """\
schema_version: 1

settings:
  strict: true
  allow_imports: true
  allow_target: false
  allowed_import_prefixes: [model_constructor., offline_trainer., extensions.]

imports: [extensions.example_plugin]

run:
  name: end_to_end
  out_dir: runs/${run.name}
  device: cpu

model:
  sequential:
    inputs: [x]
    layers:
      - _type_: mlp
        dims: [null, 64, 16]
        dropout: 0.1

data:
  _type_: data.constant_regression
  batch_size: 16
  steps_per_epoch: 10
  x_shape: [32]
  y_shape: [16]

io:
  _type_: io.mapping
  model_kwargs: {x: [x]}
  targets: {y: [y]}

loss:
  _type_: loss.torch
  fn: {_type_: nn.SmoothL1Loss}

optimizer:
  _type_: optim_factory.torch
  type: optim_cls.SGD
  kwargs: {lr: 1.0e-2, momentum: 0.9}

scheduler:
  _type_: sched_factory.torch
  type: sched_cls.StepLR
  kwargs: {step_size: 1, gamma: 0.8}
  interval: epoch

trainer:
  _type_: trainer.verbose
  max_epochs: 1
  log_every_n_steps: 5

loggers:
  - _type_: log.stdout
    every_n_steps: 5

callbacks:
  - _type_: cb.model_checkpoint
    save_dir: ${run.out_dir}/checkpoints
    save_last: true
    every_n_steps: 5
"""


def write(tmp_path: Path) -> None:
    (tmp_path / "extensions").mkdir()
    (tmp_path / "extensions" / "example_plugin.py").write_text(EXTENSION)
    (tmp_path / "end_to_end.yaml").write_text(CONFIG)


def test_a_local_module_registers_its_components_and_wins(ot: RunOt, tmp_path: Path) -> None:
    write(tmp_path)
    done = ot("run", "end_to_end.yaml")
    assert done.returncode == 0, done.stderr
    assert "local trainer speaking" in done.stdout
    # The example plugin is installed here too and has the same two keys.
    notes = [line for line in done.stderr.splitlines() if "is taken from" in line]
    assert len(notes) == 2, done.stderr
    assert "extensions.example_plugin" in notes[0]
    saved = sorted(p.name for p in (tmp_path / "runs/end_to_end/checkpoints").glob("step-*"))
    assert saved == ["step-000000000005", "step-000000000010"]


def test_a_module_that_fails_is_named_without_a_traceback(ot: RunOt, tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "extensions" / "example_plugin.py").write_text("import nothing_of_that_name\n")
    done = ot("run", "end_to_end.yaml")
    assert done.returncode == 2
    assert "end_to_end.yaml:9:11" in done.stderr
    assert "nothing_of_that_name" in done.stderr
    assert f"({tmp_path / 'extensions' / 'example_plugin.py'}:1)" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()
