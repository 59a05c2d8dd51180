"""Merging layers: a base file under the main file, field by field."""

from __future__ import annotations

from typing import Any

import pytest

from model_constructor.errors import ConfigError

ABSENT = object()

# (base's `x`, main file's `x`, result); None as text means that the file has no `x`.
MERGES: list[tuple[str | None, str | None, Any]] = [
    # plain
    ("1", "2", 2),
    ("1", None, 1),
    (None, "2", 2),
    ("1", "null", None),
    ("1", "~", None),
    ("null", "1", 1),
    ("a", "1.5", 1.5),
    ("[1, 2]", "[3]", [3]),
    ("[1, 2]", "[]", []),
    ("[1]", "3", 3),
    ("3", "[1]", [1]),
    ("[1]", "null", None),
    ("null", "[1]", [1]),
    ("{a: 1}", "{b: 2}", {"a": 1, "b": 2}),
    ("{a: 1}", "{a: 2}", {"a": 2}),
    ("{a: {b: 1, c: 2}}", "{a: {c: 3}}", {"a": {"b": 1, "c": 3}}),
    ("{a: [1, 2]}", "{a: [3]}", {"a": [3]}),
    ("{a: [{b: 1}]}", "{a: [{c: 1}]}", {"a": [{"c": 1}]}),
    ("{a: 1}", "{}", {"a": 1}),
    ("{}", "{a: 1}", {"a": 1}),
    ("{a: 1}", "null", None),
    ("null", "{a: 1}", {"a": 1}),
    ("{a: {b: 1}}", "{a: null}", {"a": None}),
    ("{a: 1}", "'${params.y}'", 7),
    ("[1]", "'${params.y}'", 7),
    ("'${params.y}'", "1", 1),
    ("{key: 1}", "{key: 2}", {"key": 2}),
    ("{a: 1, b: 2}", "{b: null, a: 3}", {"a": 3, "b": None}),
    ("{a: {}}", "{a: {b: {c: 1}}}", {"a": {"b": {"c": 1}}}),
    ("[[1], [2]]", "[[3]]", [[3]]),
    # replace
    ("{a: 1}", "{_merge_: replace, _value_: {b: 2}}", {"b": 2}),
    ("{a: 1}", "{_merge_: replace, _value_: 3}", 3),
    ("{a: 1}", "{_merge_: replace, _value_: [1]}", [1]),
    ("1", "{_merge_: replace, _value_: {a: 1}}", {"a": 1}),
    (None, "{_merge_: replace, _value_: {a: 1}}", {"a": 1}),
    ("{a: {b: 1}}", "{a: {_merge_: replace, _value_: {c: 1}}}", {"a": {"c": 1}}),
    (
        "{a: 1}",
        "{_merge_: replace, _value_: {b: {_merge_: append, _value_: [1]}}}",
        {"b": [1]},
    ),
    ("{_merge_: replace, _value_: {a: 1}}", "{b: 1}", {"a": 1, "b": 1}),
    ("{a: 1}", "{_merge_: replace, _value_: null}", None),
    ("[1, 2]", "{_merge_: replace, _value_: {a: 1}}", {"a": 1}),
    ("{a: 1}", "{_merge_: replace, _value_: '${params.y}'}", 7),
    ("{a: 1}", "{_merge_: replace, _value_: {_merge_: replace, _value_: {b: 1}}}", {"b": 1}),
    # append and prepend
    ("[1]", "{_merge_: append, _value_: [2, 3]}", [1, 2, 3]),
    ("[1]", "{_merge_: prepend, _value_: [2, 3]}", [2, 3, 1]),
    ("[1]", "{_merge_: append, _value_: []}", [1]),
    (None, "{_merge_: append, _value_: [1]}", [1]),
    (None, "{_merge_: prepend, _value_: [1]}", [1]),
    ("null", "{_merge_: append, _value_: [1]}", [1]),
    ("{_merge_: append, _value_: [1]}", "{_merge_: append, _value_: [2]}", [1, 2]),
    ("{a: [1]}", "{a: {_merge_: append, _value_: [2]}, b: 3}", {"a": [1, 2], "b": 3}),
    ("[{a: 1}]", "{_merge_: append, _value_: [{b: 1}]}", [{"a": 1}, {"b": 1}]),
    ("[1]", "{_merge_: append, _value_: [1]}", [1, 1]),
    ("[1]", "{_merge_: append, _value_: [[2]]}", [1, [2]]),
    ("[1]", "{_merge_: prepend, _value_: [{_merge_: delete}, 0]}", [0, 1]),
    ("[1]", "{_merge_: append, _value_: ['${params.y}']}", [1, 7]),
    # keyed
    (
        "[{n: a, v: 1}, {n: b, v: 2}]",
        "{_merge_: keyed, key: n, _value_: [{n: b, w: 3}]}",
        [{"n": "a", "v": 1}, {"n": "b", "v": 2, "w": 3}],
    ),
    (
        "[{n: a}]",
        "{_merge_: keyed, key: n, _value_: [{n: b}, {n: a, v: 1}]}",
        [{"n": "a", "v": 1}, {"n": "b"}],
    ),
    (None, "{_merge_: keyed, key: n, _value_: [{n: a}]}", [{"n": "a"}]),
    ("null", "{_merge_: keyed, key: n, _value_: [{n: a}]}", [{"n": "a"}]),
    ("[{n: a}]", "{_merge_: keyed, key: n, _value_: []}", [{"n": "a"}]),
    (
        "[{n: a, v: 1}]",
        "{_merge_: keyed, key: n, _value_: [{n: a, v: null}]}",
        [{"n": "a", "v": None}],
    ),
    (
        "[{n: a, v: {x: 1, y: 1}, l: [1]}]",
        "{_merge_: keyed, key: n, _value_: [{n: a, v: {y: 2}, l: [2]}]}",
        [{"n": "a", "v": {"x": 1, "y": 2}, "l": [2]}],
    ),
    (
        "[{n: a, l: [1]}]",
        "{_merge_: keyed, key: n, _value_: [{n: a, l: {_merge_: append, _value_: [2]}}]}",
        [{"n": "a", "l": [1, 2]}],
    ),
    (
        "[{n: a, in: [{k: 1, v: 1}]}]",
        "{_merge_: keyed, key: n, _value_: "
        "[{n: a, in: {_merge_: keyed, key: k, _value_: [{k: 1, w: 2}]}}]}",
        [{"n": "a", "in": [{"k": 1, "v": 1, "w": 2}]}],
    ),
    ("[1, {m: 2}]", "{_merge_: keyed, key: n, _value_: [{n: a}]}", [1, {"m": 2}, {"n": "a"}]),
    (
        "[{n: a, v: 1}]",
        "{_merge_: keyed, key: n, _value_: [{_merge_: replace, _value_: {n: a, w: 2}}]}",
        [{"n": "a", "w": 2}],
    ),
    (
        "[{n: a}, {n: b}]",
        "{_merge_: keyed, key: n, _value_: [{_merge_: delete, _value_: {n: a}}]}",
        [{"n": "b"}],
    ),
    ("[{n: 1}]", "{_merge_: keyed, key: n, _value_: [{n: '1'}]}", [{"n": 1}, {"n": "1"}]),
    # delete
    ("1", "{_merge_: delete}", ABSENT),
    (None, "{_merge_: delete}", ABSENT),
    ("{a: 1, b: 2}", "{a: {_merge_: delete}}", {"b": 2}),
    ("{a: 1}", "{c: {_merge_: delete}}", {"a": 1}),
    ("{a: 1}", "{_merge_: delete, _value_: 3}", ABSENT),
    ("{_merge_: delete}", "1", 1),
    ("{a: {b: 1}}", "{a: {b: {_merge_: delete}}}", {"a": {}}),
    # containers where nothing is merged
    (None, "[{_merge_: delete}, 1]", [1]),
    (None, "[{_merge_: append, _value_: [1]}]", [[1]]),
    (None, "{a: [{b: {_merge_: replace, _value_: 1}}]}", {"a": [{"b": 1}]}),
]


