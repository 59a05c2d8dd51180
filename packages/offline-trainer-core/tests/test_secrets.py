"""A secret environment value is neither printed nor stored, whatever happens with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from model_constructor.errors import ConfigError
from offline_trainer.cli import main
from offline_trainer.errors import OfflineTrainerError
from offline_trainer.experiment import run_experiment
from offline_trainer.notices import notice
from offline_trainer.secrets_scope import keep_secret, secrets_hidden, shown

MakeConfig = Callable[..., dict[str, Any]]

SECRET = "hunter2-and-more"
TOKEN = "${env:SHOP_TOKEN}"

PLUGIN = '''
from offline_trainer.notices import notice

class Talker:
    """A logger that is given a secret, and a callback that tells it."""

    def __init__(self, token: str, fail: bool = False) -> None:
        self.token, self.fail = token, fail
        assert token == "hunter2-and-more"

    def log_hparams(self, hparams): notice(f"hparams {hparams}")
    def log_metrics(self, metrics, step, stage): notice(f"metrics, sent with {self.token!r}")
    def close(self): pass

    def on_epoch_end(self, state, control):
        notice(f"callback with {self.token}")
        if self.fail:
            raise RuntimeError(f"the server refused {self.token!r}")

def register(registry):
    registry.add("log.talker", Talker)
    registry.add("cb.talker", Talker)
'''


@pytest.fixture
def config(small_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> MakeConfig:
    """A config that uses a secret in many places, with a plugin that tells it."""
    monkeypatch.setenv("SHOP_TOKEN", SECRET)
    monkeypatch.syspath_prepend(str(Path.cwd()))
    Path("talker.py").write_text(PLUGIN)

    def make(**sections: Any) -> dict[str, Any]:
        made = small_config(
            params={"token": TOKEN, "url": "https://ada:${params.token}@shop/"},
            loggers=[{"_type_": "log.talker", "token": "${params.token}"}],
            **sections,
        )
        made["settings"]["allowed_import_prefixes"].append("talker")
        made["imports"].append("talker")
        made["trainer"]["max_epochs"] = 2
        made["callbacks"].append({"_type_": "cb.talker", "token": TOKEN})
        return made

    return make


def stored(folder: Path) -> bytes:
    """Everything below a folder, in one piece."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return b"".join(str(path).encode() + path.read_bytes() for path in files)


def written(config: dict[str, Any]) -> str:
    Path("config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return "config.yaml"


def ot(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), prog_name="ot")


def test_a_run_leaves_no_secret_anywhere(config: MakeConfig) -> None:
    name = written(config())
    result = ot("run", name)
    assert result.exit_code == 0, result.output
    assert SECRET not in result.output
    assert "metrics, sent with '***'" in result.stderr
    assert "callback with ***" in result.stderr
    assert SECRET.encode() not in stored(Path("run"))
    resolved = yaml.safe_load(Path("run/config.resolved.yaml").read_text())
    assert resolved["params"] == {"token": "***", "url": "***"}
    resumed = ot("run", name, "trainer.max_epochs=3", "--resume", "auto")
    assert resumed.exit_code == 0, resumed.output
    assert SECRET not in resumed.output
    assert "trainer.max_epochs: 2 → 3" in resumed.stderr
    assert "token" not in resumed.stderr.replace("'token': '***'", "")
    assert SECRET.encode() not in stored(Path("run"))


def test_a_run_that_fails_with_a_secret_does_not_tell_it(config: MakeConfig) -> None:
    made = config()
    made["callbacks"][-1]["fail"] = True
    result = ot("run", written(made))
    assert result.exit_code == 1
    assert "the server refused '***'" in result.output
    assert SECRET not in result.output
    status = json.loads(Path("run/status.json").read_text())
    assert "***" in status["message"]
    assert SECRET.encode() not in stored(Path("run"))


