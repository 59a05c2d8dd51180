"""Command line overrides: the grammar, and what each form does."""

from __future__ import annotations

import re
from typing import Any

import pytest

from model_constructor.errors import ConfigError

CONFIG = """
trainer: {max_epochs: 2, nested: {a: 1}}
optimizer: {type: x, kwargs: {lr: 0.1}}
scheduler: {type: y}
callbacks:
  - {_type_: cb.model_checkpoint, every_n_steps: 1}
  - {_type_: cb.ema, decay: 0.9}
  - {_type_: cb.ema, decay: 0.99}
metrics: [a, b, a, 1]
loggers: null
model: {sequential: {layers: [{dropout: 0.1}, {dropout: 0.2}]}}
params: {x: 1, 'k-e+y': 1}
"""

LAYERS = ("model", "sequential", "layers")
CHECKPOINT = {"_type_": "cb.model_checkpoint", "every_n_steps": 1}
EMA = {"_type_": "cb.ema", "decay": 0.99}

# (arguments, path of the result, value)
WORKS: list[tuple[list[str], tuple[str | int, ...], Any]] = [
    # set
    (["trainer.max_epochs=5"], ("trainer", "max_epochs"), 5),
    (["trainer.max_epochs=1e-3"], ("trainer", "max_epochs"), 1e-3),
    (["trainer.max_epochs= 5 "], ("trainer", "max_epochs"), 5),
    (["trainer.max_epochs=null"], ("trainer", "max_epochs"), None),
    (["trainer.max_epochs="], ("trainer", "max_epochs"), None),
    (["trainer.max_epochs='5'"], ("trainer", "max_epochs"), "5"),
    (["trainer.max_epochs=a=b"], ("trainer", "max_epochs"), "a=b"),
    (["trainer.max_epochs=[1, 2]"], ("trainer", "max_epochs"), [1, 2]),
    (["trainer.max_epochs=5", "trainer.max_epochs=6"], ("trainer", "max_epochs"), 6),
    (["trainer.new=1"], ("trainer", "new"), 1),
    (["trainer.new.deep.er=1"], ("trainer", "new", "deep", "er"), 1),
    (["optimizer.kwargs.weight_decay=0.1"], ("optimizer", "kwargs", "weight_decay"), 0.1),
    (["trainer.nested={b: 2}"], ("trainer", "nested"), {"a": 1, "b": 2}),
    (
        ["trainer.nested={_merge_: replace, _value_: {b: 2}}"],
        ("trainer", "nested"),
        {"b": 2},
    ),
    (["scheduler=null"], ("scheduler",), None),
    (["engine.precision=bf16"], ("engine", "precision"), "bf16"),
    (["params.x=2"], ("params", "x"), 2),
    (["params.k-e+y=2"], ("params", "k-e+y"), 2),
    (["++params.extra=1"], ("params", "extra"), 1),
    (["++params.a.b=1"], ("params", "a", "b"), 1),
    (["++trainer.max_epochs=7"], ("trainer", "max_epochs"), 7),
    # by index
    (["model.sequential.layers[0].dropout=0.5"], (*LAYERS, 0, "dropout"), 0.5),
    (["model.sequential.layers[-1].dropout=0.5"], (*LAYERS, 1, "dropout"), 0.5),
    (["model.sequential.layers.1.dropout=0.5"], (*LAYERS, 1, "dropout"), 0.5),
    (["model.sequential.layers[0].dropout=0.5"], (*LAYERS, 1, "dropout"), 0.2),
    (["metrics[1]=z"], ("metrics",), ["a", "z", "a", 1]),
    # by field
    (
        ["callbacks[_type_=cb.model_checkpoint].every_n_steps=5"],
        ("callbacks", 0, "every_n_steps"),
        5,
    ),
    (["callbacks[decay=0.99].decay=1"], ("callbacks", 2, "decay"), 1),
    (["callbacks[_type_=cb.model_checkpoint].new=5"], ("callbacks", 0, "new"), 5),
    # append
    (["metrics+=c"], ("metrics",), ["a", "b", "a", 1, "c"]),
    (["metrics+=[c, d]"], ("metrics",), ["a", "b", "a", 1, "c", "d"]),
    (["metrics+=[[c, d]]"], ("metrics", 4), ["c", "d"]),
    (["callbacks+={_type_: cb.early_stopping}"], ("callbacks", 3), {"_type_": "cb.early_stopping"}),
    (["loggers+={_type_: log.stdout}"], ("loggers",), [{"_type_": "log.stdout"}]),
    (["imports+=my.module"], ("imports",), ["my.module"]),
    (["metrics+=c", "metrics+=d"], ("metrics",), ["a", "b", "a", 1, "c", "d"]),
    # remove
    (["metrics-=a"], ("metrics",), ["b", 1]),
    (["metrics-=1"], ("metrics",), ["a", "b", "a"]),
    (["metrics-=[a, b]"], ("metrics",), [1]),
    (["callbacks-={_type_: cb.ema, decay: 0.9}"], ("callbacks", 1, "decay"), 0.99),
    (["callbacks-={_type_: cb.ema}"], ("callbacks",), [CHECKPOINT]),
    # delete
    (["~scheduler"], ("scheduler",), "absent"),
    (["~trainer.nested.a"], ("trainer", "nested"), {}),
    (["~metrics[0]"], ("metrics",), ["b", "a", 1]),
    (["~callbacks[_type_=cb.model_checkpoint]", "~callbacks[0]"], ("callbacks",), [EMA]),
    (["~scheduler", "scheduler.type=z"], ("scheduler",), {"type": "z"}),
]