def in_files(base: str | None, main: str | None) -> tuple[str, dict[str, str]]:
    lines = "" if main is None else f"  x: {main}\n"
    below = "" if base is None else f"  x: {base}\n"
    return f"defaults: [base.yaml]\nparams:\n  y: 7\n{lines}", {
        "base.yaml": f"params:\n  z: 0\n{below}"
    }


@pytest.mark.parametrize(("base", "main", "result"), MERGES)
def test_main_file_over_base_file(
    resolve: Any, base: str | None, main: str | None, result: Any
) -> None:
    text, files = in_files(base, main)
    params = resolve(text, files=files).data["params"]
    assert params.get("x", ABSENT) == result
    assert "_merge_" not in repr(params)


# The same containers on the command line do the same.
ON_THE_COMMAND_LINE = [
    row for row in MERGES if row[0] is not None and row[1] is not None and "_merge_" not in row[0]
]


@pytest.mark.parametrize(("base", "main", "result"), ON_THE_COMMAND_LINE)
def test_override_over_file(resolve: Any, base: str, main: str, result: Any) -> None:
    params = resolve(f"params:\n  y: 7\n  x: {base}\n", f"params.x={main}").data["params"]
    assert params.get("x", ABSENT) == result


# (base's `x`, main file's `x`, code, text in the message, place in main.yaml)
CLASHES: list[tuple[str, str, str, str, str]] = [
    ("1", "{a: 1}", "OT0210", "a mapping cannot be merged over an integer", "5:6"),
    ("[1]", "{a: 1}", "OT0210", "a mapping cannot be merged over a list", "5:6"),
    ("{a: 1}", "[1]", "OT0210", "a list cannot be merged over a mapping", "5:6"),
    ("{a: 1}", "text", "OT0210", "a string cannot be merged over a mapping", "5:6"),
    ("{a: {b: 1}}", "{a: [1]}", "OT0210", "over a mapping", "5:10"),
    ("'${params.y}'", "{a: 1}", "OT0210", "over a string", "5:6"),
    ("{a: 1}", "{_merge_: append, _value_: [1]}", "OT0212", "needs a list below it", "5:6"),
    ("1", "{_merge_: prepend, _value_: [1]}", "OT0212", "needs a list below it", "5:6"),
    ("1", "{_merge_: keyed, key: n, _value_: [{n: 1}]}", "OT0212", "needs a list", "5:6"),
    ("1", "{_merge_: apend, _value_: [1]}", "OT0211", "unknown merge mode", "5:16"),
    ("1", "{_merge_: [], _value_: [1]}", "OT0211", "unknown merge mode", "5:16"),
    ("1", "{_merge_: append, _value_: 1}", "OT0211", "needs a list as `_value_`", "5:33"),
    ("1", "{_merge_: replace}", "OT0211", "needs a `_value_`", "5:6"),
    ("1", "{_merge_: replace, value: 1}", "OT0211", "unknown key `value`", "5:25"),
    ("1", "{_merge_: replace, _value_: 1, key: a}", "OT0211", "takes no `key`", "5:42"),
    ("[]", "{_merge_: keyed, _value_: [{n: 1}]}", "OT0211", "needs the `key`", "5:6"),
    ("[]", "{_merge_: keyed, key: [n], _value_: []}", "OT0211", "`key` must be", "5:28"),
    ("[]", "{_merge_: keyed, key: n, _value_: [{m: 1}]}", "OT0213", "without the field", "5:41"),
    ("[]", "{_merge_: keyed, key: n, _value_: [1]}", "OT0213", "without the field", "5:41"),
    ("[]", "{_merge_: keyed, key: n, _value_: [{n: 1}, {n: 1}]}", "OT0213", "two items", "5:49"),
    ("1", "{_value_: 1}", "OT0211", "`_value_` without `_merge_`", "5:7"),
]