@pytest.mark.parametrize(
    "override",
    [
        f"trainer.max_epochs={TOKEN}",
        f"run={TOKEN}",
        f"run.seed={TOKEN}",
        f"run.out_dir={TOKEN}",
        f"run.device={TOKEN}",
        f"run.precision={TOKEN}",
        f"imports={TOKEN}",
        f"imports=[{TOKEN!r}]",
        f"optimizer={TOKEN}",
        f"optimizer._type_={TOKEN}",
        f"optimizer.lr={TOKEN}",
        f"optimizer.{'x'}={TOKEN}",
        f"callbacks={TOKEN}",
        f"callbacks[0]={TOKEN}",
        f"callbacks[0]._type_={TOKEN}",
        f"model={TOKEN}",
        f"model.sequential.layers={TOKEN}",
        f"model.sequential.layers[0]={TOKEN}",
        f"model.sequential.layers[0]._type_={TOKEN}",
        f"model.sequential.inputs={TOKEN}",
        f"model.sequential.return={TOKEN}",
        f"data.num_samples={TOKEN}",
        f"data._args_={TOKEN}",
        f"data._kwargs_={TOKEN}",
        f"data._target_={TOKEN}",
        f"scheduler.interval={TOKEN}",
        f"io.targets={TOKEN}",
        f"plugins={TOKEN}",
        f"plugins.require=[{TOKEN!r}]",
        f"plugins.disable=[{TOKEN!r}]",
        f"settings.strict={TOKEN}",
        f"schema_version={TOKEN}",
    ],
)
@pytest.mark.parametrize("secret", [SECRET, "97531"])
def test_no_check_tells_a_secret_that_is_wrong(
    config: MakeConfig, monkeypatch: pytest.MonkeyPatch, override: str, secret: str
) -> None:
    made = config()
    monkeypatch.setenv("SHOP_TOKEN", secret)
    result = ot("check", written(made), override)
    assert result.exit_code in (0, 2), result.output
    assert secret not in result.output
    assert "Traceback" not in result.output


def test_a_warning_about_a_loose_config_does_not_tell_it(
    config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = config()
    made["settings"]["strict"] = False
    made["optimizer"]["api"] = {"deep": TOKEN}
    result = ot("check", written(made))
    assert SECRET not in result.output


def test_config_commands_hide_it(config: MakeConfig) -> None:
    name = written(config())
    other = config()
    other["params"]["token"] = "plain"
    Path("other.yaml").write_text(yaml.safe_dump(other, sort_keys=False))
    calls = [
        ("show", name),
        ("show", name, "--provenance"),
        ("show", name, "--format", "json"),
        ("show", name, "params.token"),
        ("show", name, "params.url", f"params.url=x{TOKEN}y"),
        ("explain", name, "params.url", "loggers[0].token"),
        ("explain", name, "params", "--json"),
        ("diff", name, "other.yaml"),
        ("diff", name, "other.yaml", "--json"),
    ]
    for call in calls:
        result = ot("config", *call)
        assert result.exit_code in (0, 1), result.output
        assert SECRET not in result.output, call
        assert "***" in result.output, call


def test_a_secret_that_the_shell_put_into_an_argument_is_not_stored(
    small_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", SECRET)
    monkeypatch.setattr("sys.argv", ["ot", "run", f"++params.token={SECRET}"])
    result = run_experiment(small_config())
    manifest = json.loads((result.out_dir / "run.json").read_text())
    assert manifest["argv"] == ["ot", "run", "++params.token=***"]


def test_the_python_api_hides_it_as_well(config: MakeConfig) -> None:
    with pytest.raises(ConfigError) as caught:
        run_experiment(config(), [f"optimizer.lr={TOKEN}"])
    assert SECRET not in str(caught.value)
    made = config()
    made["callbacks"][-1]["fail"] = True
    with pytest.raises(OfflineTrainerError) as failed:
        run_experiment(made)
    assert SECRET not in f"{failed.value} {failed.value.__cause__}"


def test_another_thread_hides_it_until_the_last_of_several_ends() -> None:
    with secrets_hidden():
        with ThreadPoolExecutor(1) as other, secrets_hidden():
            keep_secret([SECRET])
            assert other.submit(shown, f"x {SECRET}").result() == "x ***"
        assert shown(SECRET) == "***"
    assert shown(SECRET) == SECRET


def test_nothing_is_hidden_outside_of_the_work_on_a_config(
    capsys: pytest.CaptureFixture[str],
) -> None:
    keep_secret([SECRET])
    with secrets_hidden():
        with secrets_hidden():
            keep_secret([SECRET])
        notice(SECRET)
    notice(SECRET)
    assert capsys.readouterr().err == f"ot: ***\not: {SECRET}\n"
