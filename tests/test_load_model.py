"""A trained model is loaded from its run directory without the trainer, and computes the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load

from model_constructor import load_model
from model_constructor.errors import ConfigError
from model_constructor.load import load_models
from offline_trainer.experiment import run_experiment
from offline_trainer.registry import build_registry

LAYERS = [{"_type_": "mlp", "dims": [None, 8, 2], "norm": "BatchNorm1d"}]
CONFIG: dict[str, Any] = {
    "schema_version": 1,
    "run": {"name": "small", "out_dir": "small", "device": "cpu"},
    "model": {
        "sequential": {"inputs": ["x"], "layers": LAYERS},
        "init": {"_type_": "init.orthogonal"},
    },
    "data": {"_type_": "data.random_regression", "x_shape": [4], "y_shape": [2]},
    "io": {"_type_": "io.mapping", "model_kwargs": {"x": ["x"]}, "targets": {"y": ["y"]}},
    "loss": {"_type_": "loss.torch", "fn": {"_type_": "nn.MSELoss"}},
    "optimizer": {"_type_": "optim_factory.torch", "type": "optim_cls.SGD", "kwargs": {"lr": 0.1}},
    "trainer": {"_type_": "trainer.default", "max_epochs": 1, "progress": False},
    "callbacks": [{"_type_": "cb.model_checkpoint", "every_n_epochs": 1}],
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return run_experiment(CONFIG).out_dir


def test_a_loaded_model_has_the_saved_bytes_and_is_in_evaluation_mode(run: Path) -> None:
    model = load_model(run)
    assert not model.training
    (checkpoint,) = (run / "checkpoints").glob("step-*")
    other = load_model(checkpoint)
    x = torch.randn(3, 4)
    assert torch.equal(model(x), other(x))
    assert model.state_dict()["layer_0.norm_0.num_batches_tracked"] > 0


def test_averaged_weights_stand_for_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    callbacks = [*CONFIG["callbacks"], {"_type_": "cb.ema", "decay": 0.9}]
    run = run_experiment({**CONFIG, "callbacks": callbacks}).out_dir
    (checkpoint,) = (run / "checkpoints").glob("step-*")
    averages = load((checkpoint / "ema.safetensors").read_bytes())
    weights = load((checkpoint / "model.safetensors").read_bytes())
    model = load_model(run).state_dict()
    for name, average in averages.items():
        assert torch.equal(model[name.removeprefix("model.")], average)
    assert not all(torch.equal(weights[name], average) for name, average in averages.items())


def test_loading_needs_no_trainer_and_no_lazy_first_batch(run: Path) -> None:
    code = (
        "import sys; sys.modules['offline_trainer'] = None\n"
        "import torch; from model_constructor import load_model\n"
        f"print(tuple(load_model({str(run)!r})(torch.zeros(1, 4)).shape))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("(1, 2)\n", "")


def rewritten(checkpoint: Path, name: str, content: bytes) -> None:
    """Change a file of a checkpoint, and its hash in the manifest, as a stranger would."""
    file, manifest = checkpoint / name, checkpoint / "MANIFEST.json"
    old, new = (sha256(each).hexdigest() for each in (file.read_bytes(), content))
    manifest.write_text(manifest.read_text().replace(old, new))
    file.write_bytes(content)


def cut(checkpoint: Path) -> None:
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])


def instead_of_state(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def damage(checkpoint: Path) -> None:
        (checkpoint / "state.json").rename(checkpoint.parent / "moved")
        make(checkpoint / "state.json")

    return damage


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut": cut,
    "no tensors": lambda path: rewritten(path, "model.safetensors", b"no tensors"),
    "list of aliases": lambda path: rewritten(
        path, "state.json", b'{"values": {"model": {"aliases": []}}}'
    ),
    "alias of nothing": lambda path: rewritten(
        path, "state.json", b'{"values": {"model": {"aliases": {"a": []}}}}'
    ),
    "deep": lambda path: rewritten(path, "state.json", b"[" * 100_000),
    "not UTF-8": lambda path: (path / "MANIFEST.json").write_bytes(b"\xff\xfe\xfd"),
    "no manifest": lambda path: (path / "MANIFEST.json").unlink(),
    "list for a manifest": lambda path: (path / "MANIFEST.json").write_text("[]"),
    "newer": lambda path: (path / "MANIFEST.json").write_text('{"minimum_reader": 2}'),
    "pipe": instead_of_state(os.mkfifo),
    "folder": instead_of_state(Path.mkdir),
    "link out": instead_of_state(lambda path: path.symlink_to(path.parent.parent / "moved")),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_any_damage_is_one_error_with_help(damage: Callable[[Path], object], run: Path) -> None:
    (checkpoint,) = run.glob("checkpoints/step-*")
    damage(checkpoint)
    with pytest.raises(ConfigError) as caught:
        load_model(checkpoint)
    assert caught.value.code == "OT0452"
    assert caught.value.help


@pytest.fixture
def two_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The checkpoints of a run of two epochs, older first."""
    monkeypatch.chdir(tmp_path)
    run_experiment(CONFIG, ["trainer.max_epochs=2"])
    older, newer = sorted(Path("small/checkpoints").glob("step-*"))
    return older, newer


