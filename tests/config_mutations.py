"""Configs that were right until something in them was changed, each made from a source of chance.

The source is a `random.Random`: a seeded one in a campaign, one that hypothesis steers and shrinks
in the fuzz tests.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

import yaml
from click.testing import CliRunner, Result

from offline_trainer.cli import main

# A config that needs no torch, so that checking it is fast.
CHECKED = """\
schema_version: 1
settings: {allowed_import_prefixes: [offline_trainer.testing.]}
imports: [offline_trainer.testing.numpy_engine]
plugins: {require: [offline-trainer-core]}
params: {width: 2, sizes: [4]}
templates: {layer: {_type_: layer.linear, out_features: 2}}
run: {name: small, out_dir: "runs/${run.name}", seed: 0}
engine: {_type_: engine.numpy}
model:
  graph:
    inputs: [x]
    modules:
      a: {_template_: layer, in_features: "${params.sizes.0}"}
      b: {_type_: layer.linear, in_features: 2, out_features: 2}
    nodes:
    - {name: h, call: "module:a", args: [$x]}
    - {name: y, call: "module:b", args: [$h]}
    outputs: [y]
    return: single
data: {_type_: data.random_regression, x_shape: "${params.sizes}", y_shape: [2]}
io: {_type_: io.mapping, model_kwargs: {x: [x]}, targets: {y: [y]}}
loss: {_type_: loss.squared_error}
metrics: [{_type_: metric.mae}]
optimizer: {_type_: optim_factory.momentum, lr: 0.05}
scheduler: {_type_: sched_factory.decay, gamma: 0.5}
trainer: {_type_: trainer.default, max_epochs: 3}
callbacks: [{_type_: cb.model_checkpoint, every_n_steps: 1}]
loggers: [{_type_: log.stdout}]
"""
TOKENS = [
    *("null", "true", "yes", "-1", "0", "1e-3", "1e999", "012", "x", "''", "[]", "{}", "[[]]"),
    *("${run.name}", "${nothing}", "'${params'", "$x", "$$x", "$", "op:add", "module:a", "op:"),
    *("_type_", "_args_", "_kwargs_", "_target_", "_merge_", "_value_", "_template_", "on"),
    *("nn.Linear", "layer.linear", "cb.ema", "cb.model_checkpoint@x", "engine.numpy", "a.b.c"),
    *("os:system", "offline_trainer.testing", "pkg://x/y.yaml", "../base/runtime.yaml"),
    *(": ", "- ", "  ", "\t", "[", "]", "{", "}", "&a ", "*a", "!!int ", "|", ">", "#", "\0"),
    *("schema_version: 1\n", "models: {a: {}}\n", "seed: 1.5\n", "\n", "\n    ", '"', "é"),
]
PATHS = [
    *("run", "run.name", "run.seed", "trainer.max_epochs", "callbacks", "callbacks[0]"),
    *("model.graph.nodes[-1].args", "model.graph.modules.a", "optimizer.lr", "loss"),
    *("params.width", "callbacks[_type_=cb.ema].decay", "models.a", "imports", "io"),
]
NUMBERS = [
    *(0, 1, -1, 7, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**40),
    *(0.0, -0.0, 0.5, -1.5, 1e-320, 1e308, float("inf"), float("-inf"), float("nan")),
]


def any_value(random: Random, depth: int = 3) -> Any:
    """Something that YAML can hold."""
    kind = random.randrange(6 if depth else 4)
    if kind == 0:
        return random.choice([None, True, False])
    if kind == 1:
        return random.choice([*NUMBERS, random.randint(-1000, 1000)])
    if kind in (2, 3):
        return random.choice(TOKENS)
    values = [any_value(random, depth - 1) for _ in range(random.randint(0, 3))]
    if kind == 4:
        return values
    return {random.choice(TOKENS): value for value in values}


def arguments(random: Random) -> list[str]:
    """Overrides, most of them wrong."""
    return [
        random.choice(["", "", "", "~", "++"])
        + random.choice(PATHS)
        + random.choice(["=", "=", "=", "+=", "-=", ""])
        + random.choice(TOKENS)
        for _ in range(random.randint(0, 3))
    ]


def mutated_text(random: Random, text: str) -> str:
    """A file with some lines and words changed."""
    for _ in range(random.randint(0, 3)):
        lines = text.splitlines(keepends=True) or [""]
        at = random.randrange(len(lines))
        line, other = lines[at], random.choice(lines)
        cut, token = random.randint(0, len(line)), random.choice(TOKENS)
        words = line.split(" ")
        word = random.randrange(len(words))
        lines[at] = random.choice(
            [
                "",
                line + line,
                line + other,
                "  " + line,
                line.lstrip(),
                line[:cut] + token + line[cut:],
                line[:cut] + "\n",
                " ".join([*words[:word], token, *words[word + 1 :]]) + "\n",
            ]
        )
        text = "".join(lines)
    return text


def mutated_data(random: Random) -> Any:
    """The checked config with some of its values or keys changed."""
    data = yaml.safe_load(CHECKED)
    for _ in range(random.randint(1, 3)):
        place: Any = data
        for _ in range(random.randint(0, 4)):
            inner = [
                value
                for value in (place.values() if isinstance(place, dict) else place)
                if value and isinstance(value, dict | list)
            ]
            if not inner:
                break
            place = random.choice(inner)
        _change(random, place)
        if not data:
            break
    return data


def _change(random: Random, place: Any) -> None:
    key = random.choice([*place] if isinstance(place, dict) else range(len(place)))
    change = random.choice(["replace", "delete", "add", "rename"])
    if change == "replace":
        place[key] = any_value(random)
    elif isinstance(place, list):
        place.insert(key, any_value(random))
    elif change == "add":
        place[random.choice(TOKENS)] = any_value(random)
    else:
        value = place.pop(key)
        if change == "rename":
            place[random.choice(TOKENS)] = value


def as_file(data: Any) -> str:
    """Data as the text of a config file."""
    return json.dumps(data).replace("\\u0000", "\\\\0")


def check(*given: str, as_json: bool = False) -> Result:
    """`ot check` ends as a command should, whatever it is given."""
    options = ["--format", "json"] if as_json else []
    result = CliRunner().invoke(main, ["check", *options, "--", *given], prog_name="ot")
    assert result.exit_code in (0, 2), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    assert result.output
    return result
