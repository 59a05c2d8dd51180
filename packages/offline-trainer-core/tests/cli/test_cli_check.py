"""``ot check``: what it says when all is well, and that shapes need an engine that offers them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from offline_trainer.cli import main

CONFIG = """\
schema_version: 1
settings: {allowed_import_prefixes: [model_constructor., offline_trainer.]}
imports: [offline_trainer.testing.numpy_engine]
run: {name: small, out_dir: run}
engine: {_type_: engine.numpy}
model:
  sequential: {inputs: [x], layers: [{_type_: layer.linear, in_features: 4, out_features: 2}]}
data: {_type_: data.random_regression, num_samples: 50, x_shape: [4], y_shape: [2], batch_size: 8}
io: {_type_: io.mapping, model_kwargs: {x: [x]}, targets: {y: [y]}}
loss: {_type_: loss.squared_error}
optimizer: {_type_: optim_factory.momentum, lr: 0.05}
trainer: {_type_: trainer.default, max_epochs: 1}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(CONFIG)
    return "c.yaml"


def check(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["check", *arguments])


def test_the_last_line_says_what_was_checked(config: str) -> None:
    done = check(config)
    assert (done.exit_code, done.output) == (0, "ok: 1 model, 7 components\n")


def test_a_model_alone_is_checked_as_that(config: str) -> None:
    sections = ("schema_version", "settings", "imports", "model", "  sequential")
    lines = [line for line in CONFIG.splitlines() if line.startswith(sections)]
    Path("model.yaml").write_text("\n".join(lines))
    done = check("model.yaml")
    assert (done.exit_code, done.output) == (
        0,
        "ok: 1 model, 1 component; a model alone, no experiment\n",
    )
    wrong = check("model.yaml", "model.sequential.layers[0].in_featurs=3")
    assert wrong.exit_code == 2
    assert "in_featurs" in wrong.stderr
    assert "missing required section" not in wrong.stderr
    for arguments in (("model.yaml", "--shapes"), ("model.yaml", "run.name=a")):
        assert "missing required section `data`" in check(*arguments).stderr


def test_shapes_need_an_engine_that_offers_them(config: str) -> None:
    done = check(config, "--shapes")
    assert done.exit_code == 2
    assert "error[OT0611]: NumpyEngine offers no shapes" in done.stderr
    assert "c.yaml:5:9" in done.stderr
    assert "engine.torch" in done.stderr


def test_warnings_leave_the_exit_code_alone(config: str) -> None:
    done = check(config, "++params.width=3")
    assert done.exit_code == 0
    assert done.stderr.startswith("ot: <cli:1>:1:10: `params.width` is never used")


def test_what_the_run_section_names_is_looked_for(config: str) -> None:
    wrong = ["device=cuda:x", "out_dir=c.yaml/run", "init_from=nowhere"]
    done = check(config, *(f"run.{setting}" for setting in wrong), "trainer.max_epoch=1")
    assert done.exit_code == 2
    for expected in (
        "'cuda:x' is not a device",
        "c.yaml is not a directory",
        "no checkpoint in nowhere: there is no such directory",
        "unknown key `max_epoch`",
    ):
        assert expected in done.stderr
    assert "path: run.init_from" in done.stderr
    Path("empty").mkdir()
    assert "no checkpoint in empty\n" in check(config, "run.resume_from=empty").stderr
    assert check(config, "run.resume_from=auto").exit_code == 0


def test_a_name_that_is_null_is_one_mistake(config: str) -> None:
    done = check(config, "run.name=")
    assert done.stderr.count("error[") == 1
    assert "error[OT0316]: expected a string, got null" in done.stderr


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("trainer._type_=default", "did you mean `trainer.default`"),
        ("metrics=[{_type_: lg.wandb}]", "this place takes a component of kind `metric`"),
        ("trainer._type_=trainer.defualt", "ot list-components --kind trainer\n"),
        ("model.sequential.layers[0]._type_=Linear", "`layer.linear`"),
        ("model.sequential.layers[0]._type_=torch.nn.Linear", "`layer.linear`"),
    ],
)
def test_an_unknown_component_is_looked_for_by_its_place_and_by_its_name(
    config: str, override: str, expected: str
) -> None:
    done = check(config, override)
    assert "error[OT0301]" in done.stderr
    assert expected in done.stderr