@pytest.mark.parametrize(("base", "main", "code", "message", "place"), CLASHES)
def test_error_shows_where(
    resolve: Any, base: str, main: str, code: str, message: str, place: str
) -> None:
    text, files = in_files(base, main)
    with pytest.raises(ConfigError) as caught:
        resolve(text, files=files)
    error = caught.value
    assert (error.code, error.location) == (code, f"main.yaml:{place}")
    assert message in error.message
    assert error.config_path[:2] == ("params", "x")
    if code in ("OT0210", "OT0212"):
        assert error.notes[0].span is not None
        assert error.notes[0].span.file == "base.yaml"


def test_duplicate_items_in_the_lower_list_are_an_error(resolve: Any) -> None:
    text, files = in_files("[{n: 1}, {n: 1}]", "{_merge_: keyed, key: n, _value_: [{n: 1}]}")
    with pytest.raises(ConfigError, match="two items with the same `n`"):
        resolve(text, files=files)


def test_key_order_is_the_base_then_new_keys_in_file_order(resolve: Any) -> None:
    text, files = in_files("{c: 1, a: 1, b: {z: 1, y: 1}}", "{d: 2, b: {x: 2, z: 2}, aa: 2, c: 2}")
    x = resolve(text, files=files).data["params"]["x"]
    assert list(x) == ["c", "a", "b", "d", "aa"]
    assert list(x["b"]) == ["z", "y", "x"]


