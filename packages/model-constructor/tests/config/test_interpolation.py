"""References: ``${…}`` in values."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_constructor.config import expressions
from model_constructor.config.resolve import resolve_config
from model_constructor.errors import ConfigError

PARAMS = """
params:
  i: 3
  f: 1e-3
  v: 3.10
  t: true
  T: True
  n: null
  tilde: ~
  s: text
  q: 'quoted'
  num: '12'
  l: [10, 20, {deep: 30}]
  m: {a: 1, b: {c: 2}}
  inf: .inf
  chain: ${params.i}
  path: ${params.m}
"""
ENVIRON = {"X": "7", "LR": "1e-3", "WORD": "hello", "EMPTY": "", "FLAG": "true", "J": '{"a": [1]}'}

VALUES: list[tuple[str, Any]] = [
    # a whole scalar keeps the type
    ("${params.i}", 3),
    ("'${params.i}'", 3),
    ('"${params.i}"', 3),
    ("${params.f}", 1e-3),
    ("${params.t}", True),
    ("${params.n}", None),
    ("${params.s}", "text"),
    ("${params.num}", "12"),
    ("${params.inf}", math.inf),
    ("${params.m}", {"a": 1, "b": {"c": 2}}),
    ("${params.l}", [10, 20, {"deep": 30}]),
    ("${params.m.b.c}", 2),
    ("${params.l.0}", 10),
    ("${params.l[1]}", 20),
    ("${params.l.-1.deep}", 30),
    ("${params.l[-1].deep}", 30),
    ("${params.chain}", 3),
    ("${params.path.b.c}", 2),
    ("${ params.i }", 3),
    ("[1, '${params.i}']", [1, 3]),
    ("{a: '${params.i}'}", {"a": 3}),
    # neighbours
    ("{a: 5, b: '${.a}'}", {"a": 5, "b": 5}),
    ("{a: {c: 1}, b: '${.a.c}'}", {"a": {"c": 1}, "b": 1}),
    ("{a: 5, b: {c: '${..a}'}}", {"a": 5, "b": {"c": 5}}),
    ("['x', '${.0}']", ["x", "x"]),
    # inside a text
    ("lr${params.f}", "lr1e-3"),
    ("v${params.v}", "v3.10"),
    ("a ${params.i} b ${params.s}", "a 3 b text"),
    ("is ${params.t}", "is true"),
    ("is ${params.T}", "is true"),
    ("is ${params.n}", "is null"),
    ("is ${params.tilde}", "is null"),
    ("is ${params.inf}", "is .inf"),
    ("'${params.i}${params.i}'", "33"),
    ("1e-${params.i}", 1e-3),
    ("'1e-${params.i}'", "1e-3"),
    ("${params.s}/${params.chain}", "text/3"),
    # defaults
    ("${nothing,5}", 5),
    ("${nothing, 5 }", 5),
    ("${nothing,1e-3}", 1e-3),
    ("${nothing,}", None),
    ("${nothing,null}", None),
    ("${nothing,'5'}", "5"),
    ("${nothing,'a, b'}", "a, b"),
    ("${nothing,a, b}", "a, b"),
    ("${params.i,9}", 3),
    ("${params.n,9}", None),
    ("${nothing,${params.i}}", 3),
    ("${nothing,${nothing2,${params.s}}}", "text"),
    ("${nothing,lr${params.f}}", "lr1e-3"),
    ("${nothing,'${params.i}'}", "3"),
    ('"${nothing,[1, 2]}"', [1, 2]),
    ("'${nothing,{a: 1}}'", {"a": 1}),
    ("${params.i.x,7}", 7),
    ("${params.l.9,7}", 7),
    ("x${nothing,5}", "x5"),
    # environment
    ("${env:X}", 7),
    ("${env:LR}", 1e-3),
    ("${env:WORD}", "hello"),
    ("${env:EMPTY}", None),
    ("${env:FLAG}", True),
    ("${env:int:X}", 7),
    ("${env:float:X}", 7.0),
    ("${env:bool:FLAG}", True),
    ("${env:json:J}", {"a": [1]}),
    ("lr${env:LR}", "lr1e-3"),
    ("${env:NONE,4}", 4),
    ("${env:int:NONE,4}", 4),
    ("${env:NONE,${params.s}}", "text"),
    ("${env:NONE,${env:X}}", 7),
    ("${env:json:J}", {"a": [1]}),
    # a default may hold several, in their own defaults too
    ("${nothing,${params.i}${params.i}}", 33),
    ("${nothing," + "-".join(["${params.i}"] * 12) + "}", "-".join("3" * 12)),
    ("${a," * 9 + "x" + "}" * 9, "x"),
    # escapes and what is no reference
    ("$${params.i}", "${params.i}"),
    ("'$${'", "${"),
    ("a$${b}${params.i}", "a${b}3"),
    ("$x", "$x"),
    ("$$x", "$$x"),
    ("a$", "a$"),
    ("'{}'", "{}"),
    ("'$ {x}'", "$ {x}"),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_value(resolve: Any, text: str, value: Any) -> None:
    found = resolve(f"{PARAMS}  x: {text}\n", environ=ENVIRON).data["params"]["x"]
    assert type(found) is type(value)
    assert found == value


ERRORS: list[tuple[str, str, str, str]] = [
    ("${", "OT0240", "without a closing", "6"),
    ("${params.i", "OT0240", "without a closing", "6"),
    ("a ${params.i} ${b", "OT0240", "without a closing", "20"),
    ("${}", "OT0240", "names nothing", "6"),
    ("${ }", "OT0240", "names nothing", "6"),
    ("${,5}", "OT0240", "names nothing", "6"),
    ("${a..b}", "OT0240", "is not a path", "6"),
    ("${a.}", "OT0240", "is not a path", "6"),
    ("${.}", "OT0240", "is not a path", "6"),
    ("${a[x]}", "OT0240", "is not a path", "6"),
    ("${a[0]b}", "OT0240", "is not a path", "6"),
    ("${a${b}}", "OT0240", "is not a path", "6"),
    ("${foo:bar}", "OT0240", "unknown kind of reference", "6"),
    ("${env:}", "OT0240", "is not an environment variable's name", "6"),
    ("${env:A B}", "OT0240", "is not an environment variable's name", "6"),
    ("${env:itn:X}", "OT0240", "unknown type `itn`", "6"),
    ("${nothing,[1}", "OT0240", "default", "6"),
    ("'${nothing,[${params.i}]}'", "OT0240", "cannot hold", "17"),
    ("${nothing}", "OT0241", "the configuration has no `nothing`", "6"),
    ("a ${nothing} b", "OT0241", "the configuration has no `nothing`", "8"),
    ("${params.j}", "OT0241", "`params` has no `j`", "6"),
    ("${params.i.x}", "OT0241", "`params.i` is an integer and has no `x`", "6"),
    ("${params.l.3}", "OT0241", "a list of 3 without an item `3`", "6"),
    ("${params.l.x}", "OT0241", "a list of 3 without an item `x`", "6"),
    ("${....x}", "OT0241", "leaves the file", "6"),
    ("${templates.t}", "OT0241", "has no `templates`", "6"),
    ("a ${params.m}", "OT0246", "a mapping and cannot be part of a text", "8"),
    ("a ${params.l}", "OT0246", "a list and cannot be part of a text", "8"),
    ("${params.x}", "OT0242", "params.x → params.x", "6"),
    ("${.x}", "OT0242", "circle", "6"),
    ("${params}", "OT0242", "circle", "6"),
    ("${env:NONE}", "OT0243", "`NONE` is not set", "6"),
    ("${env:int:WORD}", "OT0244", "expected an integer", "6"),
    ("${env:bool:X}", "OT0244", "expected true or false", "6"),
    ("${env:float:FLAG}", "OT0244", "expected a number", "6"),
    ("${env:json:WORD}", "OT0244", "not valid JSON", "6"),
    ("1e${params.i}000", "OT0113", "64-bit float", "6"),
    ("${a," * 10 + "x" + "}" * 10, "OT0240", "nested deeper than 8", "6"),
    ("${a" + ".b" * 130 + "}", "OT0240", "a path of more than 128 steps", "6"),
    ("x${env:json:J}", "OT0246", "a mapping and cannot be part of a text", "7"),
]


@pytest.mark.parametrize(("text", "code", "message", "column"), ERRORS)
def test_error(resolve: Any, text: str, code: str, message: str, column: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(f"{PARAMS}  x: {text}\n", environ=ENVIRON)
    error = caught.value
    assert len(error.errors) == 1
    assert (error.code, error.config_path) == (code, ("params", "x"))
    assert message in error.message
    assert error.location == f"main.yaml:19:{column}"


SUGGESTIONS = [
    ("${parms.i}", "${params.i}"),
    ("${params.chian}", "${params.chain}"),
    ("${parms.chian}", "${params.chain}"),
    ("${params.m.bb.c}", "${params.m.b.c}"),
    ("${i}", "${.i}"),
]


@pytest.mark.parametrize(("text", "suggestion"), SUGGESTIONS)
def test_each_segment_gets_a_suggestion(resolve: Any, text: str, suggestion: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(f"{PARAMS}  x: {text}\n")
    assert caught.value.suggestions[0] == suggestion


def test_reference_takes_the_value_after_merges_and_overrides(resolve: Any) -> None:
    config = resolve(
        "defaults: [base.yaml]\nparams: {a: 2}\n",
        "params.a=3",
        files={"base.yaml": "params: {a: 1, b: '${params.a}'}"},
    )
    assert config.data["params"] == {"a": 3, "b": 3}


def test_override_may_refer(resolve: Any) -> None:
    assert resolve("params: {a: 1, b: 2}", "params.a=${params.b}").data["params"]["a"] == 2


def test_cycle_names_every_hop_with_its_place(resolve: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("params:\n  a: ${params.b.x}\n  b: {x: 'p${params.c}'}\n  c: ${params.a}\n")
    error = caught.value
    assert len(error.errors) == 1
    assert "params.a → params.b.x → params.c → params.a" in error.message
    places = [error.location, *(str(note.span) for note in error.notes)]
    assert places == ["main.yaml:3:6", "main.yaml:4:10", "main.yaml:5:6"]


def test_long_cycle_is_shown_in_part(resolve: Any) -> None:
    lines = [f"  a{i}: ${{.a{(i + 1) % 50}}}" for i in range(50)]
    with pytest.raises(ConfigError) as caught:
        resolve("params:\n" + "\n".join(lines) + "\n")
    assert "params.a19 → … 30 more … → params.a0" in caught.value.message


SEGMENTS = st.sampled_from(["a", "b_c", "d-e", "0", "-1", "é", "[0]", "", " ", "$", "env:", ",1"])


@given(segments=st.lists(SEGMENTS, max_size=5), before=st.sampled_from(["", "x", "$", "$$"]))
def test_plain_references_follow_the_whole_grammar(segments: list[str], before: str) -> None:
    text = before + "${" + ".".join(segments) + "}"

    def parsed() -> object:
        try:
            return expressions.parse_expression(text)
        except expressions.ExpressionError as error:
            return str(error)

    quick = parsed()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expressions, "PLAIN", re.compile("(?!)"))
        assert parsed() == quick


def test_failed_value_silences_what_depends_on_it(resolve: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("params: {a: '${nothing}', b: '${params.a}', c: 'x${params.b}', d: '${other}'}")
    messages = [error.message for error in caught.value.errors]
    assert len(messages) == 2
    assert "nothing" in messages[0]
    assert "other" in messages[1]


def test_chain_longer_than_the_recursion_limit(resolve: Any) -> None:
    lines = ["params:", "  v0: 1"] + [f"  v{i}: ${{params.v{i - 1}}}" for i in range(1, 5000)]
    lines[1], lines[-1] = lines[-1], lines[1]
    assert resolve("\n".join(lines) + "\n").data["params"]["v4999"] == 1


def test_referred_mappings_are_copies(resolve: Any) -> None:
    params = resolve("params: {a: {b: [1]}, c: '${params.a}'}").data["params"]
    params["c"]["b"].append(2)
    assert params["a"] == {"b": [1]}


def test_resolved_text_is_not_read_again(resolve: Any) -> None:
    config = resolve("params: {a: '$${x}', b: '${params.a}', c: '${env:X}'}", environ={"X": "${y}"})
    assert config.data["params"] == {"a": "${x}", "b": "${x}", "c": "${y}"}


def test_reference_in_a_key_is_an_error(resolve: Any) -> None:
    with pytest.raises(ConfigError, match="works in values, not in keys"):
        resolve("params: {'${a}': 1}")


def test_unquoted_reference_in_a_flow_list_says_to_quote_it(resolve: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("params: {a: [1, ${params.b}]}")
    assert "quotes" in caught.value.help


def test_text_bomb_is_an_error(resolve: Any) -> None:
    lines = ["params:", "  v0: aaaaaaaaaa"]
    lines += [f"  v{i}: " + f"${{params.v{i - 1}}}" * 10 for i in range(1, 30)]
    with pytest.raises(ConfigError) as caught:
        resolve("\n".join(lines) + "\n")
    assert caught.value.code == "OT0247"


def test_reference_bomb_is_an_error(resolve: Any) -> None:
    lines = ["params:", "  v0: {a: 1}"]
    for i in range(1, 30):
        items = ", ".join(f"k{k}: '${{params.v{i - 1}}}'" for k in range(10))
        lines.append(f"  v{i}: {{{items}}}")
    with pytest.raises(ConfigError) as caught:
        resolve("\n".join(lines) + "\n")
    assert caught.value.code in ("OT0114", "OT0115")


def test_secret_value_is_marked_wherever_it_goes(resolve: Any) -> None:
    environ = {"MY_TOKEN": "hush", "db_password": "psst", "PLAIN": "p"}
    config = resolve(
        "params:\n  a: ${env:MY_TOKEN}\n  b: x${params.a}\n  c: ${params.b}\n"
        "  d: ${env:db_password}\n  e: ${env:PLAIN}\n",
        environ=environ,
    )
    assert config.data["params"]["b"] == "xhush"
    assert config.secrets == {("params", name) for name in "abcd"}
    shown = repr([config.provenance[path] for path in config.provenance])
    assert "hush" not in shown
    assert "psst" not in shown


@pytest.mark.parametrize("kind", ["int", "float", "bool", "json"])
def test_secret_value_is_not_in_an_error(resolve: Any, kind: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(f"params: {{a: '${{env:{kind}:API_KEY}}'}}", environ={"API_KEY": "hush-1"})
    assert "hush" not in str(caught.value)


def test_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OT_RESOLVER_TEST", "5")
    config = resolve_config({"schema_version": 1, "params": {"a": "${env:OT_RESOLVER_TEST}"}})
    assert config.data["params"]["a"] == 5


def test_untrusted_configuration_reads_no_environment(resolve: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("params: {a: '${env:X,1}'}", environ={"X": "1"}, untrusted=True)
    assert caught.value.code == "OT0245"
