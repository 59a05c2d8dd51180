"""Commands that plugins bring, and what the shell completes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import Result
from plugin_sources import registering

from offline_trainer.cli import main

Install = Callable[..., Path]
Ot = Callable[..., Result]

GREETING = """
import click

@click.command()
@click.argument("name")
def greet(name):
    '''Greet NAME.'''
    if name == "nobody":
        from offline_trainer.errors import OfflineTrainerError
        raise OfflineTrainerError("nobody is here", help="come back later")
    if name in globals():
        globals()[name]()
    click.echo(f"hello {name}")

def fails():
    raise ValueError("no\\nname")

def stops():
    raise click.Abort()

broken = 3
"""


SAME = """
import click

@click.command()
def same():
    click.echo(__name__)
"""


@pytest.fixture
def greeting(install: Install) -> Path:
    folder = install(
        "greeting",
        registering(
            '"cmd.say_hello", "greeting_commands:greet", help="Greet somebody."',
            '"cmd.no_command", "greeting_commands:broken", help="Not a command."',
            '"cmd.absent", "greeting_absent:greet", help="Not there."',
            '"cmd.exits", "greeting_exits:greet", help="Leaves."',
        ),
    )
    (folder / "greeting_commands.py").write_text(GREETING)
    (folder / "greeting_exits.py").write_text("import sys; sys.exit(0)")
    return folder


def test_help_lists_a_plugins_command_without_importing_it(greeting: Path, ot: Ot) -> None:
    text = ot("--help").stdout
    assert "say-hello" in text
    assert "Greet somebody." in text
    assert "greeting_commands" not in sys.modules


def test_a_plugins_command_runs_by_its_name(greeting: Path, ot: Ot) -> None:
    result = ot("say-hello", "you")
    assert (result.exit_code, result.stdout) == (0, "hello you\n")
    assert "Usage: ot say-hello" in ot("say-hello", "--help").stdout


def test_errors_of_a_plugins_command_are_messages(greeting: Path, ot: Ot) -> None:
    result = ot("say-hello", "nobody")
    assert result.exit_code == 1
    assert result.stderr == "error: nobody is here\n  help: come back later\n"


def test_a_plugins_command_that_raises_is_named_with_its_owner_and_its_frames(
    greeting: Path, ot: Ot
) -> None:
    result = ot("say-hello", "fails")
    assert result.exit_code == 1
    *trace, message, _ = result.stderr.splitlines()
    assert message == "error: `ot say-hello` from ot-greeting 0.2.0 failed: ValueError: no name"
    assert trace[0].startswith("Traceback")
    assert {line.split('"')[1] for line in trace if "File" in line} == {
        str(greeting / "greeting_commands.py")
    }
    assert (ot("say-hello", "stops").stderr, ot("say-hello", "you").exit_code) == ("Aborted!\n", 0)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no-command", "is of type int"),
        ("absent", "No module named 'greeting_absent'"),
        ("exits", "SystemExit: 0"),
    ],
)
def test_a_broken_target_is_one_clear_message(
    greeting: Path, ot: Ot, name: str, reason: str
) -> None:
    result = ot(name, "--help")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: `cmd.{name.replace('-', '_')}` from ot-greeting 0.2.0")
    assert reason in result.stderr
    assert "Traceback" not in result.output
    assert len(result.stderr.splitlines()) == 2


def test_a_plugin_cannot_take_a_built_in_commands_name(install: Install, ot: Ot) -> None:
    install("taker", registering('"cmd.list_components", "taker:nothing", help="Taken."'))
    result = ot("list-components", "--plugin", "core")
    assert result.exit_code == 0
    assert "data.table" in result.stdout
    assert "`ot list-components` is built in" in result.stderr
    assert "Taken." not in ot("--help").stdout
    assert ot("doctor").exit_code == 1


def test_a_plugin_adds_a_command_to_a_group(install: Install, ot: Ot) -> None:
    folder = install(
        "linter",
        registering(
            '"cmd.config.say_hello", "linter_commands:greet", help="Greet somebody."',
            '"cmd.config.no_command", "linter_commands:broken", help="Not a command."',
        ),
    )
    (folder / "linter_commands.py").write_text(GREETING)
    assert "say-hello" not in ot("--help").stdout
    text = ot("config", "--help").stdout
    assert "Greet somebody." in text.partition("Commands of plugins:")[2]
    assert completed("config", "say") == ["say-hello"]
    assert "linter_commands" not in sys.modules
    assert ot("config", "say-hello", "you").stdout == "hello you\n"
    assert ot("config", "say-hello", "nobody").stderr.startswith("error: nobody is here\n")
    failed = ot("config", "say-hello", "fails").stderr
    assert "error: `ot config say-hello` from ot-linter 0.2.0 failed: ValueError" in failed
    assert "is of type int" in ot("config", "no-command").stderr
    assert "Did you mean say-hello?" in ot("config", "say-helo").stderr
    assert ot("--no-plugin", "linter", "config", "say-hello").exit_code == 2


def test_two_plugins_with_one_command_in_a_group_are_told_apart(install: Install, ot: Ot) -> None:
    for module in ("one", "two"):
        install(module, registering('"cmd.config.same", "{module}:same", help="Same."', head=SAME))
    result = ot("config", "same")
    assert (result.exit_code, "`ot --no-plugin one config same`" in result.stderr) == (1, True)
    assert ot("--no-plugin", "one", "config", "same").stdout == "two\n"


def test_commands_that_have_no_place_are_told(install: Install, ot: Ot) -> None:
    calls = ['"cmd.config.show", "t:x", help="A."', '"cmd.run.fast", "t:x", help="B."']
    install("taker", registering(*calls, '"cmd.config.a.b", "t:x", help="C."'))
    told = ot("config", "--help").stderr
    assert "`cmd.config.show` is not used: `ot config show` is built in" in told
    assert "`cmd.run.fast` is not used: `ot run` takes no commands of plugins" in told
    assert "`cmd.config.a.b` is not used: `ot config a` takes no commands of plugins" in told
    assert "those that do are" in ot("doctor").stdout


def test_two_plugins_with_one_command_are_told_apart(install: Install, ot: Ot) -> None:
    for module in ("one", "two"):
        install(module, registering('"cmd.same", "{module}:same", help="Same."'))
    result = ot("same")
    assert result.exit_code == 1
    assert "provided by ot-one 0.2.0 and ot-two 0.2.0" in result.stderr
    assert "`ot --no-plugin one same` or `ot --no-plugin two same`" in result.stderr
    assert "OT_DISABLE_PLUGINS=two for good" in result.stderr
    help = " ".join(ot("--help").stdout.split())
    assert "same (conflict: ot-one 0.2.0 and ot-two 0.2.0; `ot --no-plugin NAME same`)" in help


def test_a_plugin_is_left_out_before_the_command_is_looked_up(install: Install, ot: Ot) -> None:
    for module in ("one", "two"):
        install(module, registering('"cmd.same", "{module}:same", help="Same."', head=SAME))
    assert ot("--no-plugin", "one", "same").stdout == "two\n"
    assert ot("--no-plugin", "ot-two", "same").stdout == "one\n"
    assert ot("--no-plugin", "one", "--no-plugin", "two", "same").exit_code == 2
    assert "conflict" not in ot("--no-plugin", "one", "--help").stdout
    listed = ot("--no-plugin", "one", "list-components", "--no-plugin", "two")
    assert "cmd.same" not in listed.stdout


def test_a_command_that_replaces_anothers_is_taken(install: Install, ot: Ot) -> None:
    for module, more in {"one": ', replaces="ot-two"', "two": ""}.items():
        call = f'"cmd.same", "{module}:same", help="By {module}."{more}'
        install(module, registering(call, head=SAME))
    assert ot("same").stdout == "one\n"
    assert "By one." in ot("--help").stdout


def test_an_unknown_command_names_the_nearest(greeting: Path, ot: Ot) -> None:
    result = ot("say-helo")
    assert result.exit_code == 2
    assert "Did you mean say-hello" in result.stderr


def completed(*words: str) -> list[str]:
    shell = ShellComplete(main, {}, "ot", "_OT_COMPLETE")
    return [item.value for item in shell.get_completions(list(words[:-1]), words[-1])]


def test_commands_complete_with_those_of_plugins(
    greeting: Path, install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("broken", "import nothing_of_that_name")
    assert {"run", "describe", "say-hello"} <= set(completed(""))
    assert completed("des") == ["describe"]
    assert completed("--ver") == ["--version"]
    assert "greeting_commands" not in sys.modules
    assert capsys.readouterr().err == ""


def test_keys_kinds_and_plugins_complete(install: Install) -> None:
    install("one", registering('"data.same", "one:Data", help="One."'))
    install("two", registering('"data.same", "two:Data", help="Two."'))
    assert completed("describe", "data.sa") == ["data.same@ot-one", "data.same@ot-two"]
    assert completed("describe", "io.") == ["io.mapping"]
    assert completed("list-components", "--kind", "da") == ["data"]
    assert completed("doctor", "tw") == ["two"]


def test_paths_of_the_resolved_config_complete(tmp_path: Path) -> None:
    base, config = tmp_path / "base.yaml", tmp_path / "config.yaml"
    base.write_text("schema_version: 1\ntrainer: {_type_: trainer.default, max_epochs: 3}\n")
    config.write_text(
        "schema_version: 1\ndefaults: [base.yaml]\nmetrics: [{_type_: metric.mae, name: a}]\n"
    )
    for command in ("run", "check"):
        assert completed(command, str(config), "trainer.") == [
            "trainer._type_=",
            "trainer.max_epochs=",
        ]
    assert completed("run", str(config), "trainer.max_epochs=1", "metrics[0].n") == [
        "metrics[0].name="
    ]


def test_secrets_are_not_shown_while_completing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "hunter2")
    config = tmp_path / "config.yaml"
    config.write_text('schema_version: 1\nparams: {token: "${env:SHOP_TOKEN}", size: 3}\n')
    shell = ShellComplete(main, {}, "ot", "_OT_COMPLETE")
    items = shell.get_completions(["run", str(config)], "params.")
    assert {item.value: item.help for item in items} == {"params.size=": "3", "params.token=": None}


def test_a_config_that_cannot_be_read_completes_nothing(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("schema_version: [")
    assert completed("run", str(config), "tr") == []
    assert completed("run", str(tmp_path / "absent.yaml"), "tr") == []
