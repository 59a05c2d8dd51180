"""Rendered errors in the width of a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_constructor.diagnostics import in_reading_order, pieces, render
from model_constructor.errors import ConfigError, ConfigErrors, Note, Span

SENTENCE = "the quick brown fox jumps over the lazy dog and then over the lazy fox as well"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def at_width(error: ConfigError, width: int) -> list[str]:
    return "".join(text for text, _ in pieces(error, width=width)).splitlines()


def everything() -> ConfigError:
    Path("exp.yaml").write_text("a: 1\nlearnig_rate: 1e-3\n")
    return ConfigError(
        f"unknown key: {SENTENCE}",
        code="OT0312",
        config_path=("optimizer", "kwargs", "learnig_rate"),
        span=Span("exp.yaml", 2, 1, 2, 13),
        suggestions=("learning_rate", "lr"),
        label=f"not a parameter: {SENTENCE}",
        notes=[Note(SENTENCE, Span("exp.yaml", 1, 1, 1, 2)), Note(SENTENCE)],
        help=f"accepted: {SENTENCE}",
    )


@pytest.mark.parametrize("width", range(40, 200, 7))
def test_lines_fit_and_no_word_is_lost(width: int) -> None:
    lines = at_width(everything(), width)
    assert max(map(len, lines)) <= width
    words = " ".join(lines).replace("|", " ").split()
    plain = render(everything()).replace("|", " ").split()
    assert sorted(words) == sorted(plain)


def test_a_long_line_of_spaces_is_an_empty_line() -> None:
    assert at_width(ConfigError(f"above\n{' ' * 200}\nbelow"), 60) == [
        "error[OT0100]: above",
        "  ",
        "  below",
    ]


def test_wide_enough_is_the_plain_text() -> None:
    assert at_width(everything(), 300) == render(everything()).splitlines()


def test_layout_at_60_columns() -> None:
    assert at_width(everything(), 60) == [
        "error[OT0312]: unknown key: the quick brown fox jumps over",
        "  the lazy dog and then over the lazy fox as well",
        " --> exp.yaml:2:1",
        "  |",
        "2 | learnig_rate: 1e-3",
        "  | ^^^^^^^^^^^^",
        "  | not a parameter: the quick brown fox jumps over the lazy",
        "  | dog and then over the lazy fox as well",
        "  |",
        " ::: exp.yaml:1:1   the quick brown fox jumps over the lazy",
        "                    dog and then over the lazy fox as well",
        " ::: the quick brown fox jumps over the lazy dog and then",
        "     over the lazy fox as well",
        " = path: optimizer.kwargs.learnig_rate",
        " help: did you mean `learning_rate` or `lr`?  accepted: the",
        "       quick brown fox jumps over the lazy dog and then over",
        "       the lazy fox as well",
    ]


def test_a_long_place_leaves_the_sentence_a_line_of_its_own() -> None:
    place = Span("experiments/of/last/week/width.yaml", 1, 1, 1, 2)
    lines = at_width(ConfigError("bad", notes=[Note(SENTENCE, place)]), 60)
    assert lines[1] == "  ::: experiments/of/last/week/width.yaml:1:1"
    assert lines[2].startswith("      the quick")


@pytest.mark.parametrize(
    "whole", ["`{_merge_: replace, _value_: …}`", "offline-trainer-core", "x" * 70]
)
def test_quoted_names_hyphens_and_long_words_are_not_broken(whole: str) -> None:
    for before in range(30):
        lines = at_width(ConfigError(f"{'so ' * before}{whole} and {whole}"), 50)
        assert sum(line.count(whole) for line in lines) == 2


def test_a_message_of_several_lines_is_indented() -> None:
    error = ConfigError("could not be built: RuntimeError: two\n\tsizes differ", code="OT0321")
    assert render(error).splitlines() == [
        "error[OT0321]: could not be built: RuntimeError: two",
        "      sizes differ",
    ]


def test_a_long_line_of_the_file_is_cut_to_the_terminal() -> None:
    Path("x.yaml").write_text("a" * 80 + "HERE" + "b" * 80)
    lines = at_width(ConfigError("bad", span=Span("x.yaml", 1, 81, 1, 85)), 50)
    assert max(map(len, lines)) <= 50
    start = lines[4].index("^")
    assert lines[3][start : start + 4] == "HERE"


def test_errors_are_sorted_by_file_and_line_after_those_without_a_place() -> None:
    def error(name: str, file: str, line: int, column: int = 1) -> ConfigError:
        span = Span(file, line, column, line, column + 1)
        return ConfigError(name, code="OT0312", span=span)

    found = ConfigErrors(
        [
            error("main 9", "main.yaml", 9),
            error("base 2", "base.yaml", 2),
            error("main 3, 7", "main.yaml", 3, 7),
            ConfigError("nowhere", code="OT0306"),
            error("main 3, 2", "main.yaml", 3, 2),
            error("base 1", "base.yaml", 1),
        ]
    )
    heads = [line for line in render(found).splitlines() if line.startswith("error")]
    assert [head.partition(": ")[2] for head in heads] == [
        "nowhere", "main 3, 2", "main 3, 7", "main 9", "base 1", "base 2",
    ]  # fmt: skip


def test_what_hinders_reading_comes_before_what_may_follow_from_it() -> None:
    found = [
        ConfigError("missing section", code="OT0306", span=Span("main.yaml", 1, 1, 1, 2)),
        ConfigError("unknown key", code="OT0312", span=Span("main.yaml", 2, 1, 2, 2)),
        ConfigError("two documents", code="OT0107", span=Span("main.yaml", 9, 1, 9, 2)),
        ConfigError("no such reference", code="OT0241", span=Span("base.yaml", 3, 1, 3, 2)),
    ]
    codes = [error.code for error in in_reading_order(found)]
    assert codes == ["OT0107", "OT0241", "OT0306", "OT0312"]


def test_an_excerpt_is_shown_once_for_errors_at_one_place() -> None:
    Path("x.yaml").write_text("schema_version: 1\n")
    place = Span("x.yaml", 1, 1, 1, 18)
    text = render(ConfigErrors([ConfigError("one", span=place), ConfigError("two", span=place)]))
    assert text.count("1 | schema_version: 1") == 1
    assert text.count("--> x.yaml:1:1") == 2


def test_a_label_brings_its_excerpt_along() -> None:
    Path("x.yaml").write_text("schema_version: 1\n")
    place = Span("x.yaml", 1, 1, 1, 18)
    labelled = ConfigError("two", span=place, label="this")
    text = render(ConfigErrors([ConfigError("one", span=place), labelled]))
    assert "^^^^^^^^^^^^^^^^^ this" in text


def test_a_file_is_named_from_the_current_folder_where_that_is_shorter(folder: Path) -> None:
    (folder / "here").mkdir()
    beside = Span(str(folder / "base.yaml"), 1, 1, 1, 2)
    assert " --> base.yaml:1:1" in render(ConfigError("bad", span=beside))
    far = Span("/etc/x.yaml", 1, 1, 1, 2)
    assert " --> /etc/x.yaml:1:1" in render(ConfigError("bad", span=far))


def test_arguments_of_the_command_line_are_no_files() -> None:
    errors = [ConfigError("bad", span=Span(f"<cli:{n}>", 1, 1, 1, 2)) for n in (1, 2)]
    assert render(ConfigErrors(errors)).endswith("\n\n2 errors")