def at(data: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        if isinstance(data, dict) and part not in data:
            return "absent"
        data = data[part]
    return data


@pytest.mark.parametrize(("arguments", "path", "value"), WORKS)
def test_override(
    resolve: Any, arguments: list[str], path: tuple[str | int, ...], value: Any
) -> None:
    found = at(resolve(CONFIG, *arguments).data, path)
    assert type(found) is type(value)
    assert found == value


# (argument, code, text in the message, column of the caret)
FAILS: list[tuple[str, str, str, int]] = [
    # grammar
    ("", "OT0220", "expected a path", 1),
    ("=5", "OT0220", "expected a path", 1),
    ("x", "OT0220", "expected `=` and a value", 2),
    ("trainer.max_epochs", "OT0220", "expected `=` and a value", 19),
    ("trainer.=5", "OT0220", "expected a key", 9),
    ("trainer..a=5", "OT0220", "expected a key", 9),
    (".a=5", "OT0220", "expected a key", 1),
    ("a b=5", "OT0220", "expected a key", 1),
    ("[0]=5", "OT0220", "expected a path", 1),
    ("metrics[=5", "OT0220", "expected `[0]` or `[field=value]`", 8),
    ("metrics[]=5", "OT0220", "expected `[0]` or `[field=value]`", 8),
    ("metrics[x]=5", "OT0220", "expected `[0]` or `[field=value]`", 8),
    ("metrics[0]x=5", "OT0220", "expected `.`, `[` or `=`", 11),
    ("~scheduler=5", "OT0220", "takes no value", 11),
    ("~", "OT0220", "expected a path", 2),
    ("++metrics+=5", "OT0220", "`++` goes with `=`", 10),
    ("a." * 70 + "b=1", "OT0220", "more than 64 steps", 130),
    # values
    ("trainer.a=[1", "OT0105", "not valid YAML", 11),
    ("trainer.a='x", "OT0105", "not valid YAML", 11),
    ("trainer.a={b:1}", "OT0105", "a key without a value", 12),
    ("trainer.a=b: 1", "OT0105", "block of YAML lines", 11),
    ("trainer.a=- 1", "OT0105", "block of YAML lines", 11),
    ("trainer.a=@x", "OT0105", "not valid YAML", 11),
    ("trainer.a=*x", "OT0116", "no anchor", 11),
    ("trainer.a={b: 1, b: 2}", "OT0109", "duplicate key", 18),
    ("trainer.a=!!python/none x", "OT0112", "tag", 11),
    ("trainer.a=\x07", "OT0103", "U+0007", 11),
    ("trainer.a=\udc80", "OT0103", "U+DC80", 11),
    ("trainer.a=${nothing}", "OT0241", "no `nothing`", 11),
    ("trainer.a=x ${", "OT0240", "without a closing", 13),
    ("trainer={max_epochs: {a: 1}}", "OT0210", "a mapping cannot be merged over", 22),
    ("trainer=5", "OT0210", "an integer cannot be merged over a mapping", 9),
    ("metrics={a: 1}", "OT0210", "a mapping cannot be merged over a list", 9),
    # places
    ("defaults+=x.yaml", "OT0221", "cannot be overridden", 1),
    ("trainer.max_epochs.x=5", "OT0221", "`trainer.max_epochs` is an integer (3)", 20),
    ("trainer[0]=5", "OT0221", "`trainer` is a mapping, not a list", 8),
    ("nowhere[0]=5", "OT0221", "`nowhere` is no list here", 8),
    ("params.y=5", "OT0221", "`params` has no key `y`", 8),
    ("~trainr", "OT0221", "has no key `trainr`", 2),
    ("~trainer.nested.b", "OT0221", "`trainer.nested` has no key `b`", 17),
    ("trainer.x-=1", "OT0221", "`trainer` has no key `x`", 9),
    ("metrics[4]=5", "OT0222", "has 4 items, so there is no [4]", 8),
    ("metrics[-5]=5", "OT0222", "has 4 items", 8),
    ("metrics.x=5", "OT0222", "is a list and has no key `x`", 9),
    ("callbacks[_type_=cb.ema].decay=1", "OT0222", "2 items with [_type_=cb.ema]: [1], [2]", 10),
    ("callbacks[_type_=cb.emma].decay=1", "OT0222", "no item with [_type_=cb.emma]", 10),
    ("trainer.max_epochs+=1", "OT0222", "`+=` needs a list", 9),
    ("trainer.nested+={b: 1}", "OT0222", "`+=` needs a list", 9),
    ("trainer-=max_epochs", "OT0222", "`-=` needs a list", 1),
    ("metrics-=z", "OT0222", "has no item z to remove", 1),
    ("metrics-='1'", "OT0222", "no item '1' to remove", 1),
    ("trainr.max_epochs=5", "OT0120", "unknown top-level key `trainr`", 1),
]


@pytest.mark.parametrize(("argument", "code", "message", "column"), FAILS)
def test_error_points_into_the_argument(
    resolve: Any, argument: str, code: str, message: str, column: int
) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(CONFIG, "trainer.max_epochs=3", argument)
    error = caught.value
    assert (error.code, error.location) == (code, f"<cli:2>:1:{column}")
    assert message in error.message


SUGGESTIONS = [
    ("params.xx=1", ("x",), "to add it, write ++params.xx=…"),
    ("~schedular", ("scheduler",), ""),
    ("trainr.max_epochs=5", ("trainer",), "values of your own for `${…}` go under `params`"),
]


@pytest.mark.parametrize(("argument", "suggestions", "help"), SUGGESTIONS)
def test_suggestions(resolve: Any, argument: str, suggestions: tuple[str, ...], help: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(CONFIG, argument)
    assert caught.value.suggestions == suggestions
    assert caught.value.help == help


def test_errors_of_several_arguments_come_together_and_in_order(resolve: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(CONFIG, "trainer=5", "x", "metrics[9]=1", "trainer.max_epochs=4")
    files = [error.span.file for error in caught.value.errors if error.span]
    assert files == ["<cli:1>", "<cli:2>", "<cli:3>"]


TEMPLATES = """
templates:
  deep: {d: {e: 1, f: [1, 2]}, k: 9}
  t: {_template_: deep, a: {q: 1, r: 2}, l: [1, {x: 3}], s: text}
params: {n: {_template_: t, own: 5}}
"""
EXPANDED = {"d": {"e": 1, "f": [1, 2]}, "k": 9, "a": {"q": 1, "r": 2}, "l": [1, {"x": 3}]}


@pytest.mark.parametrize(
    ("arguments", "changed"),
    [
        (["n.a.q=7"], {"a": {"q": 7, "r": 2}}),
        (["~n.a.q"], {"a": {"r": 2}}),
        (["~n.a", "n.a={z: 1}"], {"a": {"z": 1}}),
        (["n.d.f[1]=8"], {"d": {"e": 1, "f": [1, 8]}}),
        (["n.l[-1].x=4"], {"l": [1, {"x": 4}]}),
        (["n.l+=4", "n.l[0]=9"], {"l": [9, {"x": 3}, 4]}),
        (["n.l-=[1]"], {"l": [{"x": 3}]}),
        (["~n.l[0]"], {"l": [{"x": 3}]}),
        (["~n.k", "~n.own"], {"k": None, "own": None}),
    ],
)
def test_what_a_template_brings_can_be_overridden(
    resolve: Any, arguments: list[str], changed: dict[str, Any]
) -> None:
    spelled = [text.replace("n.", "params.n.", 1) for text in arguments]
    found = resolve(TEMPLATES, *spelled).data["params"]["n"]
    wanted = {**EXPANDED, "s": "text", "own": 5, **changed}
    assert found == {key: value for key, value in wanted.items() if value is not None}


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("params.n.a.zz=1", "`params.n.a` has no key `zz`"),
        ("~params.n.kk", "has no key `kk` (did you mean `k`?)"),
        ("params.n.a[0]=1", "`params.n.a` is a mapping, not a list"),
        ("params.n.s.x=1", "`params.n.s` is a string (text) and has no keys"),
        ("params.n.l[5]=1", "`params.n.l` has 2 items"),
    ],
)
def test_what_a_template_does_not_bring_cannot(resolve: Any, argument: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        resolve(TEMPLATES, argument)


def test_templates_that_use_each_other_without_end_do_not_stop_an_override(resolve: Any) -> None:
    chain = ", ".join(f"t{i}: {{_template_: t{i + 1}, a: {{_template_: t0}}}}" for i in range(200))
    config = f"templates: {{{chain}, t200: {{_template_: t0}}}}\nparams: {{n: {{_template_: t0}}}}"
    for argument in (f"params.n{'.a' * 50}=1", f"params.n{'.a' * 50}.b=1"):
        with pytest.raises(ConfigError):
            resolve(config, argument)


def test_a_list_taken_over_from_a_template_has_it_once_in_its_history(resolve: Any) -> None:
    layers = resolve(TEMPLATES, "params.n.l[0]=9").provenance["params", "n", "l"]
    assert [layer.name for layer in layers] == ["main.yaml", "<cli:1>"]


def test_argument_is_a_layer_of_the_provenance(resolve: Any) -> None:
    config = resolve(CONFIG, "optimizer.kwargs.lr=0.2", "optimizer.kwargs.lr=0.3")
    layers = config.provenance["optimizer", "kwargs", "lr"]
    assert [(layer.name, layer.value, str(layer.span)) for layer in layers] == [
        ("main.yaml", "0.1", "main.yaml:4:35"),
        ("<cli:1>", "0.2", "<cli:1>:1:21"),
        ("<cli:2>", "0.3", "<cli:2>:1:21"),
    ]
    assert [layer.index for layer in layers] == [0, 1, 2]


def test_caret_of_an_overridden_key_is_under_the_argument(resolve: Any) -> None:
    config = resolve(CONFIG, "trainer.new.deep=1")
    assert str(config.source_map.key_span(("trainer", "new"))) == "<cli:1>:1:9"
    assert str(config.source_map.key_span(("trainer", "new", "deep"))) == "<cli:1>:1:13"
    assert str(config.source_map.key_span(("trainer",))) == "main.yaml:3:1"
