"""The code blocks of a page, and what it takes to run one as a reader would.

A page runs top to bottom in one empty folder. A block whose first line is a comment with a file's
name is written to that file, and a module among them imported. `<!-- not run: reason -->` on the
line before a fence leaves the block out.
"""

from __future__ import annotations

import importlib
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import yaml
from click.testing import CliRunner

from model_constructor import build_model, default_registry
from model_constructor.config.schema import TOP_LEVEL_KEYS
from model_constructor.instantiate import instantiate_value
from offline_trainer.cli import main
from offline_trainer.experiment import prepare
from offline_trainer.plugins.discovery import GROUP
from offline_trainer.plugins.loader import load_plugins

_FENCE = re.compile(r"^(\s*)```(\w*)\s*$")
_NOT_RUN = re.compile(r"^\s*<!-- not run: (\S.*) -->$")
_FILE = re.compile(r"^# ([\w./-]+\.(?:py|ya?ml))$")

_SHAPES = re.compile(r"^# (.*) → (.*)\n")
_SHAPE = re.compile(r"(\w* ?)\(([\d, ]+)\)")

# What a fragment of a config is laid over to be checked; whole sections are replaced.
BASE: dict[str, Any] = {
    "schema_version": 1,
    "run": {"name": "fragment", "out_dir": "runs/fragment", "device": "cpu"},
    "model": {"sequential": {"inputs": ["x"], "layers": [{"_type_": "mlp", "dims": [4, 2]}]}},
    "data": {"_type_": "data.random_regression", "x_shape": [4], "y_shape": [2]},
    "io": {"_type_": "io.mapping", "model_kwargs": {"x": ["x"]}, "targets": {"y": ["y"]}},
    "loss": {"_type_": "loss.torch", "fn": {"_type_": "nn.MSELoss"}},
    "optimizer": {"_type_": "optim_factory.torch", "type": "optim_cls.SGD", "kwargs": {"lr": 0.1}},
    "trainer": {"_type_": "trainer.default", "max_epochs": 1},
}


def write_rest(folder: Path, sections: Iterable[str]) -> None:
    """Write ``rest.yaml``: an experiment that is right, without these sections."""
    without = {*sections, *({"model"} if "models" in sections else ())}
    rest = {name: value for name, value in BASE.items() if name not in without}
    (folder / "rest.yaml").write_text(yaml.safe_dump(rest))


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, text, line in the page, and why it is not run, if so."""

    language: str
    text: str
    line: int
    not_run: str = ""


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page."""
    lines = page.splitlines()
    index = 0
    while index < len(lines):
        opening = _FENCE.match(lines[index])
        if opening is None:
            index += 1
            continue
        indent = len(opening[1])
        end = next(i for i in range(index + 1, len(lines)) if lines[i].strip() == "```")
        text = "".join(f"{line[indent:]}\n" for line in lines[index + 1 : end])
        reason = _NOT_RUN.match(lines[index - 1]) if index else None
        yield Block(opening[2], text, index + 1, reason[1] if reason else "")
        index = end + 1


class Page:
    """Runs the blocks of one page in a folder, which must be the current one and importable."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: dict[str, Any] = {"__name__": "__page__"}

    def run(self, block: Block) -> None:
        """Run a block, or raise what is wrong with it."""
        file = _FILE.match(block.text.partition("\n")[0])
        if file is not None:
            path = self.folder / file[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        if block.language == "python":
            self._run_python(block, file[1] if file else None)
        elif block.language == "yaml":
            self._run_yaml(block)
        elif block.language in ("sh", "console"):
            self._run_shell(block)
        elif block.language == "toml":
            if find_spec("tomllib") is not None:  # Python 3.10 has no parser to ask
                importlib.import_module("tomllib").loads(block.text)
        elif block.language:
            raise ValueError(f"no way is known to run a block of {block.language!r}")

    def forget_modules(self) -> None:
        """Drop what the page imported from its folder, so that the next page has its own."""
        files = self.folder.iterdir()
        ours = {path.stem for path in files if path.suffix == ".py" or path.is_dir()}
        for module in [name for name in sys.modules if name.partition(".")[0] in ours]:
            del sys.modules[module]

    def _run_python(self, block: Block, file: str | None) -> None:
        if file is not None:
            importlib.invalidate_caches()
            name = file.removesuffix(".py").replace("/", ".")
            if hasattr(importlib.import_module(name), "OT_PLUGIN_API"):
                self._load_as_plugin(name)
        else:
            exec(compile(block.text, f"<line {block.line}>", "exec"), self.names)

    def _load_as_plugin(self, module: str) -> None:
        """Install a plugin module as its package would, and see that it is loaded."""
        info = self.folder / f"{module.replace('.', '_')}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {info.stem}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{info.stem} = {module}\n")
        (status,) = [status for status in load_plugins().statuses if status.module == module]
        assert status.state == "ok", status.problem()

    def _run_yaml(self, block: Block) -> None:
        """Check an experiment, build a model, or check sections in an experiment of our own."""
        data = yaml.safe_load(block.text)
        if isinstance(data, list):
            self._run_layer(block.text)
            return
        sections = set(data)
        if not sections <= set(TOP_LEVEL_KEYS):
            raise ValueError(f"not sections of a config: {sections - set(TOP_LEVEL_KEYS)}")
        file = self.folder / "block.yaml"
        file.write_text(block.text)
        if "run" in sections:
            prepare(file)
        elif "schema_version" in sections and sections & {"model", "models"}:
            build_model(file)
        else:
            write_rest(self.folder, sections)
            head = "" if "schema_version" in sections else "schema_version: 1\n"
            file.write_text(f"{head}defaults: [rest.yaml]\n{block.text}")
            prepare(file)

    def _run_layer(self, text: str) -> None:
        """Build a layer and compare the shapes it makes with the comment above it."""
        comment = _SHAPES.match(text)
        if comment is None:
            raise ValueError("the first line of a layer is `# (shape) → (shape)`")
        inputs, expected = (_SHAPE.findall(side) for side in comment.groups())
        (layer,) = instantiate_value(yaml.safe_load(text), registry=default_registry())
        made = layer(*(torch.zeros(_sizes(shape)) for _, shape in inputs))
        made = made if isinstance(made, dict) else {"": made}
        assert {name: tuple(value.shape) for name, value in made.items()} == {
            name.strip(): _sizes(shape) for name, shape in expected
        }

    def _run_shell(self, block: Block) -> None:
        lines = block.text.splitlines()
        if any(line.startswith("$ ") for line in lines):  # the others are what is printed
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        for line in lines:
            words = shlex.split(line, comments=True)
            if words and words[0] in ("ot", ".venv/bin/ot"):
                self._run_ot(words[1:])
            elif words and words[0] == "make":
                makefile = (Path(__file__).parent.parent / "Makefile").read_text()
                for target in words[1:]:
                    assert f"\n{target}:" in makefile, f"`make {target}` is no target"
            elif words and words[0] not in ("cd", "pip", "pytest"):
                raise ValueError(f"no way is known to run {line!r}")

    def _run_ot(self, arguments: list[str]) -> None:
        result = CliRunner().invoke(main, arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, f"ot {shlex.join(arguments)}: {result.output}"


def _sizes(shape: str) -> tuple[int, ...]:
    return tuple(int(size) for size in shape.replace(",", " ").split())
