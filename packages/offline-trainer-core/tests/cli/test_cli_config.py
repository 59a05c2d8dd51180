"""``ot config show``, ``explain`` and ``diff``, and ``--untrusted`` on every command."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result

from offline_trainer.experiment import run_experiment

Ot = Callable[..., Result]
MakeConfig = Callable[..., dict[str, Any]]

BASE = """\
optimizer:
  _type_: optim_factory.nobody_has
  kwargs: {lr: 1e-3}
"""
MAIN = """\
schema_version: 1
defaults: [base.yaml]
params: {lr: 0.2}
optimizer:
  kwargs: {lr: 1e-2, weigth_decay: 0.1}
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config with a component that nobody has, in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "main.yaml").write_text(MAIN)
    return tmp_path


def test_show_needs_no_plugin_and_no_valid_component(files: Path, ot: Ot) -> None:
    result = ot("config", "show", "main.yaml", "optimizer.kwargs.lr=5e-1", "~params")
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "optimizer:\n"
        "  _type_: optim_factory.nobody_has\n"
        "  kwargs:\n"
        "    lr: 0.5\n"
        "    weigth_decay: 0.1\n"
        "schema_version: 1\n"
    )


def test_show_of_a_config_that_only_builds_a_model(ot: Ot, tmp_path: Path) -> None:
    model = "model: {sequential: {inputs: [x], layers: [{_type_: nn.ReLU}]}}\n"
    (tmp_path / "model.yaml").write_text(f"schema_version: 1\n{model}")
    result = ot("config", "show", str(tmp_path / "model.yaml"), "--format", "json")
    assert json.loads(result.stdout)["model"]["sequential"]["inputs"] == ["x"]


def test_show_of_a_part_with_provenance(files: Path, ot: Ot) -> None:
    result = ot("config", "show", "main.yaml", "optimizer.kwargs", "--provenance")
    assert result.stdout == (
        "lr: 0.01           # main.yaml:5:16\n"
        "                   # was 1e-3 at base.yaml:3:16\n"
        "weigth_decay: 0.1  # main.yaml:5:36\n"
    )


def test_explain_several_paths(files: Path, ot: Ot) -> None:
    override = "optimizer.kwargs.lr=${params.lr}"
    result = ot("config", "explain", "main.yaml", "optimizer.kwargs.lr", "params.lr", override)
    assert result.stdout == (
        "optimizer.kwargs.lr: 0.2\n"
        "  set       <cli:1>:1:21    ${params.lr}\n"
        "  replaced  main.yaml:5:16  1e-2\n"
        "  replaced  base.yaml:3:16  1e-3\n"
        "  ${params.lr} is params.lr: 0.2\n"
        "    set  main.yaml:3:14  0.2\n"
        "\n"
        "params.lr: 0.2\n"
        "  set  main.yaml:3:14  0.2\n"
    )


def test_explain_as_json(files: Path, ot: Ot) -> None:
    result = ot("config", "explain", "main.yaml", "optimizer", "--json")
    (found,) = json.loads(result.stdout)
    assert [field["path"] for field in found["fields"]] == [
        "optimizer._type_",
        "optimizer.kwargs.lr",
        "optimizer.kwargs.weigth_decay",
    ]


def test_explain_tells_the_default_of_what_is_not_set(small_config: MakeConfig, ot: Ot) -> None:
    config = small_config(callbacks=[{"_type_": "cb.model_checkpoint"}])
    config["optimizer"] = {"type": "cb.model_checkpoint", "kwargs": {"every_n_steps": 3}}
    Path("small.yaml").write_text(yaml.safe_dump(config))
    for path in ("callbacks[0].every_n_epochs", "optimizer.kwargs.every_n_epochs"):
        told = ot("config", "explain", "small.yaml", path).stdout
        assert told.startswith(f"{path}: ")
        assert "not set; the default of cb.model_checkpoint (offline-trainer-core" in told
        (data,) = json.loads(ot("config", "explain", "small.yaml", path, "--json").stdout)
        assert (data["path"], "set_by" in data) == (path, False)
    refused = ot("config", "explain", "small.yaml", "callbacks[0].every_n_epoch")
    assert refused.exit_code == 2
    assert "`callbacks[0]` has no key `every_n_epoch`" in refused.stderr


