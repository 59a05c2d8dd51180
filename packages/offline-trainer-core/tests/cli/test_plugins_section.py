"""``plugins: {disable: […], require: […]}`` of a config."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from plugin_sources import registering

from model_constructor.errors import ConfigError
from model_constructor.source_map import SourceMap
from offline_trainer.config.plugins_section import check_plugins_section
from offline_trainer.errors import OfflineTrainerError
from offline_trainer.experiment import prepare, run_experiment

Install = Callable[..., Path]
MakeConfig = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("section", "path", "message"),
    [
        (["lion"], ("plugins",), "must be a mapping"),
        ({"disabled": ["lion"]}, ("plugins", "disabled"), "unknown key `disabled`"),
        ({"disable": "lion"}, ("plugins", "disable"), "must be a list, got 'lion'"),
        ({"disable": ["lion", 3]}, ("plugins", "disable", 1), "got 3"),
        ({"require": {"ot-lion": 1}}, ("plugins", "require"), "must be a list"),
        ({"require": [""]}, ("plugins", "require", 0), "got ''"),
        ({"require": ["ot-lion=>2"]}, ("plugins", "require", 0), "is not a requirement"),
        ({"require": ["a @ https://x.org/a.whl"]}, ("plugins", "require", 0), "no more"),
        ({"require": ["ot-lion[fast]"]}, ("plugins", "require", 0), "no more"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    section: Any, path: tuple[str | int, ...], message: str
) -> None:
    (error,) = check_plugins_section(section, SourceMap())
    assert error.config_path == path
    assert message in error.message


def test_an_unknown_key_names_the_nearest() -> None:
    (error,) = check_plugins_section({"disabled": []}, SourceMap())
    assert error.suggestions == ("disable",)


def test_all_errors_come_together() -> None:
    errors = check_plugins_section({"disable": 1, "require": 2}, SourceMap())
    assert [error.config_path for error in errors] == [
        ("plugins", "disable"),
        ("plugins", "require"),
    ]


def test_a_wrong_section_in_a_file_is_underlined(
    small_config: MakeConfig, tmp_path: Path, install: Install
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text('schema_version: 1\nplugins:\n  require: ["ot-lion=>2"]\n')
    with pytest.raises(ConfigError) as caught:
        prepare(config)
    places = [error.location for error in caught.value.errors if "ot-lion" in error.message]
    assert places == ["config.yaml:3:13"]


def test_a_config_leaves_plugins_out(small_config: MakeConfig, install: Install) -> None:
    install("lion")
    config = small_config(plugins={"disable": ["ot-lion"]})
    assert "data.lion" not in prepare(config).registry
    assert "data.lion" in prepare(small_config()).registry


def test_a_run_with_its_requirements_met_trains(small_config: MakeConfig, install: Install) -> None:
    install("lion")
    result = run_experiment(
        small_config(
            plugins={"require": ["ot_lion>=0.2", 'ot-absent; python_version < "3"']},
            trainer={"max_epochs": 1},
        )
    )
    assert result.outcome == "done"


def test_a_strict_run_minds_a_conflict_of_keys_it_does_not_use(
    small_config: MakeConfig, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("one", "two"):
        install(module, registering('"data.same", "{module}:Data", help="Same."'))
    assert prepare(small_config()).registry.conflicts()
    monkeypatch.setenv("OT_STRICT_PLUGINS", "1")
    with pytest.raises(OfflineTrainerError, match="also provided by ot-one"):
        prepare(small_config())
    assert prepare(small_config(plugins={"disable": ["two"]})).registry


def refused(config: dict[str, Any], **options: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        prepare(config, **options)
    assert caught.value.config_path == ("plugins", "require", 0)
    return caught.value


def test_a_missing_plugin_says_how_to_install_it(
    small_config: MakeConfig, install: Install
) -> None:
    install("lion")
    error = refused(small_config(plugins={"require": ["ot-lyon>=0.2"]}))
    assert "`ot-lyon>=0.2`, which is not installed" in error.message
    assert error.suggestions == ("ot-lion",)
    assert error.help == "pip install 'ot-lyon>=0.2'"
    # The plugin's own name is the likeliest mistake.
    assert refused(small_config(plugins={"require": ["lion"]})).suggestions == ("ot-lion",)


def test_another_version_says_what_is_installed(small_config: MakeConfig, install: Install) -> None:
    install("lion", version="0.1.0")
    error = refused(small_config(plugins={"require": ["ot-lion>=0.2"]}))
    assert "installed is ot-lion 0.1.0" in error.message


def test_a_pre_release_that_is_installed_counts(small_config: MakeConfig, install: Install) -> None:
    install("lion", version="0.3.0rc1")
    assert prepare(small_config(plugins={"require": ["ot-lion>=0.2"]}))


def test_a_required_plugin_must_be_in_use(
    small_config: MakeConfig, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("lion")
    config = small_config(plugins={"require": ["ot-lion"]})
    assert "disabled by --no-plugin" in refused(config, no_plugin=["lion"]).message
    monkeypatch.setenv("OT_DISABLE_PLUGINS", "lion")
    assert "disabled by OT_DISABLE_PLUGINS" in refused(config).message


def test_a_required_plugin_that_is_broken_says_why(
    small_config: MakeConfig, install: Install
) -> None:
    install("lion", "import nothing_of_that_name")
    error = refused(small_config(plugins={"require": ["ot-lion"]}))
    assert "nothing_of_that_name" in error.message
    assert error.help == "ot doctor lion"


def test_a_distribution_that_is_no_plugin_is_told_apart(small_config: MakeConfig) -> None:
    assert "offers no plugin" in refused(small_config(plugins={"require": ["click"]})).message
