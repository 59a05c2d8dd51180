"""``ot config migrate``: words are replaced, every other byte stays."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from model_constructor.config.renamed_keys import RENAMED, PresentKey
from model_constructor.config.schema import SCHEMA_VERSION
from model_constructor.errors import ConfigPath, Span
from offline_trainer.cli.config_migrate import command
from offline_trainer.cli.installed import find_installed
from offline_trainer.migration.document import Document, Edit
from offline_trainer.migration.files import plan_changes
from offline_trainer.migration.steps import needed_edits

Install = Callable[..., Path]
Migrate = Callable[..., Result]

PLUGIN = """
from offline_trainer.plugins.hooks import hookimpl
OT_PLUGIN_API = (1, 0)

@hookimpl
def ot_register_components(registry):
    for kind in ("data", "optim_cls"):
        registry.add_lazy(f"{kind}.shop", "collections:Counter", help="Sales.")
        registry.add_alias(f"{kind}.store", f"{kind}.shop", since="0.2")
        registry.rename_parameter(f"{kind}.shop", "amount", "size", since="0.3")
"""


@pytest.fixture
def migrate(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    install("shop", PLUGIN)
    folder = tmp_path / "configs"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(command, list(arguments), prog_name="ot config migrate")

    return call


def write(text: str | bytes, name: str = "a.yaml") -> Path:
    path = Path(name)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


REWRITTEN = {
    "comments and spaces": (
        "# data.store\ndata:   # amount\n\n    _type_:  data.store   # data.store\n    amount: 3\n",
        "# data.store\ndata:   # amount\n\n    _type_:  data.shop   # data.store\n    size: 3\n",
    ),
    "quotes": (
        'data: {"_type_": \'data.store\', "amount" : 3}',
        'data: {"_type_": \'data.shop\', "size" : 3}',
    ),
    "windows lines": (
        "data:\r\n  _type_: data.store\r\n  amount: 3\r\n",
        "data:\r\n  _type_: data.shop\r\n  size: 3\r\n",
    ),
    "byte order mark": (
        b"\xef\xbb\xbfdata: {_type_: data.store}",
        b"\xef\xbb\xbfdata: {_type_: data.shop}",
    ),
    "other scripts": (
        "params: {ключ: 'änderung 🎉', data: {_type_: data.store}}",
        "params: {ключ: 'änderung 🎉', data: {_type_: data.shop}}",
    ),
    "several in a line": (
        "params: [{amount: 1, _type_: data.store}, {_type_: data.store, amount: 2}]",
        "params: [{size: 1, _type_: data.shop}, {_type_: data.shop, size: 2}]",
    ),
    "anchors and tags": (
        "params: [{_type_: &k data.store}, {_type_: *k}, "
        "{_type_: !!str data.store, &amount amount: 1}]",
        "params: [{_type_: &k data.shop}, {_type_: *k}, "
        "{_type_: !!str data.shop, &amount size: 1}]",
    ),
    "an anchor on a line of its own": (
        "data:\n  _type_: &k # data.store\n    data.store\n",
        "data:\n  _type_: &k # data.store\n    data.shop\n",
    ),
    "a long key": (
        "data:\n  ? amount\n  : 3\n  ? _type_\n  : data.shop\n",
        "data:\n  ? size\n  : 3\n  ? _type_\n  : data.shop\n",
    ),
    "one provider": (
        "data: {_type_: data.store@ot-shop}",
        "data: {_type_: data.shop@ot-shop}",
    ),
    "a provider with the same name": (
        "data: {_type_: !!str 'data.store@data.store'}",
        "data: {_type_: !!str 'data.shop@data.store'}",
    ),
    "templates and containers": (
        "templates: {t: {type: optim_cls.store}}\n"
        "optimizer: {_merge_: replace, _value_: {type: optim_cls.shop, kwargs: {_merge_: replace,"
        " _value_: {amount: 1}}}}",
        "templates: {t: {type: optim_cls.shop}}\n"
        "optimizer: {_merge_: replace, _value_: {type: optim_cls.shop, kwargs: {_merge_: replace,"
        " _value_: {size: 1}}}}",
    ),
}


@pytest.mark.parametrize("case", REWRITTEN)
def test_only_the_renamed_words_change(case: str, migrate: Migrate) -> None:
    before, after = REWRITTEN[case]
    path = write(before)
    result = migrate("a.yaml")
    assert result.exit_code == 0, result.output
    assert path.read_bytes() == (after if isinstance(after, bytes) else after.encode())
    again = migrate("a.yaml", "--check")
    assert (again.exit_code, again.stdout) == (0, "a.yaml: nothing to rewrite\n")


@pytest.mark.parametrize(
    "text",
    [
        "data: {_type_: data.shop, size: 1} # fine\n",
        "params: {amount: 1, type: optim_cls.store}\n",
        "data: {_type_: data.other, amount: 1}\n",
        "model: {graph: {nodes: [{name: a, call: 'module:store'}]}}\n",
    ],
)
def test_what_is_up_to_date_is_not_touched(text: str, migrate: Migrate) -> None:
    path = write(text)
    before = path.stat()
    assert migrate("a.yaml").exit_code == 0
    assert (path.read_text(), path.stat().st_ino) == (text, before.st_ino)


def test_each_change_is_told_with_its_place(migrate: Migrate) -> None:
    write("data:\n  _type_: data.store\n  amount: 3\n")
    assert migrate("a.yaml").stdout.splitlines() == [
        "a.yaml:2:11: `data.store` is called `data.shop` since ot-shop 0.2",
        "a.yaml:3:3: `amount` of data.shop is called `size` since ot-shop 0.3",
        "a.yaml: 2 changes",
    ]


def test_check_writes_nothing_and_ends_with_1(migrate: Migrate) -> None:
    path = write("data: {_type_: data.store}\n")
    result = migrate("a.yaml", "--check")
    assert (result.exit_code, path.read_text()) == (1, "data: {_type_: data.store}\n")
    assert result.stdout.splitlines()[-1] == "a.yaml: 1 change needed"


def test_diff_writes_nothing_and_shows_the_lines(migrate: Migrate) -> None:
    path = write("a: &a 1 # one\ndata: {_type_: data.store} # kept")
    result = migrate("a.yaml", "--diff")
    assert result.exit_code == 0
    assert path.read_text().endswith("data.store} # kept")
    assert result.stdout.splitlines() == [
        "--- a.yaml",
        "+++ a.yaml",
        "@@ -1,2 +1,2 @@",
        " a: &a 1 # one",
        "-data: {_type_: data.store} # kept",
        "+data: {_type_: data.shop} # kept",
    ]
    assert migrate("a.yaml", "--diff", "--check").exit_code == 1


def test_what_only_the_whole_config_tells_is_rewritten_too(migrate: Migrate) -> None:
    write("schema_version: 1\ndata: {_type_: data.store}\n", "base.yaml")
    path = write("schema_version: 1\ndefaults: [base.yaml]\ndata: {amount: 3}\n")
    result = migrate("a.yaml")
    assert path.read_text() == "schema_version: 1\ndefaults: [base.yaml]\ndata: {size: 3}\n"
    assert "data.store" in Path("base.yaml").read_text()
    assert "base.yaml is included and needs a change" in result.stderr
    assert "by hand" not in result.stderr


def test_a_base_file_that_is_named_is_rewritten_by_what_includes_it(migrate: Migrate) -> None:
    base = write("data: {amount: 3}\n", "base.yaml")
    write("schema_version: 1\ndefaults: [base.yaml]\ndata: {_type_: data.shop}\n")
    result = migrate("base.yaml", "a.yaml")
    assert base.read_text() == "data: {size: 3}\n"
    assert "is included" not in result.stderr


@pytest.mark.parametrize("broken", ["params: {url: '${env:NOT_SET}'}", "extra: 1"])
def test_what_is_wrong_elsewhere_hides_no_included_file(broken: str, migrate: Migrate) -> None:
    write("data: {_type_: data.store}\n", "inner.yaml")
    write("defaults: [inner.yaml]\n", "base.yaml")
    path = write(f"schema_version: 1\ndefaults: [base.yaml]\n{broken}\ndata: {{amount: 3}}\n")
    result = migrate("a.yaml")
    assert "data: {size: 3}" in path.read_text()
    assert "inner.yaml is included and needs a change" in result.stderr


def test_an_include_that_cannot_be_read_is_an_error(migrate: Migrate) -> None:
    write("schema_version: 1\ndefaults: [gone.yaml]\n")
    result = migrate("a.yaml")
    assert result.exit_code == 2
    assert "gone.yaml" in result.stderr


@pytest.mark.parametrize("value", ['"data.\\x73tore"', "'${params.kind}'"])
def test_what_cannot_be_edited_is_named(value: str, migrate: Migrate) -> None:
    text = f"schema_version: 1\nparams: {{kind: data.store}}\ndata: {{_type_: {value}}}\n"
    path = write(text)
    result = migrate("a.yaml", "--check")
    assert result.exit_code == 1
    assert "a.yaml:3:16: `data.store`" in result.stderr
    assert "by hand" in result.stderr
    assert path.read_text() == text


def test_what_cannot_be_edited_is_named_beside_what_can(migrate: Migrate) -> None:
    path = write(
        "schema_version: 1\nparams: {kind: data.store, other: {_type_: data.store}}\n"
        "data: {_type_: '${params.kind}'}\n"
    )
    result = migrate("a.yaml")
    assert "{_type_: data.shop}" in path.read_text()
    assert "a.yaml:3:16: `data.store`" in result.stderr


def test_nothing_is_written_if_one_file_cannot_be_read(migrate: Migrate) -> None:
    path = write("data: {_type_: data.store}\n")
    write("a: [\n", "b.yaml")
    result = migrate("a.yaml", "b.yaml")
    assert result.exit_code == 2
    assert "b.yaml" in result.stderr
    assert path.read_text() == "data: {_type_: data.store}\n"


def test_both_names_in_one_file_are_left_to_the_author(migrate: Migrate) -> None:
    text = "data: {_type_: data.shop, amount: 1, size: 2}\n"
    path = write(text)
    result = migrate("a.yaml")
    assert result.exit_code == 1
    assert "old and new names clash: duplicate key `size`" in result.stderr
    assert path.read_text() == text


@pytest.mark.skipif(os.name == "nt", reason="modes and links of POSIX")
def test_mode_and_links_stay(migrate: Migrate) -> None:
    path = write("data: {_type_: data.store}\n", "real.yaml")
    path.chmod(0o640)
    Path("a.yaml").symlink_to(path)
    assert migrate("a.yaml").exit_code == 0
    assert Path("a.yaml").is_symlink()
    assert path.read_text() == "data: {_type_: data.shop}\n"
    assert path.stat().st_mode & 0o777 == 0o640


def test_renamed_keys_of_the_config_are_rewritten(
    migrate: Migrate, monkeypatch: pytest.MonkeyPatch
) -> None:
    table: dict[ConfigPath, PresentKey] = RENAMED  # type: ignore[assignment]
    monkeypatch.setitem(table, ("variables",), PresentKey("params", "0.2"))
    monkeypatch.setitem(table, ("params", "size"), PresentKey("width", "0.3"))
    path = write("variables:   # old\n  size: 3\n")
    assert migrate("a.yaml").exit_code == 0
    assert path.read_text() == "params:   # old\n  width: 3\n"


def test_a_module_of_imports_may_rename_too(
    migrate: Migrate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "def register(registry):\n    registry.add_alias('nn.Old', 'nn.New', since='1')\n"
    (tmp_path / "renaming_module.py").write_text(module)
    monkeypatch.syspath_prepend(str(tmp_path))
    path = write("loss: {fn: {_type_: nn.Old}}\n")
    assert migrate("a.yaml", "--import", "renaming_module").exit_code == 0
    assert path.read_text() == "loss: {fn: {_type_: nn.New}}\n"


def test_a_version_step_runs_first_and_raises_the_version(migrate: Migrate) -> None:
    def step(document: Document) -> Iterable[Edit]:
        span = document.sources.key_span(("modell",))
        assert span is not None
        yield Edit(span, "modell", "data", "made up")

    path = write("schema_version: 0 # old\nmodell: {_type_: data.store}\n")
    before = SCHEMA_VERSION - 1
    registry = find_installed().registry
    changes, _ = plan_changes(
        ["a.yaml"],
        registry,
        lambda document, known: needed_edits(document, known, versions={before: step}),
    )
    (change,) = changes
    assert change.after.decode() == (
        f"schema_version: {SCHEMA_VERSION} # old\ndata: {{_type_: data.shop}}\n"
    )
    assert len(change.done) == 3
    assert change.done[0].span == Span("a.yaml", 1, 17, 1, 18)
    assert path.read_bytes() == change.before
