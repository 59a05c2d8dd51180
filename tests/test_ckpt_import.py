"""`ot ckpt import`: a torch file's weights become a checkpoint that a run starts from."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import save_model
from torch import Tensor, nn

from offline_trainer.checkpoint.reading import load
from offline_trainer.cli import main
from offline_trainer.errors import StateMismatchError
from offline_trainer.experiment import run_experiment
from offline_trainer_torch.host_tensors import HostCopies
from offline_trainer_torch.model_state import save_models

CONFIG: dict[str, Any] = {
    "schema_version": 1,
    "run": {"name": "small", "out_dir": "run", "device": "cpu"},
    "model": {
        "sequential": {
            "inputs": ["x"],
            "layers": [{"_type_": "mlp", "dims": [None, 8, 2], "norm": "BatchNorm1d"}],
        }
    },
    "data": {"_type_": "data.random_regression", "x_shape": [4], "y_shape": [2]},
    "io": {"_type_": "io.mapping", "model_kwargs": {"x": ["x"]}, "targets": {"y": ["y"]}},
    "loss": {"_type_": "loss.torch", "fn": {"_type_": "nn.MSELoss"}},
    "optimizer": {"_type_": "optim_factory.torch", "type": "optim_cls.SGD", "kwargs": {"lr": 0.0}},
    "trainer": {"_type_": "trainer.default", "max_steps": 1, "progress": False},
    "callbacks": [{"_type_": "cb.model_checkpoint"}],
}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(json.dumps(CONFIG))


def imported(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["ckpt", "import", *arguments], prog_name="ot")


def foreign() -> dict[str, Tensor]:
    """The weights of the config's model as another program has them."""
    names = {
        "linear_0.weight": (8, 4),
        "linear_0.bias": (8,),
        "norm_0.weight": (8,),
        "norm_0.bias": (8,),
        "norm_0.running_mean": (8,),
        "norm_0.running_var": (8,),
        "linear_1.weight": (2, 8),
        "linear_1.bias": (2,),
    }
    weights = {f"net.{name}": torch.rand(shape) for name, shape in names.items()}
    return {**weights, "net.norm_0.num_batches_tracked": torch.tensor(7)}


def test_a_run_starts_from_the_weights_of_a_file() -> None:
    weights = foreign()
    torch.save({"state_dict": weights, "epoch": 3}, "theirs.pt")
    result = imported("theirs.pt", "--config", "config.yaml", "--map", "net.*=model.layer_0.*")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == (
        "imported 9 tensors (368 B) from `state_dict` of theirs.pt\n"
        "they fit the models of config.yaml\n"
        "start from them with: run.init_from=imported/theirs\n"
    )
    assert result.stderr == "ot: left out, besides the weights: epoch\n"
    run_experiment("config.yaml", ["run.init_from=imported/theirs"])
    started = load(Path("run/checkpoints/step-000000000001")).state.tensors["model"]
    for name, tensor in weights.items():
        if "norm_0.running" not in name and "num_batches" not in name:  # these, a step changes
            saved = started[name.replace("net.", "model.layer_0.")]
            assert bytes(saved.data) == tensor.numpy().tobytes()


