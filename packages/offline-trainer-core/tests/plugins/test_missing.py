"""Unknown keys: the package that would bring them, and plugins that are not in use."""

from __future__ import annotations

import sys

import pytest
from made_up_plugins import GOOD, Install

from model_constructor.errors import ConfigError
from offline_trainer.plugins.discovery import Candidate, discover
from offline_trainer.plugins.loader import load_plugins
from offline_trainer.plugins.selection import Selection
from offline_trainer.registry import build_registry

TORCH = "offline-trainer-torch"


def help_for(key: str, selection: Selection | None = None) -> str:
    with pytest.raises(ConfigError, match="unknown component") as caught:
        build_registry(load_plugins(selection)).get_module(key)
    return caught.value.help


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an environment in which offline-trainer-torch is not installed."""

    def others() -> list[Candidate]:
        return [c for c in discover() if c.provider.distribution != TORCH]

    monkeypatch.setattr(sys.modules["offline_trainer.plugins.loader"], "discover", others)


@pytest.mark.usefixtures("without_torch")
@pytest.mark.parametrize(
    "key", ["optim_cls.AdamW", "engine.torch", "metric.f1", "sched_factory.torch"]
)
def test_a_key_of_a_package_of_ours_that_is_not_installed_names_it(key: str) -> None:
    kind = key.partition(".")[0]
    assert help_for(key) == f"`{kind}.*` comes with {TORCH}: pip install {TORCH}"


@pytest.mark.usefixtures("without_torch")
@pytest.mark.parametrize("key", ["data.torch", "loss.torch", "log.tensorboard"])
def test_so_does_a_key_of_a_kind_that_core_has_too(key: str) -> None:
    assert help_for(key) == f"`{key}` comes with {TORCH}: pip install {TORCH}"


@pytest.mark.usefixtures("without_torch")
def test_other_kinds_do_not_name_it() -> None:
    assert TORCH not in help_for("data.tabel")
    assert TORCH not in help_for("policy.gaussian")


def test_an_unknown_key_names_the_plugin_that_failed_and_doctor(install: Install) -> None:
    install("lion", "import nothing_of_that_name")
    assert help_for("data.lion") == (
        "1 plugin failed to load and may provide it: ot-lion 0.2.0 [ot doctor lion]"
    )


def test_of_many_that_failed_a_few_are_named(install: Install) -> None:
    for number in range(5):
        install(f"broken_{number}", "import nothing_of_that_name")
    help = help_for("data.lion")
    assert help.startswith("5 plugins failed to load and may provide it: ot-broken_0 0.2.0")
    assert help.endswith("and 2 more (ot plugins)")


def test_an_unknown_key_names_plugins_that_are_disabled_and_by_what(install: Install) -> None:
    install("lion", GOOD)
    help = help_for("data.lion", Selection.of({"OT_DISABLE_PLUGINS": "lion"}))
    assert help == ("1 plugin is disabled and may provide it: ot-lion 0.2.0 (OT_DISABLE_PLUGINS)")
