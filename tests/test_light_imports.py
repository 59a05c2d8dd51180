"""What may be imported on the light road, looked up in fresh processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.checkpoint.writing import Save
from offline_trainer.engine import HostState

HEAVY = ("torch", "jax", "numpy", "yaml", "torchmetrics", "pyarrow", "PIL")

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
    "ot ckpt --help": "import sys; sys.argv = ['ot', 'ckpt', '--help']; run()",
    "ot ckpt diff --help": "import sys; sys.argv = ['ot', 'ckpt', 'diff', '--help']; run()",
    "ot ckpt import --help": "import sys; sys.argv = ['ot', 'ckpt', 'import', '--help']; run()",
    "ot data inspect --help": "import sys; sys.argv = ['ot', 'data', 'inspect', '--help']; run()",
    "ot evaluate --help": "import sys; sys.argv = ['ot', 'evaluate', '--help']; run()",
    "ot predict --help": "import sys; sys.argv = ['ot', 'predict', '--help']; run()",
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

CHECK_MAY_IMPORT = {
    *("model_constructor", "offline_trainer", "offline_trainer_torch", "ot_example_plugin"),
    *("click", "lazy_importer", "numpy", "pluggy", "yaml", "_yaml", "cython_runtime"),
}
"""What `ot check` of a torch config needs; a framework is not among it."""

CHECKED = """
import json, sys
from_before = set(sys.modules)
sys.argv = ["ot", "check", {config!r}, *{overrides!r}]
from offline_trainer.cli import main
try:
    main()
except SystemExit as leaving:
    code = leaving.code
    loaded = sorted({{name.partition(".")[0] for name in set(sys.modules) - from_before}})
    print(json.dumps([code, [
        name for name in loaded
        if name not in sys.stdlib_module_names and not name.startswith("_cython")
    ]]))
"""

RUN_MAY_IMPORT = {
    *("model_constructor", "offline_trainer", "offline_trainer_torch", "ot_example_plugin"),
    *("click", "cython_runtime", "lazy_importer", "numpy", "pluggy", "yaml", "_yaml"),
}
"""What ``ot run`` of a torch config needs, besides torch."""

TRAINED = """
import json, sys
import torch
from_before = set(sys.modules)
sys.argv = ["ot", "run", {config!r}, *{overrides!r}]
from offline_trainer.cli import main
try:
    main()
except SystemExit as leaving:
    assert not leaving.code, leaving.code
loaded = sorted({{name.partition(".")[0] for name in set(sys.modules) - from_before}})
print(json.dumps([
    "torch._dynamo" in sys.modules,
    [name for name in loaded if name not in sys.stdlib_module_names],
]))
"""

WRONG = {
    "optimizer.kwargs.weigth_decay=0.1": "did you mean `weight_decay`",
    "optimizer.kwargs.lr=fast": "expected a number",
    "loss.fn._type_=nn.MSELos": "did you mean `nn.MSELoss`",
    "optimizer.kwargs.betas=[0.9]": "expected a list of 2",
    "model.sequential.layers[0].dropuot=0.1": "did you mean `dropout`",
}

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


@pytest.mark.parametrize("command", ["ls", "show", "verify", "pin", "unpin", "rm"])
def test_checkpoints_are_looked_after_without_numpy(command: str, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    store = CheckpointStore(folder, run_id="", config_hash="", quarantine=tmp_path / "quarantine")
    for step in (1, 2):
        store.save(Save(HostState({"model": {}}, {}), None, step, 0))
    (tmp_path / "run.json").touch()
    road = f"import sys; sys.argv = ['ot', 'ckpt', {command!r}, {f'{tmp_path}@1'!r}]; run()"
    modules = json.loads(in_fresh_process(PROGRAM.format(road=road)))
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


def checked(config: Path, *overrides: str) -> tuple[int, list[str], str]:
    """Exit code of ``ot check``, the packages it imported, and what it said of the config."""
    program = CHECKED.format(config=str(config), overrides=overrides)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    code, loaded = json.loads(done.stdout.splitlines()[-1])
    return code or 0, loaded, done.stderr


def test_the_shipped_configs_are_checked_without_importing_torch(experiments: Path) -> None:
    configs = sorted(experiments.glob("*.yaml"))
    assert configs
    for config in configs:
        code, loaded, _ = checked(config)
        assert code == 0
        assert set(loaded) <= CHECK_MAY_IMPORT


def test_mistakes_in_a_torch_config_are_all_found_without_importing_torch(
    experiments: Path,
) -> None:
    code, loaded, said = checked(experiments / "baseline.yaml", *WRONG)
    assert code == 2
    assert set(loaded) <= CHECK_MAY_IMPORT
    for message in WRONG.values():
        assert message in said
    assert f"{len(WRONG)} errors" in said


def test_a_run_imports_little_besides_torch(experiments: Path, tmp_path: Path) -> None:
    schedule = "{_type_: sched_factory.torch, type: sched_cls.StepLR, kwargs: {step_size: 1}}"
    overrides = [f"run.out_dir={tmp_path / 'run'}", "trainer.max_steps=2", f"scheduler={schedule}"]
    config = str(experiments / "baseline.yaml")
    said = in_fresh_process(TRAINED.format(config=config, overrides=overrides))
    compiler, loaded = json.loads(said.splitlines()[-1])
    assert not compiler
    assert "offline_trainer_torch" in loaded
    others = {name for name in loaded if name != "torch" and not name.startswith("_cython")}
    assert others <= RUN_MAY_IMPORT
