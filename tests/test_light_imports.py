"""What may be imported on the light road, looked up in fresh processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "jax", "numpy", "yaml", "torchmetrics")

LIGHT_ROADS = {
    "import offline_trainer": "import offline_trainer",
    "import model_constructor": "import model_constructor",
    "core's plugin": "import offline_trainer.plugin",
    "torch's plugin": "import offline_trainer_torch.plugin",
    "the example plugin": "import ot_example_plugin.plugin",
    "ot --help": "import sys; sys.argv = ['ot', '--help']; run()",
    "ot --version": "import sys; sys.argv = ['ot', '--version']; run()",
    "ot config --help": "import sys; sys.argv = ['ot', 'config', '--help']; run()",
    "ot config show --help": "import sys; sys.argv = ['ot', 'config', 'show', '--help']; run()",
    "ot list-components": "import sys; sys.argv = ['ot', 'list-components']; run()",
}

PROGRAM = """
import io, json, sys
from contextlib import redirect_stdout

def run():
    from offline_trainer.cli import main
    with redirect_stdout(io.StringIO()):
        try:
            main()
        except SystemExit as leaving:
            assert not leaving.code, leaving.code

{road}
print(json.dumps(sorted(sys.modules)))
"""

NO_TORCH = """
import sys
from importlib.abc import MetaPathFinder

class NoTorch(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchmetrics"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NoTorch())
"""


def in_fresh_process(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("road", LIGHT_ROADS)
def test_the_light_road_imports_nothing_heavy(road: str) -> None:
    modules = json.loads(in_fresh_process(PROGRAM.format(road=LIGHT_ROADS[road])))
    assert not [name for name in HEAVY if name in modules]


def test_listing_without_torch_says_what_needs_it(tmp_path: Path) -> None:
    program = NO_TORCH + (
        "import sys; sys.argv = ['ot', 'list-components']\n"
        "from offline_trainer.cli import main\n"
        "main()\n"
    )
    rows = [line.split("\t") for line in in_fresh_process(program).splitlines()]
    status = {row[0]: row[2] for row in rows}
    assert status["optim_cls.AdamW"] == "needs torch"
    assert status["engine.torch"] == "needs torch"
    assert status["nn.Linear"] == "needs torch"
    assert status["trainer.default"] == "ok"