def test_explain_tells_the_default_of_a_section(files: Path, ot: Ot) -> None:
    told = ot("config", "explain", "main.yaml", "run.device", "settings.strict")
    assert told.stdout == (
        "run.device: 'auto'\n  not set; the default of `run`\n\n"
        "settings.strict: True\n  not set; the default of `settings`\n"
    )
    assert "no key" in ot("config", "explain", "main.yaml", "run.name").stderr


def test_a_path_that_leads_nowhere_hides_no_other(files: Path, ot: Ot) -> None:
    told = ot("config", "explain", "main.yaml", "nowhere", "params.lr", "templates.head", "absent")
    assert told.exit_code == 2
    assert told.stdout.startswith("params.lr: 0.2\n")
    assert "has no key `nowhere`" in told.stderr
    assert "has no key `absent`" in told.stderr
    assert "`templates` is no part of what results" in told.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "main.yaml", "optimzer"), "did you mean `optimizer`?"),
        (("show", "absent.yaml"), "no such file: `absent.yaml`"),
        (("show", "main.yaml", "params.lr", "optimizer"), "one path at most"),
        (("show", "main.yaml", "--provenance", "--format", "json"), "goes with YAML"),
        (("show", "main.yaml", "a.b.c=1", "params.x=1"), "<cli:2>:1:8"),
        (("explain", "main.yaml"), "name a path to explain"),
        (("explain", "main.yaml", "trainer.max_epochs=5"), "name a path to explain"),
        (("explain", "main.yaml", "optimizer.kwarg.lr"), "did you mean `optimizer.kwargs.lr`?"),
        (("diff", "main.yaml", "absent.yaml"), "no such file: `absent.yaml`"),
        (("diff", "main.yaml", "."), "no such file: `config.resolved.yaml`"),
        (("shwo",), "No such command 'shwo'"),
    ],
)
def test_mistakes_end_with_2_and_a_message(
    files: Path, ot: Ot, arguments: tuple[str, ...], said: str
) -> None:
    result = ot("config", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


# --- diff ----------------------------------------------------------------------------------------


def test_two_spellings_of_one_config_are_the_same(files: Path, ot: Ot) -> None:
    (files / "other.yaml").write_text(
        "params: {lr: 2e-1}\nschema_version: 1\noptimizer:\n"
        "  kwargs: {weigth_decay: .1, lr: 0.01}\n  _type_: optim_factory.nobody_has\n"
    )
    result = ot("config", "diff", "main.yaml", "other.yaml")
    assert (result.exit_code, result.stdout) == (0, "no differences\n")
    as_json = ot("config", "diff", "main.yaml", "other.yaml", "--json")
    assert (as_json.exit_code, json.loads(as_json.stdout)) == (0, [])


def test_differences_are_shown_with_both_places(files: Path, ot: Ot) -> None:
    (files / "other.yaml").write_text(
        "schema_version: 1\ndefaults: [base.yaml]\nrun: {name: two}\n"
        "params: {lr: 0.2}\ncallbacks: [{_type_: cb.a}, {_type_: cb.b}]\n"
    )
    (files / "third.yaml").write_text(
        "schema_version: 1\ndefaults: [base.yaml]\nrun: {name: three}\n"
        "callbacks: [{_type_: cb.b, n: 1}, {_type_: cb.a}]\n"
    )
    result = ot("config", "diff", "other.yaml", "third.yaml")
    assert result.exit_code == 1
    assert result.stdout == (
        "~ run.name  (does not change the run)\n"
        "    - two    other.yaml:3:13\n"
        "    + three  third.yaml:3:13\n"
        "- params\n"
        '    - {"lr": 0.2}  other.yaml:4:9\n'
        "~ callbacks  (order)\n"
        "    - cb.a, cb.b  other.yaml:5:12\n"
        "    + cb.b, cb.a  third.yaml:4:12\n"
        "+ callbacks[_type_=cb.b].n\n"
        "    + 1  third.yaml:4:31\n"
        "1 added, 1 removed, 1 changed, 1 moved; 1 of these does not change the run\n"
    )


def test_a_run_says_the_same_as_the_config_it_ran(
    small_config: MakeConfig, ot: Ot, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config(trainer={"max_epochs": 1}, run={"out_dir": "runs/one"})
    config["optimizer"]["lr"] = 1
    Path("configs").mkdir()
    Path("configs/small.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    out_dir = run_experiment("configs/small.yaml").out_dir
    result = ot("config", "diff", "configs/small.yaml", "runs/one")
    assert (result.exit_code, result.output) == (0, "no differences\n")

    config["optimizer"]["lr"] = 2
    Path("configs/small.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    result = ot("config", "diff", "runs/one", "configs/small.yaml", "--json")
    (found,) = json.loads(result.stdout)
    assert (found["path"], found["changes_run"]) == ("optimizer.lr", True)
    assert found["before"]["value"] == 1
    assert found["before"]["location"].startswith("runs/one/config.resolved.yaml:")
    assert found["before"]["set_at"] == "configs/small.yaml:50"
    assert found["after"]["set_at"] is None

    resolved = out_dir / "config.resolved.yaml"
    bare = [line.partition("  #")[0] for line in resolved.read_text().splitlines()]
    resolved.write_text("\n".join(bare) + "\n")
    result = ot("config", "diff", "runs/one", "configs/small.yaml")
    assert result.exit_code == 1
    assert "runs/one does not say where its values were set" in result.stderr
    assert "set at" not in result.stdout


def test_a_run_is_read_as_data_only(files: Path, ot: Ot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME_OF", "/home/ada")
    (files / "run").mkdir()
    stored = "schema_version: 1\nparams: {a: '${env:HOME_OF}'}\n"
    (files / "run/config.resolved.yaml").write_text(stored)
    result = ot("config", "diff", "main.yaml", "run")
    assert result.exit_code == 2
    assert "cannot read the environment" in result.stderr
    assert "/home/ada" not in result.output


# --- --untrusted ---------------------------------------------------------------------------------

EVIL = """
import pathlib
pathlib.Path("imported").touch()
def register(registry): pass
"""


@pytest.mark.parametrize("command", [("check",), ("run",)])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("imports=[evil]", "an untrusted configuration cannot import anything"),
        ("metrics+={_target_: evil:Data}", "cannot use `_target_`"),
        ("params.home=${env:HOME}", "cannot read the environment (`HOME`)"),
    ],
)
def test_an_untrusted_config_does_nothing_of_its_own(
    small_config: MakeConfig,
    ot: Ot,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    change: str,
    said: str,
) -> None:
    monkeypatch.syspath_prepend(str(Path.cwd()))
    Path("evil.py").write_text(EVIL)
    config = small_config(imports=[], params={"home": 1}, engine=None)
    config["settings"] = {"allow_target": True, "allowed_import_prefixes": ["evil"]}
    Path("main.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    result = ot(*command, "main.yaml", change, "--untrusted", "--allow-target")
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert "run it without --untrusted" in result.stderr
    assert not Path("imported").exists()
    assert not Path("run").exists()
    sys.modules.pop("evil", None)
    ot(*command, "main.yaml", change, "--allow-target")
    assert Path("imported").exists() is ("evil" in change)


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "sub/a.yaml"),
        ("explain", "sub/a.yaml", "params"),
        ("diff", "sub/a.yaml", "sub/a.yaml"),
    ],
)
def test_config_commands_take_it_too(files: Path, ot: Ot, arguments: tuple[str, ...]) -> None:
    (files / "sub").mkdir()
    (files / "sub/a.yaml").write_text("schema_version: 1\ndefaults: [../base.yaml]\nparams: {}\n")
    assert ot("config", *arguments).exit_code == 0
    refused = ot("config", *arguments, "--untrusted")
    assert refused.exit_code == 2
    assert "outside the configuration's folder" in refused.stderr
