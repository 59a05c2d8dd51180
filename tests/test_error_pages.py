"""Every error code has one page, and the example on it gives that very error."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from doc_blocks import Block, Page, blocks, write_rest
from model_constructor import ConfigError
from model_constructor.error_pages import ErrorPage, read_error_pages
from offline_trainer.cli import main
from offline_trainer.plugins.error_pages import error_pages

ROOT = Path(__file__).parent.parent
# Lower packages first: a code belongs to the lowest one that uses it.
LAYERS = ("model_constructor", "offline_trainer", "offline_trainer_torch", "ot_example_plugin")
PAGES = {page.code: page for package in LAYERS for page in read_error_pages(package)}


def codes_in_sources() -> dict[str, str]:
    """Each code in the sources, with the lowest package that uses it."""
    found: dict[str, str] = {}
    for layer in LAYERS:
        for file in sorted(ROOT.glob(f"packages/*/src/{layer}/**/*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and re.fullmatch(r"OT\d{4}", str(node.value)):
                    found.setdefault(str(node.value), layer)
    return found


def test_every_code_has_one_page_and_every_page_a_code() -> None:
    used = codes_in_sources()
    pages = [page.code for package in LAYERS for page in read_error_pages(package)]
    assert sorted(used) == sorted(pages)


def test_no_error_of_ours_goes_without_a_code() -> None:
    without = [
        f"{file.name}:{node.lineno}"
        for file in ROOT.glob("packages/*/src/**/*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ConfigError"
        if "code" not in {keyword.arg for keyword in node.keywords}
    ]
    assert without == []


def test_a_page_lies_in_the_lowest_package_that_uses_its_code() -> None:
    homes = {page.code: package for package in LAYERS for page in read_error_pages(package)}
    assert homes == codes_in_sources()


def test_titles_tell_codes_apart() -> None:
    assert [title for title, n in Counter(p.title for p in PAGES.values()).items() if n > 1] == []


def test_the_command_finds_the_pages_of_all_packages() -> None:
    assert error_pages() == PAGES


def test_the_documentation_links_to_every_file_of_pages() -> None:
    text = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    links = {(ROOT / "docs" / link).resolve() for link in re.findall(r"\]\((\.\./[^)]*)\)", text)}
    assert set(ROOT.glob("packages/*/src/*/error_pages/*.md")) <= links


@pytest.mark.parametrize("code", PAGES)
def test_a_page_says_what_its_code_means_and_has_an_example(code: str) -> None:
    assert re.match("[A-Z`]", PAGES[code].text)
    assert not PAGES[code].text.startswith("```")
    assert list(blocks(PAGES[code].text))


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES.values() if not any(block.not_run for block in blocks(page.text))],
    ids=lambda page: page.code,
)
def test_the_example_gives_the_error(
    page: ErrorPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in re.findall(r"\$\{env:(?:\w+:)?(\w+)", page.text):
        monkeypatch.delenv(name, raising=False)
    found = set(Example(page, tmp_path).codes())
    # An example is as short as can be, so sections that a whole experiment has may be missing.
    assert found - ({"OT0306"} - {page.code}) == {page.code}


class Example:
    """The blocks of one error's page, run as a reader would run them."""

    def __init__(self, page: ErrorPage, folder: Path) -> None:
        self.blocks = list(blocks(page.text))
        self.folder = folder
        self.files = Page(folder)

    def codes(self) -> Iterator[str]:
        """The codes of the errors that it ends in."""
        (self.folder / "config.yaml").write_text("schema_version: 1\n")
        command = "ot check config.yaml"
        try:
            for block in self.blocks:
                first = block.text.partition("\n")[0]
                if block.language == "yaml":
                    self.write_yaml(block.text, first)
                elif block.language == "sh":
                    command = block.text.strip()
                elif first.startswith("# ") and first.endswith(".py"):
                    self.files.run(block)
                else:
                    yield from self.codes_of_python(block)
                    return
            yield from self.codes_of_command(command)
        finally:
            self.files.forget_modules()

    def write_yaml(self, text: str, first: str) -> None:
        """A file of that name, or ``config.yaml``: whole, or as sections of one that is right."""
        if first.startswith("# "):
            (self.folder / first[2:]).write_text(text)
        elif "schema_version" in text:
            (self.folder / "config.yaml").write_text(text)
        else:
            write_rest(self.folder, re.findall(r"^(\w+):", text, re.MULTILINE))
            header = "schema_version: 1\ndefaults: [rest.yaml]\n"
            (self.folder / "config.yaml").write_text(header + text)

    def codes_of_python(self, block: Block) -> Iterator[str]:
        with pytest.raises(ConfigError) as caught:
            self.files.run(block)
        # Page.run() is for blocks that work, so nothing stands between it and the error.
        yield from (error.code for error in caught.value.errors)

    def codes_of_command(self, line: str) -> Iterator[str]:
        words = shlex.split(line)
        settings = dict(w.split("=", 1) for w in words[: words.index("ot")])
        arguments = [*words[words.index("ot") + 1 :], "--format", "json"]
        result = CliRunner().invoke(main, arguments, env=settings)
        assert result.exit_code == 2, result.output
        record = json.loads((result.stdout or result.stderr).splitlines()[-1])
        yield from (error["code"] for error in record["errors"])
