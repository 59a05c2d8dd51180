"""Rendered errors, as a user sees them."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from model_constructor.config.overrides import override_sources
from model_constructor.config.resolve import resolve_config
from model_constructor.diagnostics import render
from model_constructor.errors import ConfigError, ConfigErrors, Note, Span


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rendered(files: dict[str, str], *overrides: str) -> str:
    for name, text in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        resolve_config("main.yaml", overrides, environ={})
    return render(caught.value, override_sources(overrides))


def expected(text: str) -> str:
    return textwrap.dedent(text).strip("\n")


def test_unknown_key_with_everything() -> None:
    lines = ["optimizer:", *["  # …"] * 11, "  kwargs:", "    learnig_rate: 1e-3"]
    Path("w64.yaml").write_text("\n".join(lines), encoding="utf-8")
    error = ConfigError(
        "unknown key `learnig_rate` for optim_cls.AdamW",
        code="OT0312",
        config_path=("optimizer", "kwargs", "learnig_rate"),
        span=Span("w64.yaml", 14, 5, 14, 17),
        suggestions=("lr",),
        label="not a parameter of optim_cls.AdamW",
        notes=[
            Note("`type: optim_cls.AdamW` was chosen here", Span("base/optim.yaml", 3, 9, 3, 24)),
            Note("base/optim.yaml included here", Span("w64.yaml", 1, 12, 1, 27)),
            Note("a note without a place"),
        ],
        help="accepted: lr, betas, eps, weight_decay",
    )
    assert render(error) == expected(
        """
        error[OT0312]: unknown key `learnig_rate` for optim_cls.AdamW
          --> w64.yaml:14:5
           |
        14 |     learnig_rate: 1e-3
           |     ^^^^^^^^^^^^ not a parameter of optim_cls.AdamW
           |
          ::: base/optim.yaml:3:9   `type: optim_cls.AdamW` was chosen here
          ::: w64.yaml:1:12         base/optim.yaml included here
          ::: a note without a place
          = path: optimizer.kwargs.learnig_rate
          help: did you mean `lr`?  accepted: lr, betas, eps, weight_decay
        """
    )


def test_duplicate_key() -> None:
    text = rendered({"main.yaml": "schema_version: 1\nrun:\n  name: a\n  name: b\n"})
    assert text == expected(
        """
        error[OT0109]: duplicate key `name`
         --> main.yaml:4:3
          |
        4 |   name: b
          |   ^^^^ again here
          |
         ::: main.yaml:3:3   first written here
         = path: run.name
        """
    )


def test_type_clash_of_two_files() -> None:
    text = rendered(
        {
            "base/b.yaml": "run: {name: a}\n",
            "main.yaml": "schema_version: 1\ndefaults: [base/b.yaml]\nrun: [name]\n",
        }
    )
    assert text == expected(
        """
        error[OT0210]: a list cannot be merged over a mapping
         --> main.yaml:3:6
          |
        3 | run: [name]
          |      ^^^^^^ a list here
          |
         ::: base/b.yaml:1:6   a mapping here: {name}
         = path: run
         help: to replace the lower value, write {_merge_: replace, _value_: …}
        """
    )


def test_missing_reference() -> None:
    text = rendered(
        {"main.yaml": "schema_version: 1\nparams: {lr: 1}\nrun: {a: 'x ${parms.lr}'}\n"}
    )
    assert text == expected(
        """
        error[OT0241]: `${parms.lr}`: the configuration has no `parms`
         --> main.yaml:3:13
          |
        3 | run: {a: 'x ${parms.lr}'}
          |             ^^^^^^^^^^^
          |
         = path: run.a
         help: did you mean `${params.lr}`?
        """
    )


def test_cycle_of_references() -> None:
    text = rendered({"main.yaml": "schema_version: 1\nrun:\n  a: ${run.b}\n  b: ${run.a}\n"})
    assert text == expected(
        """
        error[OT0242]: references go in a circle: run.a → run.b → run.a
         --> main.yaml:3:6
          |
        3 |   a: ${run.b}
          |      ^^^^^^^^
          |
         ::: main.yaml:4:6   run.b: ${run.a}
         = path: run.a
        """
    )


def test_cycle_of_includes() -> None:
    text = rendered(
        {
            "main.yaml": "schema_version: 1\ndefaults:\n  - a.yaml\n",
            "a.yaml": "defaults: [main.yaml]\n",
        }
    )
    assert text == expected(
        """
        error[OT0202]: files include each other: main.yaml → a.yaml → main.yaml
         --> a.yaml:1:12
          |
        1 | defaults: [main.yaml]
          |            ^^^^^^^^^
          |
         ::: main.yaml:3:5   `main.yaml` includes `a.yaml` here
         ::: a.yaml:1:12     `a.yaml` includes `main.yaml` here
         = path: defaults
        """
    )


def test_cycle_of_templates() -> None:
    main = "schema_version: 1\ntemplates:\n  a: {_template_: b}\n  b: {_template_: a}\n"
    assert rendered({"main.yaml": main}) == expected(
        """
        error[OT0231]: templates use each other in a circle: a → b → a
         --> main.yaml:4:19
          |
        4 |   b: {_template_: a}
          |                   ^
          |
         ::: main.yaml:3:19   `a` uses `b` here
         ::: main.yaml:4:19   `b` uses `a` here
         = path: templates.b
        """
    )


def test_argument_of_the_command_line() -> None:
    text = rendered({"main.yaml": "schema_version: 1\n"}, "trainer.x=1", "trianer.max_epochs=5")
    assert text == expected(
        """
        error[OT0120]: unknown top-level key `trianer`
         --> <cli:2>:1:1
          |
        1 | trianer.max_epochs=5
          | ^^^^^^^
          |
         = path: trianer
         help: did you mean `trainer`?  values of your own for `${…}` go under `params`
        """
    )


def test_switch_in_words() -> None:
    text = rendered({"main.yaml": "schema_version: 1\nsettings: {strict: yes}\n"})
    first, rest = text.split("; ", 1)
    assert first == "error[OT0122]: `settings.strict`: expected true or false, got 'yes' (a string)"
    assert rest == expected(
        """
        did you mean true?
         --> main.yaml:2:20
          |
        2 | settings: {strict: yes}
          |                    ^^^
          |
         = path: settings.strict
        """
    )


def test_missing_file_has_no_excerpt() -> None:
    Path("digits.yaml").write_text("schema_version: 1", encoding="utf-8")
    assert rendered({}) == expected(
        """
        error[OT0101]: no such file: `main.yaml`
          help: did you mean `digits.yaml`?
        """
    )


def test_errors_in_two_files_at_once() -> None:
    text = rendered(
        {
            "main.yaml": "schema_version: 1\ndefaults: [base.yaml]\nrun: {a: 1, a: 2}\n",
            "base.yaml": "run:\n\tb: 1\n",
        }
    )
    assert text == expected(
        """
        error[OT0109]: duplicate key `a`
         --> main.yaml:3:13
          |
        3 | run: {a: 1, a: 2}
          |             ^ again here
          |
         ::: main.yaml:3:7   first written here
         = path: run.a

        error[OT0104]: YAML does not allow a tab as indentation
         --> base.yaml:2:1
          |
        2 |  b: 1
          | ^
          |
         ::: main.yaml:2:12   `base.yaml` included here
         = path: run
         help: indent with spaces

        2 errors in 2 files
        """
    )


def test_at_most_20_errors_are_shown() -> None:
    errors = ConfigErrors([ConfigError(f"error number {i}") for i in range(1, 24)])
    text = render(errors)
    assert "error number 20" in text
    assert "error number 21" not in text
    assert text.endswith("\n\n23 errors, of which 3 are not shown")
    many = render(ConfigErrors([ConfigError("one of many")] * 57))
    assert many.endswith("\n\nat least 57 errors, of which 37 are not shown")


def test_caret_stands_under_wide_characters() -> None:
    Path("x.yaml").write_text("名前: é́x\n", encoding="utf-8")
    text = render(ConfigError("bad", span=Span("x.yaml", 1, 7, 1, 8)))
    # 名前 take two columns each, the combining accent none.
    assert text.splitlines()[3:5] == ["1 | 名前: é́x", "  |        ^"]


def test_long_line_is_cut_around_the_caret() -> None:
    Path("x.yaml").write_text("a" * 500 + "HERE" + "b" * 500, encoding="utf-8")
    text = render(ConfigError("bad", span=Span("x.yaml", 1, 501, 1, 505)))
    line, carets = text.splitlines()[3:5]
    assert len(line) < 120
    start = carets.index("^")
    assert line[start : start + 4] == "HERE"
    assert carets.endswith("^^^^")


def test_span_over_several_lines_is_underlined_to_the_end_of_the_first() -> None:
    Path("x.yaml").write_text("a:\n  b: 1\n  c: 2\n", encoding="utf-8")
    text = render(ConfigError("bad", span=Span("x.yaml", 2, 3, 3, 7)))
    assert text.splitlines()[3:5] == ["2 |   b: 1", "  |   ^^^^"]


@pytest.mark.parametrize(
    "span",
    [
        Span("gone.yaml", 1, 1, 1, 2),
        Span("<cli:1>", 1, 1, 1, 2),
        Span("x.yaml", 99, 1, 99, 2),
        Span("a\0b", 1, 1, 1, 2),
        Span(".", 1, 1, 1, 2),
    ],
)
def test_excerpt_is_left_out_where_there_is_none(span: Span) -> None:
    Path("x.yaml").write_text("a: 1\n", encoding="utf-8")
    lines = render(ConfigError("bad", span=span)).splitlines()
    assert len(lines) == 2


def test_control_characters_do_not_reach_the_terminal() -> None:
    text = rendered({"main.yaml": 'schema_version: 1\n"\\e[31mred": 1\n'})
    assert "\x1b" not in text
    assert "\\x1b[31mred" in text
