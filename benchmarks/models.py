"""What a model from YAML costs: its forward and backward against the same model written by hand.

Both have the same weights, and their outputs are compared first. They take turns of a few calls in
one process, one thread; medians are compared. A last row is the time to build a graph of 200 nodes,
less what its modules' own constructors take.

    make bench
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from model_constructor import build_model, compile_ir, default_registry
from model_constructor.torch.blocks.transformer import TransformerLayer
from model_constructor.torch.builder import build

ROUNDS = 60
SECONDS_PER_TURN = 0.01
Section = Mapping[str, Any]


class HandWrittenMLP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(32, 64)
        self.activation = nn.ReLU()
        self.second = nn.Linear(64, 16)

    def forward(self, x: Tensor) -> Any:
        return self.second(self.activation(self.first(x)))


class HandWrittenConvNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.conv_1 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.norm_1 = nn.BatchNorm2d(16)
        self.conv_2 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.norm_2 = nn.BatchNorm2d(16)
        self.activation = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Any:
        stem = self.activation(self.stem(x))
        inner = self.activation(self.norm_1(self.conv_1(stem)))
        inner = self.norm_2(self.conv_2(inner))
        return self.head(torch.flatten(self.pool(self.activation(stem + inner)), 1))


class HandWrittenTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(TransformerLayer(64, heads=4) for _ in range(4))
        self.head = nn.Linear(64, 16)

    def forward(self, x: Tensor) -> Any:
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


MLP: Section = {
    "sequential": {
        "inputs": ["x"],
        "layers": [
            {"_type_": "nn.Linear", "in_features": 32, "out_features": 64},
            {"_type_": "nn.ReLU"},
            {"_type_": "nn.Linear", "in_features": 64, "out_features": 16},
        ],
    }
}
CONV = {"_type_": "nn.Conv2d", "in_channels": 16, "out_channels": 16, "kernel_size": 3}
CONV_NET: Section = {
    "graph": {
        "inputs": ["x"],
        "modules": {
            "stem": {**CONV, "in_channels": 3, "padding": 1},
            "conv_1": {**CONV, "padding": 1, "bias": False},
            "norm_1": {"_type_": "nn.BatchNorm2d", "num_features": 16},
            "conv_2": {**CONV, "padding": 1, "bias": False},
            "norm_2": {"_type_": "nn.BatchNorm2d", "num_features": 16},
            "activation": {"_type_": "nn.ReLU"},
            "pool": {"_type_": "nn.AdaptiveAvgPool2d", "output_size": 1},
            "head": {"_type_": "nn.Linear", "in_features": 16, "out_features": 10},
        },
        "steps": [
            {"out": "s", "call": "module:stem", "args": ["$x"]},
            {"out": "stem_out", "call": "module:activation", "args": ["$s"]},
            {"out": "c1", "call": "module:conv_1", "args": ["$stem_out"]},
            {"out": "n1", "call": "module:norm_1", "args": ["$c1"]},
            {"out": "a1", "call": "module:activation", "args": ["$n1"]},
            {"out": "c2", "call": "module:conv_2", "args": ["$a1"]},
            {"out": "n2", "call": "module:norm_2", "args": ["$c2"]},
            {"out": "total", "call": "op:add", "args": ["$stem_out", "$n2"]},
            {"out": "a2", "call": "module:activation", "args": ["$total"]},
            {"out": "p", "call": "module:pool", "args": ["$a2"]},
            {"out": "f", "call": "op:flatten", "args": ["$p"]},
            {"out": "y", "call": "module:head", "args": ["$f"]},
        ],
        "outputs": ["y"],
    }
}
TRANSFORMER: Section = {
    "sequential": {
        "inputs": ["x"],
        "layers": [
            *({"_type_": "block.layer"},) * 4,
            {"_type_": "nn.Linear", "in_features": 64, "out_features": 16},
        ],
    }
}
MODELS: dict[str, tuple[Section, Callable[[], nn.Module], tuple[int, ...]]] = {
    "MLP 32-64-16, batch 32": (MLP, HandWrittenMLP, (32, 32)),
    "conv net, 8 x 3 x 32 x 32": (CONV_NET, HandWrittenConvNet, (8, 3, 32, 32)),
    "transformer, 8 x 32 x 64": (TRANSFORMER, HandWrittenTransformer, (8, 32, 64)),
}


def built_and_written(section: Section, write: Callable[[], nn.Module]) -> list[nn.Module]:
    """The model from its section, one written by hand with the same weights, and a copy of that."""
    registry = default_registry()
    registry.add("block.layer", lambda: TransformerLayer(64, heads=4))
    built = build_model({"schema_version": 1, "model": section}, registry=registry)
    written, control = write(), write()
    for model in (written, control):
        model.load_state_dict(
            dict(zip(model.state_dict(), built.state_dict().values(), strict=True))
        )
    return [built, written, control]


def forward(model: nn.Module, x: Tensor) -> Callable[[], object]:
    def call() -> None:
        with torch.no_grad():
            model(x)

    return call


def forward_and_backward(model: nn.Module, x: Tensor) -> Callable[[], object]:
    def call() -> None:
        model(x).sum().backward()
        model.zero_grad(set_to_none=True)

    return call


def interleaved(calls: list[Callable[[], object]]) -> list[float]:
    """Median seconds of one call of each, measured in turns."""
    started = time.perf_counter()
    calls[0]()
    count = max(1, int(SECONDS_PER_TURN / (time.perf_counter() - started)))
    seconds: list[list[float]] = [[] for _ in calls]
    for round_number in range(ROUNDS):
        for place in range(len(calls)):
            # Who goes first changes, so that a drift of the machine favours nobody.
            index = (place + round_number) % len(calls)
            started = time.perf_counter()
            for _ in range(count):
                calls[index]()
            seconds[index].append((time.perf_counter() - started) / count)
    return [statistics.median(each) for each in seconds]


def build_seconds(nodes: int) -> float:
    """Median time to compile and build a graph, less its modules' own constructors."""
    steps = [
        {"out": f"v{i}", "call": f"module:m{i}", "args": [f"$v{i - 1}" if i else "$x"]}
        for i in range(nodes)
    ]
    modules = {
        f"m{i}": {"_type_": "nn.Linear", "in_features": 8, "out_features": 8} for i in range(nodes)
    }
    section = {
        "graph": {"inputs": ["x"], "modules": modules, "steps": steps, "outputs": [f"v{nodes - 1}"]}
    }
    registry = default_registry()
    own: list[float] = []
    for _ in range(15):
        started = time.perf_counter()
        for _ in range(nodes):
            nn.Linear(8, 8)
        constructors = time.perf_counter() - started
        started = time.perf_counter()
        build(compile_ir(section), registry)
        own.append(time.perf_counter() - started - constructors)
    return statistics.median(own[1:])


def main() -> None:
    torch.set_num_threads(1)
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, one thread")
    print(f"{'built from YAML / written by hand':<43}{'µs':>9}{'ratio':>8}{'control':>9}")
    for name, (section, write, shape) in MODELS.items():
        models = built_and_written(section, write)
        x = torch.randn(shape)
        assert torch.equal(models[0](x), models[1](x)), f"{name}: the outputs differ"
        for what, make in (("forward", forward), ("forward, backward", forward_and_backward)):
            built, written, control = interleaved([make(model, x) for model in models])
            print(
                f"{name:<26}{what:<17}{1e6 * built:9.1f}"
                f"{built / written:8.3f}{control / written:9.3f}"
            )
    print(f"building a graph of 200 nodes{1e3 * build_seconds(200):22.1f} ms")


if __name__ == "__main__":
    main()
