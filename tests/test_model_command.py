"""`ot model`: parameters, shapes and diagrams of a config's models."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from offline_trainer.cli import main
from ot_process import RunOt

ROOT = Path(__file__).parent.parent
MODELS = ROOT / "configs/models"


def model(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["model", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_the_summary_of_an_experiment_has_its_shapes_from_a_batch_and_totals() -> None:
    lines = model("summary", str(ROOT / "configs/experiments/graph_skip.yaml")).splitlines()
    assert lines[1].split("\t") == ["model.graph.nodes[1]", "mlp", "(32, 64) float32", "8320"]
    assert lines[-2].split("\t") == ["model.graph", "total", "", "11600"]
    assert lines[-1] == "model: 11,600 parameters, 11,600 trained, 0.0464 MB with buffers"


def test_the_summary_of_a_model_alone_has_shapes_for_given_inputs() -> None:
    lines = model("summary", str(MODELS / "gpt.yaml"), "--input", "tokens=2,16:int64").splitlines()
    assert lines[0].split("\t")[2:] == ["(2, 16, 64) float32", "16384"]
    assert lines[-1].startswith("model: 186,944 parameters, 186,944 trained")


def test_a_model_alone_is_listed_without_shapes() -> None:
    lines = model("summary", str(MODELS / "sequential_mlp.yaml")).splitlines()
    assert lines[0].split("\t") == ["model.sequential.layers[0]", "mlp", "", "1040"]
    assert "those of sizes not known yet" in lines[-1]


def test_frozen_parameters_are_not_counted_as_trained() -> None:
    lines = model("summary", str(MODELS / "vae.yaml"), "++model.freeze=[encoder.*]").splitlines()
    encoder = 64 * 128 + 128 + 128 * 64 + 64
    others = 64 * 16 + 16 + 8 * 64 + 64 + 64 * 128 + 128 + 128 * 64 + 64
    expected = f"model: {encoder + others:,} parameters, {others:,} trained"
    assert lines[-1].startswith(expected)


def test_shapes_tell_what_each_node_gets_and_gives() -> None:
    lines = model("shapes", str(MODELS / "vae.yaml"), "--input", "x=4,64").splitlines()
    assert lines[0] == "model.features  module:encoder: x (4, 64) float32 → (4, 64) float32"
    assert lines[-2].endswith("mean (4, 8) float32, log_std (4, 8) float32 → (4, 8) float32")


def test_a_diagram_has_an_arrow_for_everything_that_is_read() -> None:
    text = model(
        "summary", str(MODELS / "actor_critic.yaml"), "--format", "mermaid",
        "--input", "state=2,17", "--input", "action=2,6",
    )  # fmt: skip
    assert text.startswith("flowchart TD\n  subgraph actor\n")
    assert '    critics_both["both: op:cat<br/>(2, 23) float32"]' in text
    assert "    critics_state --> critics_both" in text
    assert "    critics_action --> critics_both" in text
    assert text.count("subgraph") == text.count("  end\n") == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--input", "y=4,64"), "no model has an input `y`"),
        (("--input", "x=4,a"), "expected NAME=SIZES"),
        (("--input", "x"), "expected NAME=SIZES"),
        (("--input", "x=4,64:float33"), "no dtype `float33`"),
        (("--input", "x=4,60"), "nn.Unflatten failed on (4, 60) float32"),
    ],
)
def test_wrong_inputs(arguments: tuple[str, ...], words: str) -> None:
    result = CliRunner().invoke(main, ["model", "shapes", str(MODELS / "lenet.yaml"), *arguments])
    assert result.exit_code in (1, 2)
    assert words in result.stderr
    assert "Traceback" not in result.stderr


OWN = """\
from torch import nn

def register(registry):
    registry.add("own.bias", nn.Linear)
    registry.rename_parameter("own.bias", "inputs", "in_features", since="2")
"""
OWN_MODEL = """\
schema_version: 1
imports: [own_layers]
settings: {allowed_import_prefixes: [own_layers]}
model:
  sequential:
    inputs: [x]
    layers: [{_type_: own.bias, inputs: 3, out_features: 2}]
"""


def test_a_model_alone_has_its_own_imports_and_former_names(tmp_path: Path, ot: RunOt) -> None:
    (tmp_path / "own_layers.py").write_text(OWN)
    (tmp_path / "model.yaml").write_text(OWN_MODEL)
    done = ot("model", "summary", "model.yaml")
    assert "model: 8 parameters" in done.stdout, done.stderr
    assert "`inputs`" in done.stderr
    refused = ot("model", "summary", "model.yaml", "--untrusted")
    assert refused.returncode == 2
    assert "OT0318" in refused.stderr
