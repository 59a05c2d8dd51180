"""`ot reproduce` with torch: a run of the digits, resumed once, comes out again to the byte."""

from __future__ import annotations

from pathlib import Path

from ot_process import RunOt


def test_a_resumed_run_of_the_digits_comes_out_again(
    ot: RunOt, experiments: Path, tmp_path: Path
) -> None:
    short = ("scheduler.kwargs.step_size=2", "callbacks[0].keep_last=null", "run.name=parts")
    for arguments in (("trainer.max_epochs=1",), ("trainer.max_epochs=3", "--resume", "auto")):
        done = ot("run", str(experiments / "digits.yaml"), *short, *arguments)
        assert done.returncode == 0, done.stderr
        assert "earlier attempt" not in done.stderr
    done = ot("reproduce", "runs/parts")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("nothing differs that may change the bytes\n")
    lines = len((tmp_path / "runs/parts/metrics.jsonl").read_text().splitlines())
    assert f"reproduced: {lines} metrics lines and " in done.stdout
    done = ot("reproduce", "runs/parts", "--check", env={"OMP_NUM_THREADS": "2"})
    assert done.returncode == 1
    assert done.stdout == "first difference: threads: 1 in the run, 2 here\n"


def test_a_runs_own_imports_are_left_alone_without_the_callers_word(
    ot: RunOt, experiments: Path, tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text("print('IMPORTED')\ndef register(registry): ...\n")
    own = ("imports=[own]", "settings={allow_imports: true, allowed_import_prefixes: [own]}")
    done = ot("run", str(experiments / "baseline.yaml"), "trainer.max_epochs=1", *own)
    assert done.returncode == 0, done.stderr
    refused = ot("reproduce", "runs/baseline", "--check")
    assert refused.returncode == 2
    assert "IMPORTED" not in refused.stdout + refused.stderr
    assert "--trust" in refused.stderr
    assert ot("reproduce", "runs/baseline", "--check", "--trust").returncode == 0
