"""Reading weights that somebody else saved: what is taken, what is refused, what is never run."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import nn

from offline_trainer_torch.name_map import map_names
from offline_trainer_torch.weight_file import WeightFileError, read_weight_file
from offline_trainer_torch.weight_search import find_weights

W = torch.arange(3.0)
RAN: list[str] = []


class Runs:
    """What a pickle would call."""

    def __reduce__(self) -> Any:
        return RAN.append, ("ran",)


# --- the file -------------------------------------------------------------------------------


def test_files_of_torch_old_and_new_and_of_safetensors_are_read(tmp_path: Path) -> None:
    torch.save({"w": W}, tmp_path / "new.pt")
    torch.save({"w": W}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    save_file({"w": W}, tmp_path / "w.safetensors")
    for name in ("new.pt", "old.pt", "w.safetensors"):
        assert torch.equal(read_weight_file(tmp_path / name)["w"], W)


def test_a_shared_tensor_of_safetensors_comes_back_under_each_name(tmp_path: Path) -> None:
    tied = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    tied[1].weight = tied[0].weight
    save_model(tied, str(tmp_path / "tied.safetensors"))
    tensors = read_weight_file(tmp_path / "tied.safetensors")
    assert tensors["0.weight"].data_ptr() == tensors["1.weight"].data_ptr()


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        (2, "holds more than weights: reading it would run getattr"),
        (5, "written with a pickle_protocol above 3, or is damaged"),
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_what_a_pickle_would_call_is_not_called(
    zipped: bool, protocol: int, message: str, tmp_path: Path
) -> None:
    content, file = {"w": W, "more": Runs()}, tmp_path / "evil.pt"
    torch.save(content, file, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    RAN.clear()
    with pytest.raises(WeightFileError) as caught:
        read_weight_file(file)
    assert message in caught.value.message
    assert RAN == []


def test_a_whole_module_is_refused_by_its_name(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "module.pt")
    with pytest.raises(WeightFileError, match=r"run torch\.nn\.modules\.linear\.Linear") as caught:
        read_weight_file(tmp_path / "module.pt")
    assert "torch.save(model.state_dict(), …)" in caught.value.help


def test_a_program_is_told_from_weights(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        for name in ("constants.pkl", "data.pkl", "version"):
            archive.writestr(f"script/{name}", b"2\n" if name == "version" else b"\x80\x02N.")
    with pytest.raises(WeightFileError, match="is a TorchScript program"):
        read_weight_file(tmp_path / "script.pt")


def good(path: Path) -> bytes:
    torch.save({"w": W}, path)
    return path.read_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"hello",
        lambda data: data[: len(data) // 2],
        lambda data: data[:4] + bytes(len(data) - 4),
        lambda data: pickle.dumps({"w": [1]}),
        lambda data: b"\x80\x02" + b"(" * 100_000,
    ],
)
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_damaged_files_are_one_message(
    damage: Callable[[bytes], bytes], suffix: str, tmp_path: Path
) -> None:
    file = tmp_path / f"w{suffix}"
    file.write_bytes(damage(good(tmp_path / "good.pt")))
    with pytest.raises(WeightFileError, match=r"damaged$|is no safetensors file: "):
        read_weight_file(file)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pt")
    for name in ("pipe.pt", "absent.pt", "."):
        with pytest.raises(WeightFileError, match="there is no file"):
            read_weight_file(tmp_path / name)


@pytest.mark.parametrize("version", ["2.5.1", "2.0.0+cu117"])
def test_a_torch_that_could_be_got_round_is_refused(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good(tmp_path / "w.pt")
    save_file({"w": W}, tmp_path / "w.safetensors")
    monkeypatch.setattr(torch, "__version__", version)
    with pytest.raises(WeightFileError, match="CVE-2025-32434"):
        read_weight_file(tmp_path / "w.pt")
    assert set(read_weight_file(tmp_path / "w.safetensors")) == {"w"}
    monkeypatch.setattr(torch, "__version__", "2.10.0a0+git1")
    assert set(read_weight_file(tmp_path / "w.pt")) == {"w"}


# --- where the weights are ------------------------------------------------------------------

SGD = {"state": {0: {"momentum": W}}, "param_groups": [{"lr": 0.1}]}


@pytest.mark.parametrize(
    ("content", "key", "names", "left_out"),
    [
        ({"a.w": W, "b": W}, "", ["a.w", "b"], []),
        (OrderedDict(w=W, epoch=3), "", ["w"], ["epoch"]),
        ({"state_dict": {"w": W}, "epoch": 3}, "state_dict", ["w"], ["epoch"]),
        ({"model": {"w": W, "n": 3}, "optimizer": SGD}, "model", ["w"], ["optimizer", "n"]),
        (
            {"model": {"state_dict": {"w": W}, "args": {}}},
            "model.state_dict",
            ["w"],
            ["model.args"],
        ),
        ({"model": {"w": W}, "model_ema": {"w": W}}, "model", ["w"], ["model_ema"]),
        ({"mine": {"w": W}, "optimizer": SGD}, "mine", ["w"], ["optimizer"]),
        ({"actor": {"w": W}, "critic": {"w": W}}, "", ["actor.w", "critic.w"], []),
        ({"a": W, "b": {"c": {"d": W}}}, "", ["a", "b.c.d"], []),
        ({0: W, 1: {2: W}}, "", ["0", "1.2"], []),
        ({"w": W, "part._extra_state": {"scale": 1}}, "", ["w", "part._extra_state"], []),
    ],
)
def test_the_state_dict_is_found(
    content: Any, key: str, names: list[str], left_out: list[str]
) -> None:
    found = find_weights(content)
    assert (found.key, list(found.values), found.left_out) == (key, names, left_out)


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("ema.0", ["w"]),
        ("a.b", ["x"]),
        ("a.b.c", ["y"]),
        ("a", ["b", "c.d"]),
        (".", ["ema.0.w", "a.b.x", "a.b.c.y", "a.b", "a.c.d"]),
    ],
)
def test_a_key_says_where_the_weights_are(key: str, names: list[str]) -> None:
    content = {
        "ema": {0: {"w": W}},
        "a.b": {"x": W},
        "a.b.c": {"y": W},
        "a": {"b": W, "c": {"d": W}},
        "epoch": 3,
    }
    assert list(find_weights(content, key).values) == names


def within_itself() -> dict[str, Any]:
    content: dict[str, Any] = {}
    content["model"] = content
    return content


def many_times() -> dict[str, Any]:
    content: dict[str, Any] = {}
    for _ in range(12):
        content = {str(index): content for index in range(20)}
    return content


@pytest.mark.parametrize(
    ("content", "key", "message"),
    [
        ([W], None, "the file holds a list, not a dict of tensors"),
        ({}, None, "the file holds no state dict"),
        ({"epoch": 3, "optimizer": SGD}, None, "its keys are `epoch`, `optimizer`"),
        ({"a": {"w": W}, "b": {"w": W}, "n": 3}, None, "several state dicts: `a`, `b`"),
        ({"weigths": {"w": W}}, "weights", "no `weights`; did you mean `weigths`"),
        ({"a": {"w": W}}, "a.b", "--key a.b: there is no `b`"),
        ({"a": {"w": W}}, "a.w", "`a.w` is a Tensor, not a dict of tensors"),
        ({"a": {"w": W}}, "a.w.x", "there is nothing below `a.w`"),
        ({"a": {"n": 3}}, "a", "there is no tensor in `a`"),
        ({"a.w": W, "a": {"w": W}}, None, "two tensors of the file are called `a.w`"),
        (within_itself(), None, "nested too deeply"),
        (many_times(), None, "nested too deeply"),
        ({10**5000: {"n": 1}, (1, 2): 3}, None, "its keys are `<int>`, `<tuple>`"),
    ],
)
def test_what_is_no_state_dict(content: Any, key: str | None, message: str) -> None:
    with pytest.raises(WeightFileError) as caught:
        find_weights(content, key)
    assert message in caught.value.message


# --- names ----------------------------------------------------------------------------------


def mapped(names: list[str], *rules: str) -> dict[str, str]:
    return map_names(names, rules, "model.{}".format)


def test_rules_rename_and_leave_out_and_the_first_that_fits_counts() -> None:
    names = ["module.a.w", "module.b.w", "head.w", "other"]
    assert mapped(names) == {name: f"model.{name}" for name in names}
    rules = ("module.b.*=critic.*", "module.*=actor.*", "head.*=")
    assert mapped(names, *rules) == {
        "module.a.w": "actor.a.w",
        "module.b.w": "critic.w",
        "other": "model.other",
    }
    assert mapped(["h.0.attn.w", "h.1.mlp.w"], "h.*.*.w=model.blocks.*.*.weight") == {
        "h.0.attn.w": "model.blocks.0.attn.weight",
        "h.1.mlp.w": "model.blocks.1.mlp.weight",
    }
    assert mapped(["a.b"], "*.*=*") == {"a.b": "a"}
    assert mapped(["a+b", "aab"], "a+b=x") == {"a+b": "x", "aab": "model.aab"}


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (["module"], "--map module: expected OLD=NEW"),
        (["=x"], "expected OLD=NEW"),
        (["a.*=b.*.*"], "no more * in NEW than in OLD"),
        (["modul.*=x.*"], "--map modul.*=x.* fits no name of the file"),
        (["*.w=x"], "`a.w` and `b.w` would both be called `x`"),
        (["a.w=model.b.w"], "`a.w` and `b.w` would both be called `model.b.w`"),
    ],
)
def test_rules_that_cannot_be_meant(rules: list[str], message: str) -> None:
    with pytest.raises(WeightFileError) as caught:
        mapped(["a.w", "b.w"], *rules)
    assert message in caught.value.message + caught.value.help
