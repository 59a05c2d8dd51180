"""``ot ckpt show`` and ``verify``: what is in a checkpoint, and whether it is what was saved."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from offline_trainer.checkpoint.reading import load, step_name
from offline_trainer.cli import ckpt_show, ckpt_show_table, ckpt_verify

Ot = Callable[..., Result]
Train = Callable[..., Path]


@pytest.fixture
def run(train: Train) -> Path:
    return train()


def checkpoint(run: Path, step: int) -> Path:
    return run / "checkpoints" / step_name(step)


def files(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_show_has_the_manifest_the_tensors_and_the_state(run: Path, ot: Ot) -> None:
    result = ot("ckpt", "show", "run@8", "--json")
    data: dict[str, Any] = json.loads(result.stdout)
    loaded = load(checkpoint(run, 8))
    manifest = loaded.manifest
    assert (data["step"], data["epoch"], data["attempt"]) == (8, 2, 1)
    assert data["run_id"] == json.loads((run / "run.json").read_text())["run_id"]
    assert (data["parent"], data["sha256"]) == (manifest.parent, manifest.sha256)
    assert data["metrics"] == manifest.metrics
    assert data["files"] == {record.path: record.bytes for record in manifest.files}
    assert data["groups"]["model"] == {
        name: {"dtype": tensor.dtype, "shape": list(tensor.shape)}
        for name, tensor in loaded.state.tensors["model"].items()
    }
    assert set(data["groups"]) == set(loaded.state.tensors)
    assert data["state"]["loop.global_step"] == "8"
    assert data["state"]["loop.random.python[1]"] == "625 items"
    assert data["state"]["rng"] == "[4, 0, 0]"


def test_tensors_are_listed_where_asked_for(run: Path, ot: Ot) -> None:
    plain = [line.split("\t") for line in ot("ckpt", "show", "run").stdout.splitlines()]
    assert ["step", "16"] in plain
    assert not [row for row in plain if row[0] == "tensor"]
    rows = ot("ckpt", "show", "run", "--tensors").stdout.splitlines()
    tensors = [line.split("\t") for line in rows if line.startswith("tensor\t")]
    assert len(tensors) == sum(map(len, load(checkpoint(run, 16)).state.tensors.values()))
    assert any(row[1] == "model" and row[3:] == ["F64", "4,8"] for row in tensors), tensors


def test_show_for_people(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    data = ckpt_show.as_data(load(checkpoint(run, 8)))
    ckpt_show_table.print_checkpoint(data, with_tensors=True)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == f"{checkpoint(run, 8)}  verified"
    assert "  step     8" in lines
    assert any(line.startswith("model: 4 tensors, ") for line in lines)
    assert lines.index("state: loop.measurements.latest") < lines.index(
        "state: loop.measurements.measured_at"
    )
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize("name", ["model.safetensors", "state.json", "MANIFEST.json"])
def test_a_damaged_checkpoint_is_not_shown(name: str, run: Path, ot: Ot) -> None:
    file = checkpoint(run, 8) / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    result = ot("ckpt", "show", "run@8")
    assert (result.exit_code, result.stdout) == (4, "")
    assert name in result.stderr


def test_verify_has_a_line_for_each_and_changes_nothing(run: Path, ot: Ot) -> None:
    before = files(run)
    good = ot("ckpt", "verify", "run")
    assert (good.exit_code, len(good.stdout.splitlines())) == (0, 4)
    assert files(run) == before
    weights = checkpoint(run, 8) / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    (checkpoint(run, 12) / "more").touch()
    before = files(run)
    result = ot("ckpt", "verify", "run")
    assert result.exit_code == 4
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [row[0] for row in rows] == ["ok", "damaged", "damaged", "ok"]
    assert [row[1] for row in rows] == [str(checkpoint(run, step)) for step in (4, 8, 12, 16)]
    assert rows[1][2].startswith("model.safetensors has sha256 ")
    assert rows[2][2] == "missing files [], unexpected files ['more']"
    assert files(run) == before


def test_verify_takes_several_paths_and_the_current_folder(
    train: Train, ot: Ot, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, other = train(), train(out_dir="other")
    (checkpoint(other, 4) / "state.json").unlink()
    result = ot("ckpt", "verify", "run", "other@4", "run@4", "--json")
    assert result.exit_code == 4
    results = [(each["path"], each["result"]) for each in json.loads(result.stdout)]
    assert results == [
        *((str(checkpoint(run, step)), "ok") for step in (4, 8, 12, 16)),
        (str(checkpoint(other, 4)), "damaged"),
    ]
    monkeypatch.chdir(run)
    assert len(ot("ckpt", "verify").stdout.splitlines()) == 4
    wrong = ot("ckpt", "verify", ".", "nowhere")
    assert (wrong.exit_code, wrong.stdout) == (2, "")


def test_one_that_goes_while_it_is_verified_is_not_damaged(
    run: Path, ot: Ot, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify = ckpt_verify._verify

    def removed_first(path: Path) -> Any:
        shutil.rmtree(checkpoint(run, 8), ignore_errors=True)
        return verify(path)

    monkeypatch.setattr(ckpt_verify, "_verify", removed_first)
    result = ot("ckpt", "verify", "run")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1] == f"gone\t{checkpoint(run, 8)}\t"
