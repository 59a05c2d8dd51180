"""Shipped configs, mutated: the resolver says why or resolves, `ot check` exits 0 or 2.

`make test` tries the same few hundred examples each time; `make fuzz` (tests/fuzz.py) searches on
with new ones.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_constructor.config.resolve import resolve_config
from model_constructor.errors import ConfigError
from offline_trainer.cli import main

ROOT = Path(__file__).parent.parent
SEARCHING = "FUZZ_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "400"))

fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=not SEARCHING,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

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
DATA = yaml.safe_load(CHECKED)
SHIPPED = sorted(path.relative_to(ROOT) for path in (ROOT / "configs").rglob("*.yaml"))

TOKENS = st.sampled_from(
    [
        *("null", "true", "yes", "-1", "0", "1e-3", "1e999", "012", "x", "''", "[]", "{}", "[[]]"),
        *("${run.name}", "${nothing}", "'${params'", "$x", "$$x", "$", "op:add", "module:a", "op:"),
        *("_type_", "_args_", "_kwargs_", "_target_", "_merge_", "_value_", "_template_", "on"),
        *("nn.Linear", "layer.linear", "cb.ema", "cb.model_checkpoint@x", "engine.numpy", "a.b.c"),
        *("os:system", "offline_trainer.testing", "pkg://x/y.yaml", "../base/runtime.yaml"),
        *(": ", "- ", "  ", "\t", "[", "]", "{", "}", "&a ", "*a", "!!int ", "|", ">", "#", "\0"),
        *("schema_version: 1\n", "models: {a: {}}\n", "seed: 1.5\n", "\n", "\n    ", '"', "é"),
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TOKENS
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TOKENS, inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.lists(
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["", "", "", "~", "++"]),
        st.sampled_from(
            [
                *("run", "run.name", "run.seed", "trainer.max_epochs", "callbacks", "callbacks[0]"),
                *("model.graph.nodes[-1].args", "model.graph.modules.a", "optimizer.lr", "loss"),
                *("params.width", "callbacks[_type_=cb.ema].decay", "models.a", "imports", "io"),
            ]
        ),
        st.sampled_from(["=", "=", "=", "+=", "-=", ""]),
        TOKENS,
    ),
    max_size=3,
)


@st.composite
def mutated_texts(draw: st.DrawFn, text: str) -> str:
    """A file with some lines and words changed."""
    for _ in range(draw(st.integers(0, 3))):
        lines = text.splitlines(keepends=True) or [""]
        at = draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        cut = draw(st.integers(0, len(line)))
        other = lines[draw(st.integers(0, len(lines) - 1))]
        token = draw(TOKENS)
        words = line.split(" ")
        word = draw(st.integers(0, len(words) - 1))
        lines[at] = draw(
            st.sampled_from(
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
        )
        text = "".join(lines)
    return text


@st.composite
def mutated_data(draw: st.DrawFn) -> Any:
    """The checked config with some of its values or keys changed."""
    data = json.loads(json.dumps(DATA))
    for _ in range(draw(st.integers(1, 3))):
        place: Any = data
        for _ in range(draw(st.integers(0, 4))):
            inner = [
                value
                for value in (place.values() if isinstance(place, dict) else place)
                if value and isinstance(value, dict | list)
            ]
            if not inner:
                break
            place = draw(st.sampled_from(inner))
        key = draw(st.sampled_from([*place] if isinstance(place, dict) else range(len(place))))
        change = draw(st.sampled_from(["replace", "delete", "add", "rename"]))
        if change == "replace":
            place[key] = draw(VALUES)
        elif change == "add" or isinstance(place, list):
            if isinstance(place, list):
                place.insert(key, draw(VALUES))
            else:
                place[draw(TOKENS)] = draw(VALUES)
        else:
            value = place.pop(key)
            if change == "rename":
                place[draw(TOKENS)] = value
        if not data:
            break
    return data


def check(arguments: list[str]) -> None:
    """`ot check` ends as a command should, whatever it is given."""
    result = CliRunner().invoke(main, ["check", "--", *arguments], prog_name="ot")
    assert result.exit_code in (0, 2), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    assert result.output


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_checked_config_is_right(folder: Path) -> None:
    (folder / "config.yaml").write_text(CHECKED, encoding="utf-8")
    result = CliRunner().invoke(main, ["check", "config.yaml"])
    assert (result.exit_code, result.stdout) == (0, "ok: 1 model, 12 components\n")


@fuzzed
@given(data=st.data())
def test_mutated_shipped_config_resolves_or_says_why(folder: Path, data: st.DataObject) -> None:
    main_file, changed = (data.draw(st.sampled_from(SHIPPED)) for _ in range(2))
    original = (ROOT / changed).read_text(encoding="utf-8")
    text = data.draw(mutated_texts(original))
    (folder / changed).write_text(text, encoding="utf-8", newline="")
    with suppress(ConfigError):
        resolve_config(folder / main_file, data.draw(ARGUMENTS), environ={})
    (folder / changed).write_text(original, encoding="utf-8")


@fuzzed
@given(text=mutated_texts(CHECKED), arguments=ARGUMENTS)
def test_check_of_a_mutated_file_and_any_arguments(
    folder: Path, text: str, arguments: list[str]
) -> None:
    (folder / "config.yaml").write_text(text, encoding="utf-8", newline="")
    check(["config.yaml", *arguments])


@fuzzed
@given(data=mutated_data())
def test_check_of_a_config_with_other_values(folder: Path, data: Any) -> None:
    text = json.dumps(data).replace("\\u0000", "\\\\0")
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    check(["config.yaml"])


@fuzzed
@given(content=st.binary(max_size=60))
def test_check_of_any_bytes(folder: Path, content: bytes) -> None:
    (folder / "config.yaml").write_bytes(content)
    check(["config.yaml"])
