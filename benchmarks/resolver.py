"""What resolving a configuration costs, beside OmegaConf, Hydra, confection and plain PyYAML.

Ten generated files hold 2,000 leaves, 500 of them references; the last file includes the others and
replaces 20 values of the first. Each side reads the files, merges them and resolves the references
(PyYAML's row stops after the merge), and all must come to the same data. They take turns; medians
are compared. Ours keeps the position and the history of every value, the others keep neither.

    make bench
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from model_constructor import resolve_config

FILES = 10
GROUPS = 20
LEAVES = FILES * GROUPS * 10
ROUNDS = 25
PEERS = ("omegaconf", "hydra-core", "confection")
NO_REFERENCES = "CSafeLoader, plain merge"

# How many times ours a row takes at least.
TARGETS = {NO_REFERENCES: 0.5, "OmegaConf": 10, "Hydra compose": 10}

Leaf = float | int | str | bool | list[int]


def leaves(file: int, group: int) -> dict[str, Leaf | tuple[str, ...]]:
    """Ten leaves of one group; a tuple is a text and the path of what is referred to after it."""
    earlier = (f"part{(file - 1) % FILES}", f"group{group}")
    half = group % 2
    return {
        "lr": (file + 1) * 1e-3,
        "epochs": file * 100 + group,
        "sizes": [64, 128 + group],
        "activation": "relu",
        "label": f"run {file} of group {group}",
        "bias": True,
        "dropout": ("", *earlier, "lr") if half else 0.1,
        "width": ("", *earlier, "epochs"),
        "path": ("out/", *earlier, "activation"),
    }


def write_yaml(folder: Path) -> None:
    """The files, and what includes them in our words and in Hydra's."""
    for file in range(FILES):
        lines = ["params:", f"  part{file}:"]
        for group in range(GROUPS):
            lines.append(f"    group{group}:")
            lines += [f"      {name}: {in_yaml(v)}" for name, v in leaves(file, group).items()]
        if file == FILES - 1:
            lines += ["  part0:"]
            lines += [f"    group{group}: {{lr: 0.5}}" for group in range(GROUPS)]
        (folder / f"part{file}.yaml").write_text("\n".join(lines) + "\n")
    names = [f"part{file}" for file in range(FILES - 1)]
    last = (folder / f"part{FILES - 1}.yaml").read_text()
    (folder / "ours.yaml").write_text(
        "schema_version: 1\ndefaults: [" + ", ".join(f"{n}.yaml" for n in names) + "]\n" + last
    )
    (folder / "hydra.yaml").write_text(f"defaults: [{', '.join(names)}, _self_]\n" + last)


def in_yaml(value: Leaf | tuple[str, ...]) -> str:
    if not isinstance(value, tuple):
        return json.dumps(value)
    text, part, group, name = value
    return f"{text}${{params.{part}.{group}.{name}}}"


def write_confection(folder: Path) -> None:
    """The same content in confection's own format."""
    for file in range(FILES):
        lines = ["[params]", f"[params.part{file}]"]
        for group in range(GROUPS):
            lines.append(f"[params.part{file}.group{group}]")
            for name, value in leaves(file, group).items():
                lines.append(f"{name} = {in_confection(value)}")
        if file == FILES - 1:
            lines.append("[params.part0]")
            for group in range(GROUPS):
                lines += [f"[params.part0.group{group}]", "lr = 0.5"]
        (folder / f"part{file}.cfg").write_text("\n".join(lines) + "\n")


def in_confection(value: Leaf | tuple[str, ...]) -> str:
    if not isinstance(value, tuple):
        return json.dumps(value)
    text, part, group, name = value
    reference = f"${{params.{part}.{group}:{name}}}"
    return json.dumps(text + reference) if text else reference


def plain_merge(lower: Any, upper: Any) -> Any:
    """Our rule, mappings deep and the rest whole, without positions, history or checks."""
    if not (isinstance(lower, dict) and isinstance(upper, dict)):
        return upper
    merged = dict(lower)
    for key, value in upper.items():
        merged[key] = plain_merge(lower[key], value) if key in lower else value
    return merged


def sides(folder: Path) -> dict[str, Callable[[], Any]]:
    """What is measured, by the names of the rows; each gives the resolved ``params``."""
    omegaconf: Any = importlib.import_module("omegaconf").OmegaConf
    hydra: Any = importlib.import_module("hydra")
    confection: Any = importlib.import_module("confection").Config
    paths = [folder / f"part{file}.yaml" for file in range(FILES)]

    def ours() -> Any:
        return resolve_config(folder / "ours.yaml").data["params"]

    def merge_only() -> Any:
        merged: Any = {}
        for path in paths:
            merged = plain_merge(merged, yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader))
        return merged["params"]

    def through_omegaconf() -> Any:
        merged = omegaconf.merge(*(omegaconf.load(path) for path in paths))
        return omegaconf.to_container(merged, resolve=True)["params"]

    def through_hydra() -> Any:
        with hydra.initialize_config_dir(str(folder), version_base="1.3"):
            return omegaconf.to_container(hydra.compose("hydra"), resolve=True)["params"]

    def through_confection() -> Any:
        merged = confection()
        for path in paths:
            other = confection().from_disk(path.with_suffix(".cfg"), interpolate=False)
            merged = merged.merge(other)
        return merged.interpolate()["params"]

    return {
        "ours": ours,
        "the same again": ours,
        NO_REFERENCES: merge_only,
        "OmegaConf": through_omegaconf,
        "Hydra compose": through_hydra,
        "confection": through_confection,
    }


def measure(runs: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Median seconds of each, over rounds in which each runs once."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS + 1):
        for name, run in runs.items():
            gc.collect()
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(measured[1:]) for name, measured in seconds.items()}


def check(runs: dict[str, Callable[[], Any]]) -> None:
    """All sides come to the same data, so that all do the same work."""
    data = runs["ours"]()
    if count(data) != LEAVES:
        raise SystemExit(f"{count(data)} leaves instead of {LEAVES}")
    for name, run in runs.items():
        if name != NO_REFERENCES and run() != data:
            raise SystemExit(f"{name} comes to other data")


def count(value: Any) -> int:
    if isinstance(value, dict | list):
        return sum(map(count, value.values() if isinstance(value, dict) else value))
    return 1


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_yaml(folder)
        write_confection(folder)
        runs = sides(folder)
        check(runs)
        medians = measure(runs)
    versions = ", ".join(f"{name} {version(name)}" for name in (*PEERS, "pyyaml"))
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"python {platform.python_version()}, {versions}\n"
        f"{FILES} files, {LEAVES} leaves, 500 references, median of {ROUNDS}"
    )
    for name, median in medians.items():
        target = f"   target at least {TARGETS[name]:g}" if name in TARGETS else ""
        print(f"{name:<24}{1e3 * median:8.1f} ms   {median / medians['ours']:6.2f} x ours{target}")


if __name__ == "__main__":
    main()