def test_bare_key_over_a_mapping_warns(resolve: Any) -> None:
    config = resolve(
        "defaults: [base.yaml]\nparams:\n  x:\n", files={"base.yaml": "params: {x: {a: 1}}"}
    )
    assert config.data["params"]["x"] is None
    assert [str(warning.span) for warning in config.warnings] == ["main.yaml:4:3"]


@pytest.mark.parametrize("value", ["null", "~"])
def test_explicit_null_over_a_mapping_does_not_warn(resolve: Any, value: str) -> None:
    files = {"base.yaml": "params: {x: {a: 1}}"}
    config = resolve(f"defaults: [base.yaml]\nparams: {{x: {value}}}\n", files=files)
    assert config.data["params"]["x"] is None
    assert config.warnings == ()


def test_all_clashes_are_reported_together(resolve: Any) -> None:
    files = {"base.yaml": "params: {a: 1, b: {c: 1}, d: [1]}"}
    with pytest.raises(ConfigError) as caught:
        resolve("defaults: [base.yaml]\nparams: {a: {x: 1}, b: [1], d: {e: 1}}", files=files)
    paths = [error.config_path for error in caught.value.errors]
    assert paths == [("params", "a"), ("params", "b"), ("params", "d")]


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("{_merge_: append, _value_: [1], a: 1, b: 2}", 2),
        ("{_merge_: keyed, key: n, _value_: [{m: 1}, {n: 1}, {m: 2}, {n: 1}]}", 3),
    ],
)
def test_all_that_is_wrong_in_a_container_is_reported(resolve: Any, value: str, count: int) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(f"params: {{x: {value}}}\n")
    assert len(caught.value.errors) == count


def test_a_list_cannot_be_appended_to_a_reference_which_comes_later(resolve: Any) -> None:
    base = {"base.yaml": "params: {l: [1], x: '${.l}'}"}
    text = "defaults: [base.yaml]\nparams: {x: {_merge_: append, _value_: [2]}}"
    with pytest.raises(ConfigError, match="needs a list below it, got a reference") as caught:
        resolve(text, files=base)
    assert "references are followed after the merge" in caught.value.help


def test_the_value_of_a_deletion_is_ignored_with_a_warning(resolve: Any) -> None:
    (note,) = resolve("run: {x: {_merge_: delete, _value_: 3}}").warnings
    assert note.text == "`_value_` is ignored: `_merge_: delete` deletes `run.x`"
    keyed = "{_merge_: keyed, key: n, _value_: [{_merge_: delete, _value_: {n: 1}}]}"
    files = {"base.yaml": "run: {x: [{n: 1}, {n: 2}]}"}
    found = resolve(f"defaults: [base.yaml]\nrun: {{x: {keyed}}}", files=files)
    assert (found.data["run"], found.warnings) == ({"x": [{"n": 2}]}, ())


def test_an_override_without_a_value_warns_at_the_argument(resolve: Any) -> None:
    (note,) = resolve("run: {x: {a: 1}}", "run.x=").warnings
    assert "nothing is written after `run.x`" in note.text
    assert str(note.span) == "<cli:1>:1:7"


def test_container_in_place_of_a_whole_file_is_an_error(resolve: Any) -> None:
    with pytest.raises(ConfigError, match="not for a whole file"):
        resolve("_merge_: replace\n_value_: {params: {}}\n")


# `<<` is YAML's own merge: explicit keys win, shallow.
YAML_MERGES = [
    ("{<<: *base, b: 3}", {"a": 1, "b": 3, "c": {"d": 1}}),
    ("{b: 3, <<: *base}", {"a": 1, "b": 3, "c": {"d": 1}}),
    ("{<<: *base, c: {e: 1}}", {"a": 1, "b": 2, "c": {"e": 1}}),
    ("{<<: [*other, *base]}", {"a": 9, "b": 2, "c": {"d": 1}}),
    ("{<<: {x: 1}, y: 2}", {"x": 1, "y": 2}),
    ("{'<<': 1}", {"<<": 1}),
]


@pytest.mark.parametrize(("text", "result"), YAML_MERGES)
def test_yaml_merge_key(resolve: Any, text: str, result: Any) -> None:
    lines = "params:\n  base: &base {a: 1, b: 2, c: {d: 1}}\n  other: &other {a: 9}\n"
    assert resolve(f"{lines}  x: {text}\n").data["params"]["x"] == result


@pytest.mark.parametrize("value", ["1", "[1]", "null", "[{a: 1}, 2]"])
def test_yaml_merge_key_needs_mappings(resolve: Any, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(f"params: {{<<: {value}}}")
    assert caught.value.code == "OT0111"
