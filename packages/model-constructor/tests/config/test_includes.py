"""`defaults:`: which files are read, in which order, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from model_constructor.config.resolve import resolve_config
from model_constructor.errors import ConfigError

# (defaults of the main file, other files, resulting params)
ORDERS: list[tuple[str, dict[str, str], dict[str, Any]]] = [
    ("[]", {}, {"m": 0}),
    ("[a.yaml]", {"a.yaml": "params: {x: 1}"}, {"x": 1, "m": 0}),
    ("[a.yml]", {"a.yml": "params: {x: 1}"}, {"x": 1, "m": 0}),
    ("[a.yaml]", {"a.yaml": "params: {m: 1}"}, {"m": 0}),
    (
        "[a.yaml, b.yaml]",
        {"a.yaml": "params: {x: 1, y: 1}", "b.yaml": "params: {x: 2}"},
        {"x": 2, "y": 1, "m": 0},
    ),
    ("[sub/a.yaml]", {"sub/a.yaml": "params: {x: 1}"}, {"x": 1, "m": 0}),
    ("[./a.yaml]", {"a.yaml": "params: {x: 1}"}, {"x": 1, "m": 0}),
    (
        "[sub/a.yaml]",
        {
            "sub/a.yaml": "defaults: [b.yaml, ../c.yaml]\nparams: {x: 1}",
            "sub/b.yaml": "params: {x: 2, y: 2}",
            "c.yaml": "params: {y: 3, z: 3}",
        },
        {"x": 1, "y": 3, "z": 3, "m": 0},
    ),
    # a diamond: the shared base is merged once, at its first place
    (
        "[a.yaml, b.yaml]",
        {
            "a.yaml": "defaults: [base.yaml]\nparams: {x: a}",
            "b.yaml": "defaults: [base.yaml]\nparams: {y: b}",
            "base.yaml": "params: {x: base, y: base, l: [1]}",
        },
        {"x": "a", "y": "b", "l": [1], "m": 0},
    ),
    (
        "[a.yaml, b.yaml]",
        {
            "a.yaml": "defaults: [base.yaml]\n",
            "b.yaml": "defaults: [base.yaml]\n",
            "base.yaml": "params: {l: {_merge_: append, _value_: [1]}}",
        },
        {"l": [1], "m": 0},
    ),
    ("[a.yaml, a.yaml, ./a.yaml]", {"a.yaml": "params: {x: 1}"}, {"x": 1, "m": 0}),
    ("[{optional: a.yaml}]", {"a.yaml": "params: {x: 1}"}, {"x": 1, "m": 0}),
    ("[{optional: a.yaml}]", {}, {"m": 0}),
    (
        "[{optional: no.yaml}, a.yaml]",
        {"a.yaml": "defaults: [{optional: no.yaml}]\nparams: {x: 1}"},
        {"x": 1, "m": 0},
    ),
    ("[{optional: sub/no.yaml}, {optional: 'no/such/folder.yaml'}]", {}, {"m": 0}),
    # the deepest base is lowest, however it comes in
    (
        "[a.yaml, base.yaml]",
        {"a.yaml": "defaults: [base.yaml]\nparams: {x: a}", "base.yaml": "params: {x: base}"},
        {"x": "a", "m": 0},
    ),
    (
        "[base.yaml, a.yaml]",
        {"a.yaml": "defaults: [base.yaml]\nparams: {x: a}", "base.yaml": "params: {x: base}"},
        {"x": "a", "m": 0},
    ),
    ("[a.yaml]", {"a.yaml": "schema_version: 1\nparams: {x: '${params.m}'}"}, {"x": 0, "m": 0}),
    ("[sub/../a.yaml]", {"a.yaml": "params: {x: 1}"}, {"x": 1, "m": 0}),
    ("[a.b.yaml]", {"a.b.yaml": "params: {x: 1}"}, {"x": 1, "m": 0}),
    ("['sp ace/ü.yaml']", {"sp ace/ü.yaml": "params: {x: 1}"}, {"x": 1, "m": 0}),
]


@pytest.mark.parametrize(("defaults", "files", "params"), ORDERS)
def test_order_of_merging(
    resolve: Any, defaults: str, files: dict[str, str], params: dict[str, Any]
) -> None:
    data = resolve(f"defaults: {defaults}\nparams: {{m: 0}}", files=files).data
    assert data["params"] == params
    assert "defaults" not in data


LOOP = {"a.yaml": "defaults: [sub/b.yaml]", "sub/b.yaml": "x: 1\ndefaults:\n  - ../a.yaml"}

# (defaults, other files, code, text in the message, place)
REFUSED: list[tuple[str, dict[str, str], str, str, str]] = [
    ("[no.yaml]", {}, "OT0101", "no such file: `no.yaml`", "main.yaml:2:12"),
    ("[sub/no.yaml]", {}, "OT0101", "no such file: `sub/no.yaml`", "main.yaml:2:12"),
    ("a.yaml", {}, "OT0201", "must be a list of files, got a string", "main.yaml:2:11"),
    ("{optional: a.yaml}", {}, "OT0201", "must be a list of files", "main.yaml:2:11"),
    ("[3]", {}, "OT0201", "must be a file name, got 3", "main.yaml:2:12"),
    ("['']", {}, "OT0201", "must be a file name", "main.yaml:2:12"),
    ("[{opt: a.yaml}]", {}, "OT0201", "must be a file name", "main.yaml:2:12"),
    ("[{optional: [a]}]", {}, "OT0201", "must be a file name", "main.yaml:2:23"),
    ("[a]", {"a.yaml": "x: 1"}, "OT0201", "does not end in .yaml or .yml", "main.yaml:2:12"),
    ("[a.json]", {}, "OT0201", "does not end in .yaml or .yml", "main.yaml:2:12"),
    ('["a\\0.yaml"]', {}, "OT0201", "does not end in", "main.yaml:2:12"),
    ("['${x}.yaml']", {}, "OT0201", "does not work in `defaults`", "main.yaml:2:12"),
    ("[pkg://dist]", {}, "OT0201", "does not end in", "main.yaml:2:12"),
    ("[pkg://dist.yaml]", {}, "OT0205", "is not `pkg://distribution/path.yaml`", "main.yaml:2:12"),
    ("[pkg://d/../x.yaml]", {}, "OT0205", "is not `pkg://", "main.yaml:2:12"),
    ("[pkg://d/x.yaml]", {}, "OT0205", "no packages are known here", "main.yaml:2:12"),
    ("[main.yaml]", {}, "OT0202", "main.yaml → main.yaml", "main.yaml:2:12"),
    ("[a.yaml]", {"a.yaml": ""}, "OT0106", "`a.yaml` is empty", "a.yaml:1:1"),
    ("[a.yaml]", {"a.yaml": "- 1"}, "OT0108", "must hold a mapping", "a.yaml:1:1"),
    ("[a.yaml]", {"a.yaml": "a: 1\n---\nb: 1"}, "OT0107", "more than one", "a.yaml:2:1"),
    ("[a.yaml]", {"a.yaml": "a: [1"}, "OT0105", "not valid YAML", "a.yaml:1:4"),
    ("[a.yaml]", LOOP, "OT0202", "a.yaml → sub/b.yaml → a.yaml", "sub/b.yaml:3:5"),
    ("[d.yaml]", {"d.yaml/x": ""}, "OT0101", "`d.yaml` is a folder", "main.yaml:2:12"),
    ("[a.YAML]", {"a.YAML": "x: 1"}, "OT0201", "does not end in", "main.yaml:2:12"),
    ("null", {}, "OT0201", "must be a list of files, got null", "main.yaml:2:11"),
    ("[null]", {}, "OT0201", "must be a file name, got null", "main.yaml:2:12"),
    ("[[a.yaml]]", {"a.yaml": "x: 1"}, "OT0201", "must be a file name", "main.yaml:2:12"),
    ("[{optional: a.yaml, x: 1}]", {}, "OT0201", "must be a file name", "main.yaml:2:12"),
    ("[{optional: a}]", {}, "OT0201", "does not end in", "main.yaml:2:23"),
    ("[{optional: a.yaml}]", {"a.yaml": "x: [1"}, "OT0105", "not valid", "a.yaml:1:4"),
    ("[{optional: main.yaml}]", {}, "OT0202", "main.yaml → main.yaml", "main.yaml:2:23"),
    ("[./main.yaml]", {}, "OT0202", "main.yaml → main.yaml", "main.yaml:2:12"),
    (
        "[a.yaml]",
        {"a.yaml": "defaults: [main.yaml]"},
        "OT0202",
        "main.yaml → a.yaml → main.yaml",
        "a.yaml:1:12",
    ),
    (
        "[a.yaml]",
        {
            "a.yaml": "defaults: [b.yaml]",
            "b.yaml": "defaults: [c.yaml]",
            "c.yaml": "defaults: [a.yaml]",
        },
        "OT0202",
        "a.yaml → b.yaml → c.yaml → a.yaml",
        "c.yaml:1:12",
    ),
]


@pytest.mark.parametrize(("defaults", "files", "code", "message", "place"), REFUSED)
def test_refused(
    resolve: Any, defaults: str, files: dict[str, str], code: str, message: str, place: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(f"defaults: {defaults}\n", files=files)
    error = caught.value
    assert (error.code, error.location) == (code, place)
    assert message in error.message


def test_cycle_names_every_hop_with_its_place(resolve: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("defaults: [a.yaml]", files=LOOP)
    notes = [(note.text, str(note.span)) for note in caught.value.notes]
    assert notes == [
        ("`a.yaml` includes `sub/b.yaml` here", "a.yaml:1:12"),
        ("`sub/b.yaml` includes `a.yaml` here", "sub/b.yaml:3:5"),
    ]


def test_cycle_through_a_link_is_found(resolve: Any, folder: Path) -> None:
    (folder / "sub").symlink_to(".", target_is_directory=True)
    with pytest.raises(ConfigError) as caught:
        resolve("defaults: [sub/sub/main.yaml]")
    assert caught.value.code == "OT0202"


def test_error_in_an_included_file_says_how_it_came_in(resolve: Any) -> None:
    files = {"a.yaml": "defaults: [b.yaml]", "b.yaml": "x: 1\nx: 2"}
    with pytest.raises(ConfigError) as caught:
        resolve("defaults: [a.yaml]", files=files)
    notes = [(note.text, str(note.span)) for note in caught.value.notes]
    assert notes[1:] == [
        ("`b.yaml` included here", "a.yaml:1:12"),
        ("`a.yaml` included here", "main.yaml:2:12"),
    ]


def test_errors_of_several_files_come_together(resolve: Any) -> None:
    files = {"a.yaml": "x: 1\nx: 2", "b.yaml": "y: [1"}
    with pytest.raises(ConfigError) as caught:
        resolve("defaults: [a.yaml, no.yaml, b.yaml]", files=files)
    assert [error.location for error in caught.value.errors] == [
        "a.yaml:2:1",
        "main.yaml:2:20",
        "b.yaml:1:4",
    ]


@pytest.mark.parametrize(
    ("written", "suggestion"),
    [("base.yml", "base.yaml"), ("bsae.yaml", "base.yaml"), ("base", "base.yaml")],
)
def test_missing_file_suggests_its_neighbours(resolve: Any, written: str, suggestion: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(f"defaults: [sub/{written}]", files={"sub/base.yaml": "x: 1"})
    assert caught.value.suggestions[0] == f"sub/{suggestion}"


def test_a_folder_suggests_what_is_in_it(resolve: Any) -> None:
    files: dict[str, str] = {}
    for suggestions in ((), ("mai/a.yaml",)):  # and never the file that includes it
        with pytest.raises(ConfigError, match="does not end in") as caught:
            resolve("defaults: [mai]", files=files)
        assert caught.value.suggestions == suggestions
        files = {"mai/a.yaml": "", "mai/b.txt": ""}


def test_number_of_includes_is_limited(resolve: Any) -> None:
    files = {f"f{i}.yaml": f"defaults: [f{i + 1}.yaml]" for i in range(300)}
    with pytest.raises(ConfigError) as caught:
        resolve("defaults: [f0.yaml]", files=files)
    assert caught.value.code == "OT0204"


def test_250_includes_deep_are_fine(resolve: Any) -> None:
    files = {f"f{i}.yaml": f"defaults: [f{i + 1}.yaml]" for i in range(249)}
    files["f249.yaml"] = "params: {x: 1}"
    assert resolve("defaults: [f0.yaml]", files=files).data["params"] == {"x": 1}


def test_package_file_is_asked_for_pkg_paths(resolve: Any, folder: Path) -> None:
    asked = []

    def package_file(distribution: str, path: str) -> Path:
        asked.append((distribution, path))
        return folder / "installed" / path

    files = {
        "installed/x/p.yaml": "defaults: [q.yaml]\nparams: {p: 1}",
        "installed/x/q.yaml": "params: {q: 2}",
    }
    config = resolve("defaults: ['pkg://my-dist/x/p.yaml']", files=files, package_file=package_file)
    assert asked == [("my-dist", "x/p.yaml")]
    assert config.data["params"] == {"q": 2, "p": 1}


def test_error_of_package_file_points_at_the_entry(resolve: Any) -> None:
    def package_file(distribution: str, path: str) -> Path:
        raise ConfigError(f"`{distribution}` is not installed", code="OT0205")

    with pytest.raises(ConfigError, match="`d` is not installed") as caught:
        resolve("defaults: ['pkg://d/x.yaml']", package_file=package_file)
    assert caught.value.location == "main.yaml:2:12"


def test_files_are_returned_in_merge_order_with_their_bytes(resolve: Any, folder: Path) -> None:
    files = {"sub/a.yaml": "params: {x: é}", "b.yaml": "params: {y: 1}"}
    config = resolve("defaults: [sub/a.yaml, b.yaml]", files=files)
    assert [file.name for file in config.files] == ["sub/a.yaml", "b.yaml", "main.yaml"]
    assert config.files[0].path == folder / "sub" / "a.yaml"
    assert config.files[0].content.decode() == "params: {x: é}"
    assert str(config.files[0].included_at) == "main.yaml:2:12"
    assert config.files[-1].included_at is None


def test_folder_is_that_of_the_file_that_set_the_value(resolve: Any, folder: Path) -> None:
    config = resolve(
        "defaults: [sub/a.yaml]\nparams: {own: d.csv, taken: '${params.base}'}",
        "++params.cli=d.csv",
        files={"sub/a.yaml": "params: {base: d.csv}"},
    )
    folders = {name: config.source_map["params", name].folder for name in config.data["params"]}
    assert folders == {
        "base": str(folder / "sub"),
        "own": str(folder),
        "taken": str(folder / "sub"),
        "cli": str(folder),
    }


def test_file_names_are_relative_below_the_current_folder_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = folder / "sub" / "main.yaml"
    main.parent.mkdir()
    main.write_text("schema_version: 1\nrun: {a: 1, a: 2}\n", encoding="utf-8")
    for given in (main, "sub/main.yaml", "./sub/../sub/main.yaml"):
        with pytest.raises(ConfigError) as caught:
            resolve_config(given)
        assert caught.value.location == "sub/main.yaml:2:13"
    elsewhere = folder / "other"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    for given, shown in ((main, str(main)), ("../sub/main.yaml", "../sub/main.yaml")):
        with pytest.raises(ConfigError) as caught:
            resolve_config(given)
        assert caught.value.location == f"{shown}:2:13"


# --- untrusted ---------------------------------------------------------------------------------

OUTSIDE = [
    "../outside.yaml",
    "sub/../../outside.yaml",
    "link.yaml",
    "linked/outside.yaml",
    "pkg://d/x.yaml",
]


@pytest.mark.parametrize("target", OUTSIDE)
def test_untrusted_include_stays_in_its_folder(folder: Path, target: str) -> None:
    home = folder / "home"
    (home / "sub").mkdir(parents=True)
    (folder / "outside.yaml").write_text("params: {x: 1}", encoding="utf-8")
    (home / "link.yaml").symlink_to(folder / "outside.yaml")
    (home / "linked").symlink_to(folder, target_is_directory=True)
    main = home / "main.yaml"
    main.write_text(f"schema_version: 1\ndefaults: ['{target}']\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        resolve_config(main, untrusted=True, package_file=lambda *_: folder / "outside.yaml")
    assert caught.value.code == "OT0203"


def test_untrusted_include_inside_the_folder_works(resolve: Any) -> None:
    config = resolve(
        "defaults: [sub/a.yaml]", files={"sub/a.yaml": "params: {x: 1}"}, untrusted=True
    )
    assert config.data["params"] == {"x": 1}


def test_absolute_include_works_unless_untrusted(resolve: Any, folder: Path) -> None:
    other = folder.parent / f"{folder.name}-other.yaml"
    other.write_text("params: {x: 1}", encoding="utf-8")
    assert resolve(f"defaults: ['{other}']").data["params"] == {"x": 1}
    with pytest.raises(ConfigError) as caught:
        resolve(f"defaults: ['{other}']", untrusted=True)
    assert caught.value.code == "OT0203"


# --- the main file -----------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["no.yaml", "", "a\0b", "x" * 5000, ".", 3, None, b"\xff.yaml"])
def test_main_file_that_cannot_be_read(source: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve_config(source)
    assert caught.value.code == "OT0101"


def test_missing_main_file_suggests_its_neighbours(folder: Path) -> None:
    (folder / "digits.yaml").write_text("schema_version: 1", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"did you mean .*digits\.yaml"):
        resolve_config("digit.yaml")


def test_pipe_is_refused_and_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.yaml")
    with pytest.raises(ConfigError, match="not a regular file"):
        resolve_config("pipe.yaml")


def test_main_file_may_have_any_suffix(folder: Path) -> None:
    (folder / "config.txt").write_text("schema_version: 1", encoding="utf-8")
    assert resolve_config("config.txt").data == {"schema_version": 1}
