"""``ot ckpt diff``: what differs between two checkpoints in meaning."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from offline_trainer.checkpoint.difference import compare_tensors, compare_values
from offline_trainer.checkpoint.reading import load
from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.checkpoint.writing import Save
from offline_trainer.cli.ckpt_diff_lines import print_differences
from offline_trainer.engine import HostState, HostTensor, Json

Ot = Callable[..., Result]
Train = Callable[..., Path]


def floats(*values: float) -> HostTensor:
    return HostTensor("F32", (len(values),), struct.pack(f"<{len(values)}f", *values))


def bfloats(*values: float) -> HostTensor:
    halves = [struct.pack("<f", value)[2:] for value in values]
    return HostTensor("BF16", (len(values),), b"".join(halves))


def double(value: float) -> HostTensor:
    return HostTensor("F64", (), struct.pack("<d", value))


def saved(folder: Path, tensors: Mapping[str, HostTensor], values: Json = None) -> Path:
    groups = {"buffers": dict(tensors)}  # a group whose numbers may be infinite
    store = CheckpointStore(folder, run_id="", config_hash="", quarantine=folder / "quarantine")
    return store.save(Save(HostState(groups, {"part": values}), {"step": 1}, 1, 0))


@pytest.fixture
def differences(tmp_path: Path) -> Callable[..., tuple[Json, int]]:
    def compare(
        ot: Ot, one: Mapping[str, HostTensor], other: Mapping[str, HostTensor], *values: Json
    ) -> tuple[Any, int]:
        before, after = values or (None, None)
        first, second = saved(tmp_path / "1", one, before), saved(tmp_path / "2", other, after)
        result = ot("ckpt", "diff", str(first), str(second), "--json")
        return json.loads(result.stdout), result.exit_code

    return compare


def test_two_checkpoints_of_one_run_differ_and_one_is_equal_to_itself(train: Train, ot: Ot) -> None:
    train()
    result = ot("ckpt", "diff", "run@4", "run@8")
    assert result.exit_code == 1
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert {len(row) for row in rows} == {5}
    assert ["~", "state/loop.global_step", "4 → 8", "", ""] in rows
    assert {row[1].partition("/")[0] for row in rows} >= {"model", "optimizer", "state"}
    same = ot("ckpt", "diff", "run", "run@last")
    assert (same.exit_code, same.stdout) == (0, "")
    assert json.loads(ot("ckpt", "diff", "run", "run", "--json").stdout) == {
        "tensors": [],
        "values": [],
    }


def test_the_same_training_in_another_directory_holds_the_same(train: Train, ot: Ot) -> None:
    train()
    train(out_dir="again")
    assert ot("ckpt", "diff", "run", "again").exit_code == 0
    train(out_dir="other", optimizer={"_type_": "optim_factory.momentum", "lr": 0.04})
    assert ot("ckpt", "diff", "run", "other").exit_code == 1


@pytest.mark.parametrize(
    ("before", "after", "differing", "largest"),
    [
        (floats(1, 2, 3, 4), floats(1, 2.5, 3, 3.75), 2, 0.5),
        (floats(0.0), floats(-0.0), 1, 0.0),
        (floats(1, math.nan), floats(1, 1), 1, {"$float": "inf"}),
        (floats(math.inf, 1), floats(1, 1), 1, {"$float": "inf"}),
        (bfloats(1, 2, -3), bfloats(1, 2.5, -3), 1, 0.5),
        (HostTensor("F16", (1,), b"\x00\x3c"), HostTensor("F16", (1,), b"\x00\x40"), 1, 1.0),
        (double(1e300), double(-1e300), 1, 2e300),
        (HostTensor("I64", (2,), bytes(16)), HostTensor("I64", (2,), bytes(15) + b"\1"), 1, None),
        (HostTensor("BOOL", (3,), b"\0\1\1"), HostTensor("BOOL", (3,), b"\1\0\1"), 2, None),
    ],
)
def test_numbers_that_differ_are_counted_and_measured(
    before: HostTensor,
    after: HostTensor,
    differing: int,
    largest: Any,
    differences: Any,
    ot: Ot,
) -> None:
    found, code = differences(ot, {"w": before, "same": before}, {"w": after, "same": before})
    (tensor,) = found["tensors"]
    assert (code, tensor["group"], tensor["name"], tensor["kind"]) == (1, "buffers", "w", "changed")
    assert tensor["elements"] == math.prod(before.shape)
    assert (tensor["differing"], tensor["largest"]) == (differing, largest)


def test_a_difference_far_into_a_large_tensor_is_found(differences: Any, ot: Ot) -> None:
    count = (1 << 18) * 2 + 3
    before, after = bytearray(4 * count), bytearray(4 * count)
    after[-4:] = struct.pack("<f", 2.0)
    after[:4] = struct.pack("<f", -3.0)
    one, other = (HostTensor("F32", (count,), bytes(data)) for data in (before, after))
    found, _ = differences(ot, {"w": one}, {"w": other})
    assert [(each["differing"], each["largest"]) for each in found["tensors"]] == [(2, 3.0)]


def test_nan_of_the_same_bits_is_no_difference(differences: Any, ot: Ot) -> None:
    tensors = {"w": floats(math.nan, math.inf), "none": HostTensor("F32", (0, 3), b"")}
    values = {"best": math.nan, "most": math.inf}
    assert differences(ot, tensors, tensors, values, dict(values))[1] == 0


def test_tensors_of_one_side_and_of_another_form(differences: Any, ot: Ot) -> None:
    one = {"a": floats(1), "b": floats(1, 2), "c": floats(1)}
    other = {"b": HostTensor("F32", (2, 1), one["b"].data), "c": bfloats(1), "d": floats(1)}
    found, _ = differences(ot, one, other)
    forms = {
        each["name"]: (each["kind"], each["before"], each["after"]) for each in found["tensors"]
    }
    assert forms == {
        "a": ("removed", {"dtype": "F32", "shape": [1]}, None),
        "b": ("changed", {"dtype": "F32", "shape": [2]}, {"dtype": "F32", "shape": [2, 1]}),
        "c": ("changed", {"dtype": "F32", "shape": [1]}, {"dtype": "BF16", "shape": [1]}),
        "d": ("added", None, {"dtype": "F32", "shape": [1]}),
    }


def test_values_of_the_state_differ_by_path(differences: Any, ot: Ot) -> None:
    before = {"lr": 0.1, "best": math.inf, "seen": [1, 2], "on": True, "old": {"x": 1}, "n": 1}
    after = {"lr": 0.2, "best": 3.0, "seen": [1, 5], "on": 1, "new": None, "n": 1.0}
    found, code = differences(ot, {}, {}, before, after)
    assert code == 1
    assert {each["path"]: (each["before"], each["after"]) for each in found["values"]} == {
        "part.lr": (0.1, 0.2),
        "part.best": ({"$float": "inf"}, 3.0),
        "part.seen[1]": (2, 5),
        "part.on": (True, 1),
        "part.old.x": (1, None),
        "part.new": (None, None),
    }
    assert [each["kind"] for each in found["values"]][-2:] == ["removed", "added"]


def test_a_long_list_is_one_difference(differences: Any, ot: Ot, tmp_path: Path) -> None:
    found, _ = differences(ot, {}, {}, {"random": [*range(625)]}, {"random": [*range(624), 0]})
    assert [each["path"] for each in found["values"]] == ["part.random"]
    again = ot("ckpt", "diff", str(tmp_path / "1"), str(tmp_path / "2"))
    assert again.stdout == "~\tstate/part.random\t625 items\t1/625\t\n"


def test_differences_for_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("offline_trainer.cli.ckpt_diff_lines.on_terminal", lambda: True)
    paths = [
        saved(tmp_path / "1", {"w": floats(1, 2), "b": floats(1)}, {"lr": 0.1, "old": "x" * 99}),
        saved(tmp_path / "2", {"w": floats(1, 3), "c": floats(1)}, {"lr": 0.2}),
    ]
    one, other = map(load, paths)
    print_differences([*compare_tensors(one, other)], [*compare_values(one, other)])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert [" ".join(line.split()) for line in lines] == [
        "buffers",
        "differ by up to",
        "- b F32 (1,)",
        "~ w F32 (2,) 1 1",
        "+ c F32 (1,)",
        "state: part",
        "~ lr 0.1 → 0.2",
        f"- old {'x' * 23}…",
        "different tensors: 3, values of the state: 2",
    ]
    print_differences([], [])
    assert capsys.readouterr().out == "no differences\n"


def test_what_cannot_be_read_ends_with_2(train: Train, ot: Ot) -> None:
    run = train()
    (run / "checkpoints/step-000000000008/state.json").unlink()
    for pair in (("run@4", "run@8"), ("run@8", "run@4"), ("run@4", "nowhere")):
        result = ot("ckpt", "diff", *pair)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith("error: ")
