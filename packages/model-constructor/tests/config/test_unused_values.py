"""Params and templates that nothing reads are warnings at their place."""

from __future__ import annotations

from typing import Any

import pytest

from model_constructor.config.resolve import resolve_with_findings
from model_constructor.findings import Findings

CASES: dict[str, tuple[str, list[str]]] = {
    "read": ("params: {a: 1}\nrun: {x: '${params.a}'}", []),
    "read inside a text": ("params: {a: 1}\nrun: {x: 'v${params.a}'}", []),
    "read as a mapping": ("params: {a: {b: 1}}\nrun: {x: '${params.a}'}", []),
    "read by a relative path": ("params: {a: 1, b: '${.a}'}\nrun: {x: '${params.b}'}", []),
    "read through another": (
        "params: {a: {b: 1}, c: '${params.a}'}\nrun: {x: '${params.c.b}'}", []),
    "read in a default": ("params: {a: 1}\nrun: {x: '${env:NOT_SET,${params.a}}'}", []),
    "read in a list": ("params: {a: [1, 2]}\nrun: {x: '${params.a.0}'}", []),
    "read in a template": (
        "params: {a: 1}\ntemplates: {t: {x: '${params.a}'}}\nrun: {_template_: t}", []),
    "read in a fallback that is not needed": (
        "params: {a: 1, b: 2}\nrun: {x: '${params.b,${params.a}}'}", []),
    "read in a neighbour's fallback": (
        "params: {a: 1, b: 2, c: '${.b,${.a}}'}\nrun: {x: '${params.c}'}", []),
    "not read, its key has a dot": (
        "params: {a: {q.r: 1, s: 1}}\nrun: {x: '${params.a.s}'}", ["params.a.q.r"]),
    "not read": ("params: {a: 1, b: 2}\nrun: {x: '${params.a}'}", ["params.b"]),
    "not read inside": ("params: {a: {b: 1, c: 2}}\nrun: {x: '${params.a.b}'}", ["params.a.c"]),
    "a mapping not read": ("params: {a: {b: 1, c: 2}}", ["params.a"]),
    "read only by what is not read": ("params: {a: 1, b: '${params.a}'}", ["params.b"]),
    "template used": ("templates: {t: {a: 1}}\nrun: {_template_: t}", []),
    "template used in a list": ("templates: {t: {a: 1}}\nrun: {x: [{_template_: t}]}", []),
    "template used by a template": (
        "templates: {t: {a: 1}, u: {_template_: t}}\nrun: {_template_: u}", []),
    "template not used": ("templates: {t: {a: 1}, u: {a: 1}}\nrun: {_template_: u}", ["t"]),
    "empty": ("params: {}\ntemplates: {}", []),
    "taken away": ("params: {a: null}", []),
    "null": ("params: null\ntemplates: null", []),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_nothing_reads_is_a_warning(name: str, resolve: Any) -> None:
    text, unused = CASES[name]
    assert [note.text.split("`")[1] for note in resolve(text, environ={}).warnings] == unused


def test_the_warning_has_the_keys_place_and_a_way_out(resolve: Any) -> None:
    (note,) = resolve("params:\n  width: 3\n").warnings
    assert note.text == (
        "`params.width` is never used: no `${params.width}` reads it; use it or remove it"
    )
    assert note.span is not None
    assert str(note.span).endswith("main.yaml:3:3")


def test_what_a_shared_file_offers_may_be_for_others(resolve: Any) -> None:
    shared = {"base.yaml": "params: {a: 1, b: 2}\ntemplates: {t: {x: 1}}\n"}
    assert resolve("defaults: [base.yaml]\n", files=shared).warnings == ()
    (note,) = resolve("defaults: [base.yaml]\nparams: {b: 3}\n", files=shared).warnings
    assert "params.b" in note.text


def test_an_override_of_a_param_that_nothing_reads_is_pointed_at(resolve: Any) -> None:
    shared = {"base.yaml": "params: {a: 1}\n"}
    (note,) = resolve("defaults: [base.yaml]\n", "params.a=2", files=shared).warnings
    assert str(note.span).startswith("<cli:1>")


def test_an_override_does_not_make_what_it_replaces_look_unused(resolve: Any) -> None:
    text = "params: {a: 1, b: 1, c: 1}\nrun: {x: '${params.a}', l: ['${params.b}', {y: '${.z}'}]}"
    assert resolve(text, "run.x=2", "run.l=[1]", "params.c=null").warnings == ()


def test_a_key_that_no_path_names_is_read_with_the_mapping_around_it(resolve: Any) -> None:
    (note,) = resolve("params: {a: {q.r: 1, s: 1}}\nrun: {x: '${params.a.s}'}").warnings
    assert "no `${params.a}` reads it" in note.text


def test_a_reference_that_failed_is_not_followed_by_a_warning(resolve: Any) -> None:
    findings = Findings()
    config = {"schema_version": 1, "params": {"width": 1}, "run": {"x": "${params.widht}"}}
    assert resolve_with_findings(findings, config).warnings == ()
    assert len(findings.errors) == 1
