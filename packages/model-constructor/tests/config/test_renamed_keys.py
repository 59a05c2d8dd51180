"""Former names of the config's own keys, with a made-up table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from model_constructor.config.renamed_keys import RENAMED, PresentKey
from model_constructor.config.resolve import ResolvedConfig, resolve_config
from model_constructor.errors import ConfigError, ConfigPath

TABLE = {
    ("variables",): PresentKey("params", "0.2"),
    ("params", "size"): PresentKey("width", "0.3"),
    ("settings", "strictly"): PresentKey("strict", "0.4"),
}

Resolve = Callable[..., ResolvedConfig]


@pytest.fixture
def resolve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Resolve:
    table: dict[ConfigPath, PresentKey] = RENAMED  # type: ignore[assignment]
    for path, present in TABLE.items():
        monkeypatch.setitem(table, path, present)
    monkeypatch.chdir(tmp_path)

    def run(main: str, base: str = "", *overrides: str) -> ResolvedConfig:
        Path("base.yaml").write_text(f"schema_version: 1\n{base}")
        Path("main.yaml").write_text(f"schema_version: 1\ndefaults: [base.yaml]\n{main}")
        return resolve_config("main.yaml", overrides)

    return run


def test_a_former_section_and_key_become_the_present_ones(resolve: Resolve) -> None:
    found = resolve("variables: {size: 3, other: 1}\nsettings: {strictly: false}")
    assert found.data["params"] == {"width": 3, "other": 1}
    assert list(found.data["params"]) == ["width", "other"]
    assert found.settings.strict is False
    renamed = [note for note in found.warnings if "is called" in note.text]
    assert [f"{note.span}: {note.text}" for note in renamed] == [
        f"main.yaml:{place}: `{old}` is called `{new}` since {since}; "
        "`ot config migrate` rewrites it"
        for place, old, new, since in [
            ("3:1", "variables", "params", "0.2"),
            ("3:13", "size", "width", "0.3"),
            ("4:12", "strictly", "strict", "0.4"),
        ]
    ]


def test_files_with_different_names_are_merged_as_one(resolve: Resolve) -> None:
    found = resolve("params: {width: 2, b: 2}", "variables: {size: 1, a: 1}")
    assert found.data["params"] == {"width": 2, "a": 1, "b": 2}
    layers = [layer.name for layer in found.provenance["params", "width"]]
    assert layers == ["base.yaml", "main.yaml"]


def test_the_command_line_may_use_the_former_name(resolve: Resolve) -> None:
    found = resolve("params: {width: 2}", "", "++params.size=5")
    assert found.data["params"] == {"width": 5}
    assert [layer.value for layer in found.provenance["params", "width"]] == ["2", "5"]


def test_both_names_in_one_file_are_an_error_that_shows_both(resolve: Resolve) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("params: {size: 1, width: 2}")
    assert (caught.value.code, caught.value.location) == ("OT0123", "main.yaml:3:10")
    assert [str(note.span) for note in caught.value.notes] == ["main.yaml:3:19"]
