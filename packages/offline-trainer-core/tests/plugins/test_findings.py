"""Plugins look at the config before anything is built."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from made_up_plugins import GOOD, Install

from model_constructor.errors import ConfigError
from offline_trainer.errors import OfflineTrainerError
from offline_trainer.experiment import prepare

CHECKS = (
    GOOD
    + """
@hookimpl
def ot_check_config(config, report):
    report(f"{config['trainer']['max_epochs']} epochs are few", ("trainer", "max_epochs"))
    report("and another thing", "run")
"""
)
CHANGES = GOOD + "\n@hookimpl\ndef ot_check_config(config):\n    config.clear()\n"
FAILS = GOOD + "\n@hookimpl\ndef ot_check_config(report):\n    raise RuntimeError('in the hook')\n"


@pytest.fixture
def config(small_config: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return small_config()


def test_findings_come_together_each_with_its_place_and_owner(
    install: Install, config: dict[str, Any]
) -> None:
    install("picky", CHECKS)
    install("strict", CHECKS)
    with pytest.raises(ConfigError) as caught:
        prepare(config)
    first, second, *others = caught.value.errors
    assert (first.message, first.config_path) == ("4 epochs are few", ("trainer", "max_epochs"))
    assert second.config_path == ("run",)
    assert "found by plugin 'picky'" in second.help
    assert ["'strict'" in other.help for other in others] == [True, True]
    assert prepare(config, no_plugin=["picky", "strict"]).data["run"]["name"]


def test_a_plugin_cannot_change_the_config(install: Install, config: dict[str, Any]) -> None:
    install("changing", CHANGES)
    assert prepare(config).data["trainer"]["max_epochs"] == 4


def test_a_check_that_raises_is_named_and_stops_nobody(
    install: Install, config: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    install("failing", FAILS)
    assert prepare(config).data["run"]["name"]
    line = (
        "plugin 'failing' (ot-failing 0.2.0) failed in ot_check_config: RuntimeError: in the hook"
    )
    place = f"{sys.modules['failing'].__file__}:{FAILS.count(chr(10))}"
    assert capsys.readouterr().err == f"ot: {line} ({place})  [OT_DISABLE_PLUGINS=failing]\n"


def test_a_check_that_raises_ends_the_command_where_plugins_are_strict(
    install: Install, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    install("failing", FAILS)
    monkeypatch.setenv("OT_STRICT_PLUGINS", "yes")
    with pytest.raises(OfflineTrainerError, match="failed in ot_check_config"):
        prepare(config)
