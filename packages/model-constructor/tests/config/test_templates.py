"""Templates: `_template_: name` under a node."""

from __future__ import annotations

from typing import Any

import pytest

from model_constructor.errors import ConfigError

TEMPLATES = """
templates:
  conv: {kernel: 3, act: {name: relu}, sizes: [1, 2]}
  wide: {_template_: conv, width: 64}
  deep: {inner: {_template_: wide}, list: [{_template_: conv}]}
  loose: {sizes: {_merge_: append, _value_: [1]}}
"""
CONV = {"kernel": 3, "act": {"name": "relu"}, "sizes": [1, 2]}
WIDE = {**CONV, "width": 64}

USES: list[tuple[str, Any]] = [
    ("{_template_: conv}", CONV),
    ("{_template_: conv, kernel: 5}", {**CONV, "kernel": 5}),
    ("{kernel: 5, _template_: conv}", {**CONV, "kernel": 5}),
    ("{_template_: conv, new: 1}", {**CONV, "new": 1}),
    ("{_template_: conv, act: {slope: 1}}", {**CONV, "act": {"name": "relu", "slope": 1}}),
    ("{_template_: conv, sizes: [9]}", {**CONV, "sizes": [9]}),
    ("{_template_: conv, act: null}", {**CONV, "act": None}),
    ("{_template_: wide}", WIDE),
    ("{_template_: deep}", {"inner": WIDE, "list": [CONV]}),
    ("{_template_: deep, inner: {width: 1}}", {"inner": {**WIDE, "width": 1}, "list": [CONV]}),
    ("[{_template_: conv}, {_template_: wide}]", [CONV, WIDE]),
    ("{a: {b: {_template_: conv}}}", {"a": {"b": CONV}}),
    ("{_template_: loose}", {"sizes": [1]}),
    # merge modes reach the template's value
    ("{_template_: conv, sizes: {_merge_: append, _value_: [3]}}", {**CONV, "sizes": [1, 2, 3]}),
    ("{_template_: conv, sizes: {_merge_: prepend, _value_: [0]}}", {**CONV, "sizes": [0, 1, 2]}),
    ("{_template_: conv, act: {_merge_: replace, _value_: {a: 1}}}", {**CONV, "act": {"a": 1}}),
    ("{_template_: conv, act: {name: {_merge_: delete}}}", {**CONV, "act": {}}),
    (
        "{_template_: conv, act: {_merge_: delete}}",
        {"kernel": 3, "sizes": [1, 2]},
    ),
    ("{_template_: conv, new: {_merge_: append, _value_: [3]}}", {**CONV, "new": [3]}),
]


@pytest.mark.parametrize(("text", "result"), USES)
def test_template_is_merged_under_the_node(resolve: Any, text: str, result: Any) -> None:
    data = resolve(f"{TEMPLATES}\nparams:\n  x: {text}\n").data
    assert data["params"]["x"] == result
    assert "templates" not in data


DEFERRED: list[tuple[str, str, Any]] = [
    ("{_merge_: append, _value_: [3]}", "{_merge_: append, _value_: [4]}", [1, 2, 3, 4]),
    ("{_merge_: append, _value_: [3]}", "[4]", [4]),
    ("{_merge_: append, _value_: [3]}", "null", None),
    ("{_merge_: append, _value_: [3]}", "{_merge_: replace, _value_: [5]}", [5]),
    ("{_merge_: append, _value_: [3]}", "{_merge_: delete}", "absent"),
    ("{_merge_: replace, _value_: [3]}", "{_merge_: append, _value_: [4]}", [3, 4]),
    ("{_merge_: delete}", "{_merge_: append, _value_: [4]}", [4]),
    ("{_merge_: delete}", "[4]", [4]),
    ("{_merge_: delete}", "{a: 1}", {"a": 1}),
    ("{_merge_: replace, _value_: {a: 1}}", "{b: 1}", {"a": 1, "b": 1}),
]


@pytest.mark.parametrize(("base", "main", "result"), DEFERRED)
def test_several_layers_over_a_template(resolve: Any, base: str, main: str, result: Any) -> None:
    files = {"base.yaml": f"params: {{x: {{_template_: conv, sizes: {base}}}}}"}
    text = f"defaults: [base.yaml]\n{TEMPLATES}\nparams: {{x: {{sizes: {main}}}}}\n"
    assert resolve(text, files=files).data["params"]["x"].get("sizes", "absent") == result


