"""Fixtures for resolver tests: a fresh current folder, and configurations written as text."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from model_constructor.config.resolve import ResolvedConfig, resolve_config

Resolve = Callable[..., ResolvedConfig]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def resolve(folder: Path) -> Resolve:
    """Write ``main.yaml`` (and other files) below the version line, and resolve it."""

    def run(
        text: str,
        *overrides: str,
        files: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
        **options: Any,
    ) -> ResolvedConfig:
        for name, content in (files or {}).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(content), encoding="utf-8")
        main = "schema_version: 1\n" + textwrap.dedent(text)
        (folder / "main.yaml").write_text(main, encoding="utf-8")
        return resolve_config("main.yaml", overrides, environ=environ or {}, **options)

    return run
