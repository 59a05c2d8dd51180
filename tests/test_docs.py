"""The documentation is true: its code runs, and every public name stands in it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import public_names
from doc_blocks import Block, Page, blocks
from model_constructor.keys import BLOCKS, OPS
from model_constructor.registry import kind_of
from model_constructor.torch import ops
from offline_trainer.config.sections import PART_KINDS
from public_names import keys
from reliability.row import Row
from reliability.rows import ROWS

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("README.md", "docs/*.md", "packages/*/README.md")
    for path in ROOT.glob(pattern)
)

TABLE = "a,b,c,label\n" + "".join(f"{n},{n * n % 7},{n % 5},{n % 3}\n" for n in range(36))


@pytest.mark.parametrize("name", PAGES)
def test_the_code_of_a_page_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    beside = (ROOT / name).parent.glob("*.yaml")
    for shared in (ROOT / "configs", ROOT / "packages", *beside):
        (tmp_path / shared.name).symlink_to(shared)
    (tmp_path / "table.csv").write_text(TABLE)
    page = Page(tmp_path)
    try:
        for block in blocks((ROOT / name).read_text()):
            if not block.not_run:
                run_block(page, block, name)
    finally:
        page.forget_modules()


def run_block(page: Page, block: Block, name: str) -> None:
    try:
        page.run(block)
    except Exception as error:
        raise AssertionError(f"{name}:{block.line}: {error}") from error


def test_a_block_is_left_out_only_with_a_reason() -> None:
    page = "<!-- not run: a card -->\n```sh\nnvidia-smi\n```\n<!-- later -->\n```yaml\na: 1\n```\n"
    assert list(blocks(page)) == [
        Block("sh", "nvidia-smi\n", 2, "a card"),
        Block("yaml", "a: 1\n", 6),
    ]


def named(*pages: str) -> str:
    """Headings and table rows of some pages."""
    lines = [line for page in pages for line in (ROOT / page).read_text().splitlines()]
    return "\n".join(line for line in lines if line.startswith(("#", "|")))


@pytest.mark.parametrize("hook", public_names.hook_names())
def test_every_hook_has_a_heading(hook: str) -> None:
    assert f"# `{hook}(" in named("docs/plugins.md")


@pytest.mark.parametrize("line", public_names.cli_options())
def test_every_command_has_a_section_with_all_its_options(line: str) -> None:
    name = line.partition("[")[0].rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ_ ")
    text = (ROOT / "docs/commands.md").read_text()
    section = re.search(rf"^#+ `{re.escape(name)}`\n(.*?)(?=^#|\Z)", text, re.M | re.S)
    assert section is not None, f"docs/commands.md has no heading `{name}`"
    rows = [row for row in section[1].splitlines() if row.startswith("|")]
    for option in re.findall(r"--[\w-]+", line):
        assert any(re.search(rf"`{option}[` =]", row) for row in rows), f"{name} {option}"


def test_every_kind_of_key_has_a_heading() -> None:
    headings = named("docs/components.md")
    kinds = {kind_of(key) for key in keys()} | {"cmd", *PART_KINDS}
    assert [kind for kind in sorted(kinds) if f"# `{kind}`" not in headings] == []


def test_every_kind_of_key_has_a_component_to_copy() -> None:
    page = (ROOT / "docs/plugins.md").read_text()
    names: dict[str, Any] = {}
    (plugin,) = [b.text for b in blocks(page) if b.text.startswith("# my_parts/plugin.py\n")]
    exec(plugin, names)
    shown = {kind_of(key) for key in names["COMPONENTS"]}
    kinds = {kind_of(key) for key in keys()} | {*PART_KINDS}
    assert sorted(kinds - shown - {"nn"}) == []  # these are torch's own classes


@pytest.mark.parametrize("name", ["callback", "metric", "loss", "logger", "objective"])
def test_a_part_of_ones_own_takes_ten_to_thirty_lines(name: str) -> None:
    page = (ROOT / "docs/plugins.md").read_text()
    (text,) = [b.text for b in blocks(page) if b.text.startswith(f"# my_parts/{name}.py\n")]
    lines = [line for line in text.splitlines()[1:] if line.strip()]
    assert 10 <= len(lines) <= 30


def test_every_point_of_the_loop_has_a_row() -> None:
    from offline_trainer.callbacks.hooks import HOOK_NAMES

    rows = named("docs/components.md")
    assert [name for name in HOOK_NAMES if f"| `{name}` |" not in rows] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_campaign_has_its_row(row: Row) -> None:
    line = f"| `{row.name}` | {row.commit_cases:,} | {row.passes_when} |"
    assert line in named("docs/checkpoints.md").splitlines(), line


def test_every_promise_of_training_names_a_test_that_exists() -> None:
    promised = re.findall(r"^\| .+ \| `(test_\w+)` \|$", named("docs/training.md"), re.M)
    files = [*ROOT.glob("packages/*/*/**/*.py"), *(ROOT / "tests").glob("*.py")]
    there = {name for file in files for name in re.findall(r"def (test_\w+)\(", file.read_text())}
    assert len(promised) > 30
    assert [name for name in promised if name not in there] == []


def test_every_environment_variable_is_named() -> None:
    sources = (ROOT / "packages").glob("*/src/**/*.py")
    used = {name for file in sources for name in re.findall(r'"(OT_[A-Z_]+)"', file.read_text())}
    rows = named("docs/plugins.md", "docs/commands.md")
    assert [name for name in sorted(used - {"OT_PLUGIN_API"}) if f"`{name}" not in rows] == []


@pytest.mark.parametrize("key", sorted(BLOCKS))
def test_every_block_has_a_heading_and_a_snippet(key: str) -> None:
    text = (ROOT / "docs/models.md").read_text()
    section = re.search(rf"^### `{key}`\n(.*?)(?=^##+ |\Z)", text, re.M | re.S)
    assert section is not None, f"docs/models.md has no heading `{key}`"
    assert re.search(rf"^- {{?_type_: {key}\b|^- _type_: {key}$", section[1], re.M)


@pytest.mark.parametrize("name", sorted(OPS))
def test_every_operation_has_the_row_that_its_docstring_says(name: str) -> None:
    line = (inspect.getdoc(getattr(ops, name)) or "").partition("\n")[0]
    assert f"| `op:{name}` | {line} |\n" in (ROOT / "docs/models.md").read_text()
