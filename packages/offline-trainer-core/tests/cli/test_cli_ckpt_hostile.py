"""``ot ckpt`` on directories made to break it: messages, no tracebacks, no escapes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from click.testing import Result

from offline_trainer.checkpoint.file_record import FileRecord
from offline_trainer.checkpoint.manifest import make_manifest
from offline_trainer.checkpoint.reading import step_name
from offline_trainer.cli import ckpt_ls, ckpt_show, ckpt_show_table, ckpt_table

Ot = Callable[..., Result]

ESCAPE = "\x1b[2J\nw\ud800\u202e"
STATE = b'{"values": {}, "loop": {}}'


def tensors(header: object, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def forged(
    run: Path,
    step: int = 1,
    files: Mapping[str, bytes] | None = None,
    metrics: Mapping[str, float] | None = None,
) -> Path:
    """A checkpoint that is what its manifest says, whatever that is."""
    path = run / "checkpoints" / step_name(step)
    path.mkdir(parents=True)
    (run / "run.json").touch()
    files = {"model.safetensors": tensors({}), "state.json": STATE, **(files or {})}
    records = []
    for name, content in files.items():
        (path / name).write_bytes(content)
        records.append(FileRecord(name, len(content), hashlib.sha256(content).hexdigest()))
    _, data = make_manifest(
        run_id=ESCAPE,
        attempt=1,
        step=step,
        epoch=0,
        parent=None,
        config_hash=ESCAPE,
        metrics=metrics or {},
        files=records,
    )
    (path / "MANIFEST.json").write_bytes(data)
    return path


def escapes(run: Path) -> None:
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    state = {"values": {ESCAPE: {ESCAPE: ESCAPE}}, "loop": {"$": {"$$tensor": [[], {}, ESCAPE]}}}
    files = {"model.safetensors": tensors({ESCAPE: entry}, bytes(4))}
    forged(run, 1, {**files, "state.json": json.dumps(state).encode()}, {ESCAPE: 0.5})
    (run / "quarantine").mkdir()
    (run / "quarantine" / step_name(3)).mkdir()
    (run / "quarantine" / f"{step_name(3)}.reason.txt").write_bytes(b"\x1b[2J\xff bad")


def deep(run: Path) -> None:
    forged(run, files={"state.json": b'{"values": {}, "loop": ' + b"[" * 90_000 + b"]" * 90_000})


def deep_but_readable(run: Path) -> None:
    forged(run, files={"state.json": b'{"values": {}, "loop": %b1%b}' % (b"[" * 300, b"]" * 300)})


def large_numbers(run: Path) -> None:
    number = b"9" * 4000
    state = b'{"values": {"a": {"n": %b}, "b": 1e999}, "loop": null}' % number
    header = tensors({"w": {"dtype": "F32", "shape": [0, int(number)], "data_offsets": [0, 0]}})
    forged(run, files={"state.json": state, "model.safetensors": header})


def odd_tensor_file(run: Path) -> None:
    forged(run, files={"model.safetensors": b"\xff" * 7, "optimizer.safetensors": tensors([])})


def everything_in_the_wrong_place(run: Path) -> None:
    path = forged(run, 1)
    folder = path.parent
    (folder / step_name(2)).touch()
    (folder / step_name(3)).symlink_to(folder / step_name(3))
    (folder / step_name(4)).symlink_to("/")
    (folder / step_name(5) / "MANIFEST.json").mkdir(parents=True)
    (folder / step_name(6)).mkdir()
    os.mkfifo(folder / step_name(6) / "MANIFEST.json")
    (folder / step_name(7)).mkdir()
    (folder / step_name(7) / "MANIFEST.json").write_bytes(b"{" * (1 << 21))
    (folder / step_name(999_999_999_999)).mkdir()
    (
        folder / "step-\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661"
    ).mkdir()
    os.mkfifo(folder / "last")
    (folder / "best").mkdir()
    (folder / "trash").touch()
    (run / "quarantine").symlink_to(run)
    (run / "config.resolved.yaml").mkdir()


def odd_quarantine(run: Path) -> None:
    forged(run, 1)
    (run / "quarantine").mkdir()
    (run / "quarantine" / step_name(1)).touch()
    os.mkfifo(run / "quarantine" / f"{step_name(1)}.reason.txt")
    (run / "checkpoints/last").write_text(step_name(77))
    (run / "config.resolved.yaml").write_text("callbacks: [{_type_: cb.model_checkpoint}]")


CASES = [
    escapes,
    deep,
    deep_but_readable,
    large_numbers,
    odd_tensor_file,
    everything_in_the_wrong_place,
    odd_quarantine,
]
COMMANDS = [
    *("ls run", "ls run --json", "ls run@1"),
    *("verify run", "verify run --json"),
    *("show run@1", "show run@1 --tensors", "show run@1 --json"),
    *("diff run@1 run@1", "diff run@1 run@1 --json", "diff run@1 good", "diff good run@1 --json"),
    *("show run@last", "show run@best", "pin run@1", "unpin run@1"),
    *("rm run@1", "rm run@1 --force"),
]


@pytest.mark.parametrize("case", CASES)
def test_no_traceback_and_no_escape_on(
    case: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ot: Ot
) -> None:
    monkeypatch.chdir(tmp_path)
    case(Path("run"))
    forged(Path("good"))
    for command in COMMANDS:
        result = ot("ckpt", *command.split())
        assert result.exception is None or isinstance(result.exception, SystemExit), command
        assert result.exit_code in (0, 1, 2, 4), command
        assert not any(char in result.output for char in "\x1b\u202e\ud800"), command
        assert "Traceback" not in result.output
        if "--json" in command and result.exit_code in (0, 4) and result.stdout:
            json.loads(result.stdout)


@pytest.mark.parametrize("case", CASES)
def test_what_people_see_has_no_escape_either(
    case: Callable[[Path], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from offline_trainer.checkpoint.reading import load
    from offline_trainer.errors import CheckpointError

    monkeypatch.chdir(tmp_path)
    case(Path("run"))
    ckpt_table.print_listing(ckpt_ls.listing_of("run"))
    try:
        data = ckpt_show.as_data(load(Path("run/checkpoints") / step_name(1)))
    except CheckpointError:
        data = None
    if data is not None:
        ckpt_show_table.print_checkpoint(data, with_tensors=True)
    assert not any(char in capsys.readouterr().out for char in "\x1b\u202e\ud800")
