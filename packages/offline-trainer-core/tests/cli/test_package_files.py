"""``pkg://distribution/path.yaml``: files that installed packages ship."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from plugin_sources import registering

from model_constructor.config.resolve import resolve_config
from model_constructor.errors import ConfigError
from offline_trainer.config.errors import format_error_with_context
from offline_trainer.plugins.package_files import package_file

Install = Callable[..., Path]

EMPTY_PLUGIN = registering('"data.shop", "ot_shop.data:Shop", help="Sales."')


@pytest.fixture
def shop(install: Install) -> Path:
    """A distribution whose package ships two YAML files; answers the package's folder."""
    folder = install("ot_shop.plugin", None, distribution="ot-shop", name="shop")
    package = folder / "ot_shop"
    (package / "configs").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "plugin.py").write_text(EMPTY_PLUGIN)
    (package / "configs" / "base.yaml").write_text("schema_version: 1\nparams: {size: 3}\n")
    (package / "other.yml").write_text("schema_version: 1\n")
    return package


@pytest.fixture
def including(tmp_path: Path) -> Callable[[str], Path]:
    def write(entry: str) -> Path:
        config = tmp_path / "config.yaml"
        config.write_text(f"schema_version: 1\ndefaults:\n  - {entry}\nparams: {{colour: red}}\n")
        return config

    return write


def test_a_file_of_an_installed_package_is_included(
    shop: Path, including: Callable[[str], Path]
) -> None:
    config = including("pkg://ot-shop/configs/base.yaml")
    resolved = resolve_config(config, package_file=package_file)
    assert resolved.data["params"] == {"size": 3, "colour": "red"}
    assert shop / "configs" / "base.yaml" in [file.path for file in resolved.files]


def test_hyphens_and_underscores_name_the_same_distribution(shop: Path) -> None:
    assert package_file("OT_Shop", "other.yml") == shop / "other.yml"


def test_a_wheel_is_found_by_the_files_it_lists(install: Install) -> None:
    folder = install("renamed", "x = 1", distribution="ot-wheel")
    info = folder / "ot_wheel-0.2.0.dist-info"
    (info / "entry_points.txt").unlink()
    (folder / "shipped").mkdir()
    (folder / "shipped" / "__init__.py").write_text("")
    (folder / "shipped" / "base.yaml").write_text("schema_version: 1\n")
    (info / "RECORD").write_text("shipped/__init__.py,,\nshipped/base.yaml,,\n")
    assert package_file("ot-wheel", "base.yaml") == folder / "shipped" / "base.yaml"


def test_an_editable_install_is_found_by_its_entry_point(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its metadata lies elsewhere and lists a .pth file, which puts the source folder on the path.
    folder = install("lively.plugin", None, distribution="ot-editable", name="editable")
    (folder / "ot_editable-0.2.0.dist-info" / "RECORD").write_text("_editable.pth,,\n")
    source = tmp_path / "checkout" / "src"
    (source / "lively").mkdir(parents=True)
    (source / "lively" / "__init__.py").write_text("")
    (source / "lively" / "base.yaml").write_text("schema_version: 1\n")
    monkeypatch.syspath_prepend(str(source))
    assert package_file("ot-editable", "base.yaml") == source / "lively" / "base.yaml"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../secret.yaml", "`..`"),
        ("configs/../../x.yaml", "`..`"),
        ("/etc/x.yaml", "an absolute path"),
        ("C:/x.yaml", "an absolute path"),
        ("..\\x.yaml", "a backslash"),
    ],
)
def test_a_path_that_leaves_the_package_is_refused(shop: Path, path: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=f"leaves the package: it has {reason}") as caught:
        package_file("ot-shop", path)
    assert caught.value.code == "OT0205"


def test_an_absolute_path_in_a_config_is_refused_where_it_stands(
    shop: Path, including: Callable[[str], Path]
) -> None:
    config = including("pkg://ot-shop//etc/x.yaml")
    with pytest.raises(ConfigError, match="leaves the package") as caught:
        resolve_config(config, package_file=package_file)
    assert caught.value.span is not None
    assert caught.value.span.line == 3


def test_a_missing_distribution_names_the_nearest(
    shop: Path, including: Callable[[str], Path]
) -> None:
    config = including("pkg://ot-shopp/configs/base.yaml")
    with pytest.raises(ConfigError) as caught:
        resolve_config(config, package_file=package_file)
    text = format_error_with_context(caught.value)
    assert "no distribution `ot-shopp` is installed" in text
    assert "did you mean `pkg://ot-shop/configs/base.yaml`" in text
    assert f"{os.path.basename(config)}:3:5" in text  # noqa: PTH119


def test_a_missing_file_names_where_it_is(shop: Path) -> None:
    with pytest.raises(ConfigError, match="has no such file") as caught:
        package_file("ot-shop", "base.yaml")
    assert "ot-shop 0.2.0" in caught.value.message
    assert caught.value.suggestions == ("pkg://ot-shop/configs/base.yaml",)
    assert caught.value.help == "its YAML files: configs/base.yaml, other.yml"


@pytest.mark.parametrize("entry", ["pkg://ot-shop/absent.yaml", "pkg://ot-absent/base.yaml"])
def test_an_optional_include_may_be_absent(
    shop: Path, including: Callable[[str], Path], entry: str
) -> None:
    config = including(f"optional: {entry}")
    assert resolve_config(config, package_file=package_file).data["params"] == {"colour": "red"}


def test_finding_a_file_imports_nothing_of_the_package(shop: Path) -> None:
    (shop / "__init__.py").write_text("raise RuntimeError('imported')")
    assert package_file("ot-shop", "other.yml") == shop / "other.yml"