class Everything(nn.Module):
    """Tied weights, buffers, several dtypes, an empty tensor, one tensor of a larger storage."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(3, 3)
        self.head = nn.Linear(3, 3, bias=False)
        self.head.weight = self.body.weight
        self.norm = nn.BatchNorm1d(3).to(torch.bfloat16)
        for dtype in (torch.float64, torch.float16, torch.int32, torch.int8, torch.bool):
            self.register_buffer(str(dtype).removeprefix("torch."), torch.ones(2, dtype=dtype))
        self.register_buffer("empty", torch.zeros(0, 4))
        self.register_buffer("slice", torch.arange(12.0).reshape(3, 4)[:, 1:3])


@pytest.mark.parametrize("legacy", [False, True])
def test_an_imported_checkpoint_holds_what_a_run_would_have_saved(legacy: bool) -> None:
    model = Everything()
    torch.save(model.state_dict(), "m.pt", _use_new_zipfile_serialization=not legacy)
    result = imported("m.pt", "--output", "out")
    assert result.exit_code == 0, result.stderr
    assert "imported 14 tensors under 15 names (" in result.stdout
    checkpoint = load(Path("out/step-000000000000"))
    copies = HostCopies()
    values = save_models({"model": model}, copies)
    assert checkpoint.state.values == {"model": values}
    assert checkpoint.state.tensors == {"model": copies.tensors}
    assert values["aliases"] == {"model.head.weight": "model.body.weight"}
    assert (checkpoint.step, checkpoint.epoch) == (0, 0)


def test_a_safetensors_file_with_shared_tensors_is_imported_alike() -> None:
    model = Everything()
    model.register_buffer("slice", None)
    torch.save(model.state_dict(), "m.pt")
    save_model(model, "m.safetensors")
    assert imported("m.pt", "--output", "one").exit_code == 0
    assert imported("m.safetensors", "--output", "two").exit_code == 0
    one, two = (load(Path(each) / "step-000000000000").state for each in ("one", "two"))
    named = [dict(each.tensors["model"]) for each in (one, two)]
    for tensors, state in zip(named, (one, two), strict=True):
        aliases = state.values["model"]["aliases"]
        tensors |= {name: tensors[first] for name, first in aliases.items()}
    assert named[0] == named[1]


def test_what_does_not_fit_is_listed_and_nothing_is_written() -> None:
    weights = {name.replace("net.", "layer_0."): tensor for name, tensor in foreign().items()}
    del weights["layer_0.norm_0.bias"]
    weights["layer_0.more"] = torch.zeros(1)
    weights["layer_0.linear_0.weight"] = torch.zeros(8, 5)  # 4 is what the data has
    weights["layer_0.linear_1.bias"] = torch.zeros(2, dtype=torch.float16)
    torch.save(weights, "theirs.pt")
    result = imported("theirs.pt", "--config", "config.yaml")
    assert result.exit_code == 2
    assert result.stderr == (
        "error: theirs.pt does not fit the config; nothing is written\n"
        "    missing in the file: 1\n"
        "      model.layer_0.norm_0.bias F32 (8,)\n"
        "    only in the file: 1\n"
        "      model.layer_0.more F32 (1,)\n"
        "    different: 2\n"
        "      model.layer_0.linear_0.weight is F32 (8, 5), the model has F32 (8, 4)\n"
        "      model.layer_0.linear_1.bias is F16 (2,), the model has F32 (2,)\n"
        "  help: rename with --map OLD=NEW; with nothing after the =, a tensor is left out\n"
    )
    assert not Path("imported").exists()


def test_a_rule_that_would_make_the_names_fit_is_offered() -> None:
    weights = {name.replace("net.", "module.layer_0."): x for name, x in foreign().items()}
    torch.save(weights, "ddp.pt")
    result = imported("ddp.pt", "--config", "config.yaml")
    assert "help: the names fit with --map 'module.*=model.*'" in result.stderr
    rule = ("--map", "module.*=model.*")
    assert imported("ddp.pt", "--config", "config.yaml", *rule).exit_code == 0
    half = {name: x.half() for name, x in weights.items()}
    torch.save(half, "half.pt")
    assert "help: a run has the dtypes and shapes of its config" in (
        imported("half.pt", "--config", "config.yaml", *rule).stderr
    )


def test_sizes_that_no_data_tells_are_not_compared() -> None:
    alone = {key: CONFIG[key] for key in ("schema_version", "model")}
    Path("model.yaml").write_text(json.dumps(alone))
    torch.save(foreign(), "theirs.pt")
    rule = ("--map", "net.*=model.layer_0.*")
    assert imported("theirs.pt", "--config", "model.yaml", *rule).exit_code == 0


def test_of_several_models_each_name_says_which() -> None:
    model = {"sequential": {"inputs": ["x"], "layers": [{"_type_": "mlp", "dims": [2, 3]}]}}
    models = {"schema_version": 1, "models": {"actor": model, "critic": model}}
    Path("two.yaml").write_text(json.dumps(models))
    part = {"layer_0.linear_0.weight": torch.zeros(3, 2), "layer_0.linear_0.bias": torch.zeros(3)}
    torch.save({"actor": part, "critic": part}, "two.pt")
    result = imported("two.pt", "--config", "two.yaml")
    assert result.exit_code == 0, result.stderr
    names = load(Path("imported/two/step-000000000000")).state.tensors["model"]
    assert {name.partition(".")[0] for name in names} == {"actor"}
    aliases = load(Path("imported/two/step-000000000000")).state.values["model"]["aliases"]
    assert {name.partition(".")[0] for name in aliases} == {"critic"}  # they are one tensor here
    torch.save(part, "one.pt")
    rule = ("--map", "*=critic.*")
    assert "only in the file" not in imported("one.pt", "--config", "two.yaml", *rule).stderr


def many(file: str) -> None:
    """A file whose few bytes claim to be many."""
    torch.save({"w": torch.zeros(1).expand(1 << 40)}, file)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda file: torch.save({"w": torch.tensor([math.nan])}, file), "no number (NaN)"),
        (lambda file: torch.save({"w": torch.zeros(2, dtype=torch.complex64)}, file), "complex64"),
        (lambda file: torch.save({"w": torch.eye(2).to_sparse()}, file), "is no plain tensor"),
        (lambda file: torch.save({"w": torch.zeros(2, device="meta")}, file), "no plain tensor"),
        (many, "bytes, but tensors of 4398046511104"),
        (lambda file: torch.save([1, 2], file), "holds a list"),
        (lambda file: Path(file).write_text("no"), "was not written by torch.save"),
    ],
)
def test_what_a_checkpoint_cannot_hold(write: Callable[[str], None], words: str) -> None:
    write("theirs.pt")
    result = imported("theirs.pt")
    assert (result.exit_code, isinstance(result.exception, SystemExit)) == (2, True)
    assert words in result.stderr
    assert not Path("imported").exists()


def test_a_mask_of_infinities_is_taken_and_said() -> None:
    torch.save({"mask": torch.full((2, 2), -math.inf).triu(1), "w": torch.zeros(1)}, "theirs.pt")
    result = imported("theirs.pt")
    assert result.exit_code == 0
    assert result.stderr == "ot: infinite, which is right for a mask alone: model.mask\n"
    assert load(Path("imported/theirs/step-000000000000")).state.tensors["model"].keys() == {
        "model.mask",
        "model.w",
    }


def test_a_place_that_is_taken_is_left_alone() -> None:
    torch.save({"w": torch.zeros(2)}, "theirs.pt")
    assert imported("theirs.pt").exit_code == 0
    again = imported("theirs.pt")
    assert again.exit_code == 2
    assert "already holds checkpoints of another run" in again.stderr
    run_experiment("config.yaml")
    for output in ("run", "run/checkpoints"):
        assert imported("theirs.pt", "--output", output).exit_code == 2
    assert imported("theirs.pt", "--output", "theirs.pt").exit_code == 2
    assert imported("theirs.pt", "--output", "theirs.pt/below").exit_code == 1


def test_a_run_does_not_resume_from_weights_alone() -> None:
    weights = {name.replace("net.", "layer_0."): tensor for name, tensor in foreign().items()}
    torch.save(weights, "theirs.pt")
    assert imported("theirs.pt", "--config", "config.yaml").exit_code == 0
    with pytest.raises(StateMismatchError, match="holds weights alone") as caught:
        run_experiment("config.yaml", resume="imported/theirs")
    assert "run.init_from" in caught.value.help


def test_the_commands_of_core_work_on_it() -> None:
    torch.save({"w": torch.zeros(2)}, "theirs.pt")
    assert imported("theirs.pt").exit_code == 0
    for command in ("ls", "show", "verify"):
        result = CliRunner().invoke(main, ["ckpt", command, "imported/theirs"])
        assert result.exit_code == 0, result.output
