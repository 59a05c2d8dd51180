"""What a checkpoint costs: a model of 100 million parameters with AdamW, 1.2 GB of state.

How long training stands still for a save, at once and in the background, the first one included;
how fast steps go on meanwhile; how long a verified load takes; how much memory a save needs. The
reference for a save is what has to happen anyway, one after the other: copy the bytes, hash them,
write them, wait for the disk. Ours and the references take turns.

    make bench
"""

from __future__ import annotations

import hashlib
import os
import shutil
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from model_constructor.registry import Registry
from offline_trainer.checkpoint import reading
from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.engine import MicroBatch, OptimizerPlan, RunSettings, Task
from offline_trainer.objective import SupervisedObjective
from offline_trainer.saving import Saver, SaveSettings
from offline_trainer_torch.engine import TorchEngine
from offline_trainer_torch.loss import TorchLoss
from offline_trainer_torch.optimizers import OptimizerFactory

WIDTH, LAYERS, BATCH = 2000, 25, 8
ROUNDS = 5


class FieldsIo:
    """Model input ``x``, target ``y``."""

    def split(self, batch: Any, stage: str) -> Any:
        return ((batch["x"],), {}), batch["y"], None


def start_engine() -> tuple[TorchEngine, MicroBatch]:
    """An engine that has taken a step, so that the optimizer has its state."""
    registry = Registry()
    registry.add("optim_cls.AdamW", torch.optim.AdamW)
    objective = SupervisedObjective()
    objective.bind(FieldsIo(), TorchLoss(nn.MSELoss()))
    engine = TorchEngine()
    engine.prepare(RunSettings(device="cpu"))
    model = nn.Sequential(*(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(LAYERS)))
    factory = OptimizerFactory("optim_cls.AdamW", kwargs={"lr": 1e-5})
    plan = OptimizerPlan("optimizer", ("model",), factory)
    engine.setup(Task({"model": model}, objective, [plan], registry), None)
    rows = np.random.default_rng(0).standard_normal((BATCH, WIDTH), dtype=np.float32)
    batch = MicroBatch({"x": rows, "y": rows}, float(BATCH))
    engine.train_step([batch])
    return engine, batch


def saver(engine: TorchEngine, folder: Path, *, asynchronous: bool) -> Saver:
    store = CheckpointStore(
        folder / "checkpoints",
        run_id="bench",
        config_hash="",
        quarantine=folder / "quarantine",
        hash_beside=not asynchronous,
    )
    settings = SaveSettings(asynchronous=asynchronous, rehearse=True)
    return Saver(store, engine, settings, lambda path: None, lambda: None)


def seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


class Reference:
    """Copy, hash, write and wait for the disk, one after the other, of as many bytes.

    Args:
        sizes: Bytes of each tensor; they lie one after the other and are copied one by one.
    """

    def __init__(self, sizes: Sequence[int], folder: Path) -> None:
        size = sum(sizes)
        self.source = np.frombuffer(np.random.default_rng(0).bytes(size), np.uint8)
        self.target = np.ones(size, np.uint8)
        ends = np.cumsum(sizes)[:-1]
        self.parts = list(
            zip(np.split(self.target, ends), np.split(self.source, ends), strict=True)
        )
        self.file = folder / "reference"

    def copy(self) -> None:
        for target, source in self.parts:
            np.copyto(target, source)

    def save(self) -> None:
        self.copy()
        view = self.target.data
        hashlib.sha256(view).hexdigest()
        with self.file.open("wb", buffering=0) as file:
            while view:
                view = view[file.write(view) :]
            os.fsync(file.fileno())

    def load(self) -> None:
        hashlib.sha256(self.file.read_bytes()).hexdigest()


Peer = Callable[[], Callable[[], object] | None]


def peers(engine: TorchEngine, folder: Path) -> dict[str, Peer]:
    """What other savers do with the same tensors; each returns what waits for its end, if any."""
    from safetensors.torch import save_file
    from torch.distributed.checkpoint.state_dict_saver import async_save, save

    model, planned = engine.models["model"], engine.optimizers["optimizer"].optimizer
    state = {"model": model.state_dict(), "optimizer": planned.state_dict()}
    flat = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for index, entry in planned.state_dict()["state"].items():
        flat |= {f"optimizer.{index}.{name}": tensor for name, tensor in entry.items()}

    def asynchronous() -> Callable[[], object]:
        future = async_save(state, checkpoint_id=folder / "dcp_async")
        return future.result  # type: ignore[union-attr]

    return {
        "torch.save": lambda: torch.save(state, folder / "torch.pt"),
        "safetensors.torch.save_file": lambda: save_file(flat, folder / "peer.safetensors"),
        "torch.distributed.checkpoint.save": lambda: (
            save(state, checkpoint_id=folder / "dcp") and None
        ),
        "torch.distributed.checkpoint.async_save": asynchronous,
    }


