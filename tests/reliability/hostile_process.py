"""The process that opens forged checkpoints: it is watched, and what it does is written down.

An audit hook cannot be removed again, so it is in a process of its own. What a request does is
compared with what the same does with sound and with damaged checkpoints: nothing more is imported,
compiled, executed or started, and no file is opened outside of the run's folder.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from offline_trainer.checkpoint.file_system import FileSystem
from offline_trainer.checkpoint.reading import load
from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.experiment import run_experiment

_WATCHED = ("import", "exec", "compile", "open", "marshal.loads", "pickle.find_class")
_WATCHED_FAMILIES = ("os.system", "os.exec", "os.spawn", "os.posix_spawn", "os.fork", "subprocess.")
_FAMILIES_OF_OTHERS = ("ctypes.", "socket.", "shutil.", "os.putenv", "sys.addaudithook", "winreg.")


class Watch:
    """Collects what happens while it is on."""

    def __init__(self) -> None:
        self.usual: set[str] = set()
        self._seen: set[str] = set()
        self._folder = ""
        sys.addaudithook(self._hook)

    def watch(self, folder: Path, do: Callable[[], Any]) -> tuple[Any, list[str]]:
        """What something gave, and what happened that is not usual."""
        self._seen, self._folder = set(), str(folder)
        try:
            given = do()
        finally:
            self._folder = ""
        return given, sorted(self._seen - self.usual)

    def learn(self, folder: Path, do: Callable[[], Any]) -> None:
        """Take for usual what this does."""
        self.usual.update(self.watch(folder, do)[1])

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._folder:
            return
        if event in _WATCHED or event.startswith(_WATCHED_FAMILIES + _FAMILIES_OF_OTHERS):
            what = self._name(event, arguments)
            if what is not None:
                self._seen.add(what)

    def _name(self, event: str, arguments: tuple[Any, ...]) -> str | None:
        first: Any = arguments[0] if arguments else None
        if event == "open":
            if isinstance(first, int):
                return None
            path = Path.cwd() / os.fsdecode(first)
            return None if path.is_relative_to(self._folder) else f"open {path}"
        if event == "exec":
            return f"exec {first.co_filename} {first.co_name}"
        if event == "compile":
            return f"compile {arguments[1]}"
        return f"{event} {first!r:.80}"


def outcome_of(do: Callable[[], Any]) -> dict[str, Any]:
    """What came of something: a value, or the name of an error and what it says."""
    try:
        return {"value": do(), "error": None}
    except Exception as error:  # noqa: BLE001 - whatever leaves is what we want to know
        return {"value": None, "error": type(error).__name__, "said": str(error)}


def open_newest(folder: Path) -> dict[str, Any]:
    """Load the newest checkpoint by itself, then look for the newest good one."""
    out_dir = folder / "run"
    newest = max((out_dir / "checkpoints").glob("step-*"))
    store = CheckpointStore(
        out_dir / "checkpoints",
        run_id="run",
        config_hash="",
        quarantine=out_dir / "quarantine",
        file_system=FileSystem(),
    )

    def latest() -> int:
        checkpoint = store.latest()
        return checkpoint.step if checkpoint is not None else -1

    return {"load": outcome_of(lambda: load(newest).step), "latest": outcome_of(latest)}


def resume(folder: Path, config: Any) -> dict[str, Any]:
    """Go on with the run."""
    os.chdir(folder)
    paths = list(sys.path)  # `imports:` adds the current folder
    try:
        return outcome_of(lambda: run_experiment(config, resume="auto").global_step)
    finally:
        sys.path[:] = paths
        os.chdir("/")


def main() -> None:
    """Answer requests, one JSON object a line; those with ``learn`` show what is usual."""
    watch, answers = Watch(), sys.stdout
    for line in sys.stdin:
        request = json.loads(line)
        folder = Path(request["folder"])
        config, opens = request["config"], request["do"] == "open"

        def do(folder: Path = folder, config: Any = config, opens: bool = opens) -> dict[str, Any]:
            return open_newest(folder) if opens else resume(folder, config)

        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            if request["learn"]:
                watch.learn(folder, do)
                answer: dict[str, Any] = {}
            else:
                answer, unusual = watch.watch(folder, do)
                answer = {"outcome": answer, "unusual": unusual}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
