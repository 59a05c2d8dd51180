"""What starting `ot` costs: its light commands against ``python -c "import torch"``.

The environment is made up: 100 distributions, 10 of them plugins with a component each, in one
folder on ``PYTHONPATH``, besides what is installed. Each command runs in a process of its own; the
commands and the reference take turns, and medians are compared. Standard library only.

    make bench
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

ROUNDS = 9
DISTRIBUTIONS = 100
PLUGINS = 10

OT = ("-m", "offline_trainer.cli")
TORCH_CONFIG = Path(__file__).parent.parent / "configs" / "experiments" / "baseline.yaml"

# What runs, and how much of torch's import it may take; None for the rows to compare with.
COMMANDS: dict[str, tuple[tuple[str, ...], float | None]] = {
    "python -c 'import torch'": (("-c", "import torch"), None),
    "the same again": (("-c", "import torch"), None),
    "python -c pass": (("-c", "pass"), None),
    "ot --help": ((*OT, "--help"), 0.08),
    "ot list-components": ((*OT, "list-components"), 0.08),
    "ot check, numpy engine": ((*OT, "check", "numpy.yaml"), 0.25),
    "ot check, torch engine": ((*OT, "check", str(TORCH_CONFIG)), 0.4),
}

PLUGIN = """
import pluggy

OT_PLUGIN_API = (1, 0)
hookimpl = pluggy.HookimplMarker("offline_trainer")


@hookimpl
def ot_register_components(registry):
    registry.add_lazy("data.{name}", "{name}:Data", help="One of the benchmark's components.")
"""

CONFIG = """
schema_version: 1
settings: {allowed_import_prefixes: [offline_trainer.]}
imports: [offline_trainer.testing.numpy_engine]
run: {name: small, out_dir: "runs/${run.name}"}
engine: {_type_: engine.numpy}
model:
  sequential:
    inputs: [x]
    layers: [{_type_: layer.linear, in_features: 4, out_features: 2}]
data: {_type_: data.random_regression, x_shape: [4], y_shape: [2]}
io: {_type_: io.mapping, model_kwargs: {x: [x]}, targets: {y: [y]}}
loss: {_type_: loss.squared_error}
optimizer: {_type_: optim_factory.momentum, lr: 0.05}
trainer: {_type_: trainer.default, max_epochs: 3}
"""


def make_environment(folder: Path) -> None:
    """Write the distributions, with metadata as long as that of a real one."""
    padding = "Classifier: Programming Language :: Python\n" * 40 + "\n" + "Words.\n" * 300
    for index in range(DISTRIBUTIONS):
        name = f"made_up_{index}"
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{padding}"
        )
        group, target = "console_scripts", f"{name}:main"
        if index < PLUGINS:
            group, target = "offline_trainer.plugins", name
            (folder / f"{name}.py").write_text(PLUGIN.replace("{name}", name))
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {target}\n")


def measure(folder: Path) -> dict[str, float]:
    """Median seconds of each command, over rounds in which each runs once."""
    # Byte code is kept, as that of an installed package is.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(folder), os.environ.get("PYTHONPATH", "")])
    )
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS + 1):
        for name, (arguments, _) in COMMANDS.items():
            started = time.perf_counter()
            done = subprocess.run(
                [sys.executable, *arguments],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            seconds[name].append(time.perf_counter() - started)
            if done.returncode:
                raise SystemExit(f"{name} failed:\n{done.stderr}")
    # The first round writes byte code and warms the file cache.
    return {name: statistics.median(measured[1:]) for name, measured in seconds.items()}


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_environment(folder)
        (folder / "numpy.yaml").write_text(CONFIG)
        medians = measure(folder)
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"python {platform.python_version()}, torch {version('torch')}, "
        f"{DISTRIBUTIONS} distributions, {PLUGINS} plugins, median of {ROUNDS}"
    )
    reference = next(iter(medians.values()))
    for name, median in medians.items():
        limit = COMMANDS[name][1]
        target = "" if limit is None else f"   target {limit:.2f}"
        print(f"{name:<26}{1e3 * median:8.0f} ms   {median / reference:6.3f} x torch{target}")


if __name__ == "__main__":
    main()