def test_of_a_run_the_newest_good_checkpoint_is_loaded(
    two_steps: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    older, newer = two_steps
    expected = load_model(older).state_dict()
    assert (
        load_model("small")
        .state_dict()["layer_0.linear_0.weight"]
        .equal(load_model(newer).state_dict()["layer_0.linear_0.weight"])
    )
    assert not caplog.messages
    cut(newer)
    assert all(expected[k].equal(v) for k, v in load_model("small").state_dict().items())
    assert [newer.name in text for text in caplog.messages] == [True]
    cut(older)
    with pytest.raises(ConfigError, match="no checkpoint in small/checkpoints is good"):
        load_model("small")


def test_an_abandoned_line_does_not_count(two_steps: tuple[Path, Path]) -> None:
    older, _ = two_steps
    expected = load_model(older).state_dict()
    manifest = older / "MANIFEST.json"
    fields = {**json.loads(manifest.read_text()), "attempt": 2}
    manifest.write_text(json.dumps(fields))
    assert all(expected[k].equal(v) for k, v in load_model("small").state_dict().items())


@pytest.mark.parametrize("elsewhere", [False, True])
def test_checkpoints_in_a_folder_of_their_own(
    elsewhere: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    callback = {"_type_": "cb.model_checkpoint", "every_n_epochs": 1, "save_dir": "saved"}
    run = run_experiment({**CONFIG, "callbacks": [callback]}).out_dir
    weights = next(tmp_path.glob("saved/step-*/model.safetensors")).read_bytes()
    if elsewhere:
        # A run of the same name and folders, in which this one's checkpoints must not be found.
        (tmp_path / "another").mkdir()
        monkeypatch.chdir(tmp_path / "another")
        run_experiment({**CONFIG, "callbacks": [callback]}, ["run.seed=1"])
    loaded = load_model(tmp_path / run)
    assert all(load(weights)[f"model.{k}"].equal(v) for k, v in loaded.state_dict().items())


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="neither a run directory"):
        load_model(tmp_path)


def test_several_models_are_told_by_name(tmp_path: Path, run: Path) -> None:
    with pytest.raises(ConfigError, match="no model `actor`: model"):
        load_model(run, name="actor")
    assert list(load_models(run)) == ["model"]


def test_a_block_of_a_plugin_needs_the_trainers_registry(run: Path) -> None:
    config = run / "config.resolved.yaml"
    config.write_text(config.read_text().replace("_type_: mlp", "_type_: plugin_block"))
    with pytest.raises(ConfigError) as caught:
        load_model(run)
    assert "build_registry()" in caught.value.help
    config.write_text(config.read_text().replace("plugin_block", "mlp"))
    assert load_model(run, registry=build_registry()) is not None


def test_a_run_from_before_a_rename_is_loaded_as_it_is(run: Path) -> None:
    registry = build_registry()
    registry.add_alias("perceptron", "mlp", since="2")
    registry.rename_parameter("mlp", "sizes", "dims", since="2")
    expected = load_model(run)(torch.ones(1, 4))
    config = run / "config.resolved.yaml"
    text = config.read_text()
    config.write_text(text.replace("_type_: mlp", "_type_: perceptron").replace("dims:", "sizes:"))
    assert torch.equal(load_model(run, registry=registry)(torch.ones(1, 4)), expected)