@pytest.mark.parametrize("main", ["{_merge_: prepend, _value_: [4]}", "{a: 1}"])
def test_layers_that_cannot_be_combined_are_an_error(resolve: Any, main: str) -> None:
    files = {"base.yaml": "params: {x: {_template_: conv, sizes: {_merge_: append, _value_: [3]}}}"}
    with pytest.raises(ConfigError) as caught:
        resolve(
            f"defaults: [base.yaml]\n{TEMPLATES}\nparams: {{x: {{sizes: {main}}}}}", files=files
        )
    assert caught.value.code == "OT0214"


def test_overrides_reach_templates_and_their_users(resolve: Any) -> None:
    config = resolve(
        TEMPLATES + "params:\n  x: {_template_: conv}\n",
        "templates.conv.kernel=7",
        "++params.x.act.name=gelu",
        "++params.x.sizes=[0]",
    )
    assert config.data["params"]["x"] == {"kernel": 7, "act": {"name": "gelu"}, "sizes": [0]}


def test_append_override_adds_to_the_list_of_a_template(resolve: Any) -> None:
    text = TEMPLATES + "model: {_template_: conv}\n"
    assert resolve(text, "model.sizes+=3", "model.sizes+=[4]").data["model"]["sizes"] == [
        1,
        2,
        3,
        4,
    ]


def test_neighbour_reference_means_the_place_of_use(resolve: Any) -> None:
    text = "templates: {t: {n: 1, m: '${.n}'}}\nparams: {x: {_template_: t, n: 5}}\n"
    assert resolve(text).data["params"]["x"] == {"n": 5, "m": 5}


ERRORS: list[tuple[str, str, str]] = [
    ("params: {x: {_template_: cnov}}", "OT0230", "unknown template `cnov`"),
    ("params: {x: {_template_: [conv]}}", "OT0232", "needs a template's name"),
    ("params: {x: {_template_: null}}", "OT0232", "needs a template's name"),
    ("params: {x: {_template_: conv, act: 1}}", "OT0210", "cannot be merged over a mapping"),
    ("params: {x: {_template_: conv, kernel: {a: 1}}}", "OT0210", "over an integer"),
]


@pytest.mark.parametrize(("text", "code", "message"), ERRORS)
def test_bad_use(resolve: Any, text: str, code: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        resolve(TEMPLATES + text)
    assert caught.value.code == code
    assert caught.value.location is not None


def test_unknown_template_suggests(resolve: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(TEMPLATES + "params: {x: {_template_: cnov}}")
    assert caught.value.suggestions == ("conv",)
    assert caught.value.location == "main.yaml:8:26"


@pytest.mark.parametrize("section", ["[1]", "text", "3"])
def test_templates_must_be_a_mapping(resolve: Any, section: str) -> None:
    with pytest.raises(ConfigError, match="`templates` must be a mapping"):
        resolve(f"templates: {section}\n")


def test_template_must_be_a_mapping(resolve: Any) -> None:
    with pytest.raises(ConfigError, match="template `t` must be a mapping, got a list"):
        resolve("templates: {t: [1]}\nparams: {x: {_template_: t}}\n")


def test_cycle_names_every_hop_with_its_place(resolve: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(
            "templates:\n  a: {_template_: b}\n  b: {x: {_template_: c}}\n  c: {_template_: a}\n"
        )
    error = caught.value
    assert len(error.errors) == 1
    assert error.code == "OT0231"
    assert "a → b → c → a" in error.message
    assert [str(note.span) for note in error.notes] == [
        "main.yaml:3:19",
        "main.yaml:4:23",
        "main.yaml:5:19",
    ]


def test_template_bomb_is_an_error(resolve: Any) -> None:
    lines = ["templates:", "  t0: {a: 1}"]
    for i in range(1, 40):
        uses = ", ".join(f"k{k}: {{_template_: t{i - 1}}}" for k in range(10))
        lines.append(f"  t{i}: {{{uses}}}")
    with pytest.raises(ConfigError) as caught:
        resolve("\n".join(lines) + "\n")
    assert caught.value.code in ("OT0114", "OT0115")


def test_long_chain_of_templates_is_an_error_and_not_a_crash(resolve: Any) -> None:
    lines = ["templates:", "  t0: {a: 1}"]
    lines += [f"  t{i}: {{_template_: t{i + 1}}}" for i in range(1, 5000)]
    with pytest.raises(ConfigError) as caught:
        resolve("\n".join(lines) + "\n")
    assert caught.value.code == "OT0114"