def resident_gb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e9


def median(values: list[float]) -> float:
    return statistics.median(values)


def main() -> None:
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name))


def measure(folder: Path) -> None:
    engine, batch = start_engine()
    resident = [resident_gb()]
    step = seconds_per_step(engine, batch, 5)
    sync, background = (saver(engine, folder / n, asynchronous=n == "b") for n in "ab")
    rehearsal = seconds(lambda: sync.rehearse(dict, step=0, epoch=0))
    resident.append(resident_gb())
    groups = engine.snapshot(sync._buffers).tensors.values()
    sizes = [len(tensor.data) for group in groups for tensor in group.values()]
    background.rehearse(dict, step=0, epoch=0)
    background.collect(wait=True)
    size = sum(sizes)
    reference = Reference(sizes, folder)
    reference.save()
    times: dict[str, list[float]] = {}
    rates: list[float] = []

    def note(row: str, action: Callable[[], object]) -> None:
        times.setdefault(row, []).append(seconds(action))

    others = peers(engine, folder)
    for number in range(1, ROUNDS + 1):
        for row, save in (
            ("reference", reference.save),
            ("reference again", reference.save),
            ("save", partial(sync.save, {}, {}, step=number, epoch=0)),
        ):
            # Each writes new files, and the system has as much memory to spare for them.
            empty(folder)
            note(row, save)
        note("copy", reference.copy)
        note("copy again", reference.copy)
        checkpoint = folder / f"a/checkpoints/{reading.step_name(number)}"
        note("load", partial(reading.load, checkpoint))
        reference.save()
        note("read and hash", reference.load)
        note("stall", partial(background.save, {}, {}, step=number, epoch=0))
        rates.append(step / seconds_per_step(engine, batch, 1000, while_running=background))
        step = seconds_per_step(engine, batch, 5)
        for row, peer in others.items():
            empty(folder)
            started = time.perf_counter()
            wait = peer()
            times.setdefault(row, []).append(time.perf_counter() - started)
            if wait is not None:
                wait()
    print(f"{size / 1e9:.2f} GB of state, torch {torch.__version__}, {os.cpu_count()} cores")
    show(times, rates, rehearsal, resident, size)


def empty(folder: Path) -> None:
    """Remove everything that was written into a folder."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def seconds_per_step(
    engine: TorchEngine, batch: MicroBatch, most: int, while_running: Saver | None = None
) -> float:
    started, count = time.perf_counter(), 0
    while count < most:
        engine.train_step([batch])
        count += 1
        if while_running is not None:
            while_running.collect()
            if while_running._running is None:
                break
    return (time.perf_counter() - started) / count


def show(
    times: dict[str, list[float]],
    rates: list[float],
    rehearsal: float,
    resident: list[float],
    size: int,
) -> None:
    reference, copy, read = (median(times[n]) for n in ("reference", "copy", "read and hash"))
    print(f"{'':<52}{'s':>8}  ratio")
    rows = [
        ("copy + hash + write + fsync", "reference", reference),
        ("the same again (control)", "reference again", reference),
        ("save, training waits", "save", reference),
        ("one copy in memory", "copy", copy),
        ("the same again (control)", "copy again", copy),
        ("save in the background, training waits", "stall", copy),
        ("read + hash", "read and hash", read),
        ("load, verified", "load", read),
        *((name, name, reference) for name in times if "." in name),
    ]
    for title, row, against in rows:
        print(f"{title:<52}{median(times[row]):>8.3f}  {median(times[row]) / against:.2f}")
    print(
        f"{'first save in the background, training waits':<52}{times['stall'][0]:>8.3f}  "
        f"{times['stall'][0] / copy:.2f}"
    )
    print(f"{'steps while a save runs in the background':<52}{'':>8}  {median(rates):.2f} of idle")
    print(f"{'rehearsal save (makes the buffers)':<52}{rehearsal:>8.3f}")
    beyond = resident[1] - resident[0]
    print(f"memory of a save beyond the state: {beyond:.2f} GB for {size / 1e9:.2f} GB of state")


if __name__ == "__main__":
    main()
