"""`build_model`: from a file or a mapping to a module, without the trainer."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from model_constructor import ConfigError, build_model
from model_constructor.keys import default_registry

YAML = """\
schema_version: 1
model:
  sequential:
    inputs: [x]
    layers:
      - _type_: mlp
        dims: [8, 16, 4]
        dropout: 0.1
      - {_type_: nn.Linear, in_features: 4, out_features: 2}
"""
BLOCK_STYLE = """\
schema_version: 1
model:
  sequential:
    inputs: [x]
    layers:
      - _type_: nn.Linear  # größer
        in_features: 4
        out_features: 2
"""
GRAPH = """\
schema_version: 1
model:
  graph:
    inputs: [x]
    modules:
      encoder: {_type_: nn.Linear, in_features: 4, out_features: 8}
    nodes:
      - {name: h, call: "module:encoder", args: [$x]}
      - name: y
        call: op:add
        args: [$h, $x]
    outputs: [$y]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.yaml"
    path.write_text(YAML, encoding="utf-8")
    return path


def as_mapping() -> dict[str, Any]:
    layers = [
        {"_type_": "mlp", "dims": [8, 16, 4], "dropout": 0.1},
        {"_type_": "nn.Linear", "in_features": 4, "out_features": 2},
    ]
    return {"schema_version": 1, "model": {"sequential": {"inputs": ["x"], "layers": layers}}}


def test_a_file_and_the_same_mapping_give_the_same_model(file: Path) -> None:
    from_file, from_mapping = build_model(file), build_model(as_mapping())
    assert from_file(torch.zeros(3, 8)).shape == (3, 2)
    for name, value in from_file.state_dict().items():
        torch.testing.assert_close(value, from_mapping.state_dict()[name], rtol=0, atol=0)
    assert repr(from_file) == repr(from_mapping)


def test_seed_and_overrides_reach_the_model(file: Path) -> None:
    model = build_model(str(file), seed=1, overrides=["model.sequential.layers[0].dropout=0.2"])
    assert model.get_submodule("layer_0.dropout_0").p == 0.2
    other = build_model(str(file), seed=2)
    assert not torch.equal(
        model.get_parameter("layer_1.weight"), other.get_parameter("layer_1.weight")
    )


def test_a_registry_of_ones_own_is_used() -> None:
    class Double(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2

    registry = default_registry()
    registry.add("my.double", Double)
    section = {"sequential": {"inputs": ["x"], "layers": [{"_type_": "my.double"}]}}
    model = build_model({"schema_version": 1, "model": section}, registry=registry)
    torch.testing.assert_close(model(torch.ones(2)), torch.full((2,), 2.0))


def test_a_wrong_component_is_located_in_the_file(file: Path) -> None:
    file.write_text(YAML.replace("dropout: 0.1", "droput: 0.1"), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        build_model(file)
    assert caught.value.location == f"{file}:8:9"
    assert caught.value.suggestions == ("dropout",)


def test_a_block_says_which_of_its_parameters_is_wrong(file: Path) -> None:
    file.write_text(YAML.replace("[8, 16, 4]", "[8, 16, -4]"), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        build_model(file)
    assert caught.value.config_path == ("model", "sequential", "layers", 0, "dims", 2)
    assert caught.value.location == f"{file}:7:23"


def test_a_shape_error_shows_the_yaml_line_of_its_layer(file: Path) -> None:
    file.write_text(YAML.replace("in_features: 4", "in_features: 5"), encoding="utf-8")
    model = build_model(file)
    with pytest.raises(RuntimeError) as caught:
        model(torch.zeros(3, 8))
    text = "".join(traceback.format_exception(caught.value))
    assert f'File "{file}", line 9, in forward' in text
    assert "- {_type_: nn.Linear, in_features: 5, out_features: 2}" in text


def test_a_layer_of_several_lines_is_shown_by_the_line_that_says_what_it_is(file: Path) -> None:
    file.write_text(BLOCK_STYLE, encoding="utf-8")
    model = build_model(file)
    with pytest.raises(RuntimeError) as caught:
        model(torch.zeros(3, 8))
    text = "".join(traceback.format_exception(caught.value))
    assert f'File "{file}", line 6, in forward' in text
    assert "- _type_: nn.Linear  # größer\n" in text


def test_a_shape_error_shows_the_yaml_line_of_its_node(file: Path) -> None:
    file.write_text(GRAPH, encoding="utf-8")
    model = build_model(file)
    with pytest.raises(RuntimeError) as caught:
        model(torch.zeros(2, 4))  # (2, 8) + (2, 4)
    text = "".join(traceback.format_exception(caught.value))
    assert f'File "{file}", line 9, in forward' in text
    assert "- name: y" in text


def test_a_config_without_a_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="`model` is missing"):
        build_model({"schema_version": 1})


def test_without_torch_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ConfigError) as caught:
        build_model(as_mapping())
    assert caught.value.code == "OT0423"
    assert caught.value.help == "pip install model-constructor[torch]"


def test_former_names_work_and_warn_at_the_callers_line() -> None:
    registry = default_registry()
    registry.add_alias("perceptron", "mlp", since="2")
    registry.rename_parameter("mlp", "sizes", "dims", since="2")
    layers = [{"_type_": "perceptron", "sizes": [2, 3]}]
    config = {"schema_version": 1, "model": {"sequential": {"inputs": ["x"], "layers": layers}}}
    with pytest.warns(FutureWarning) as caught:
        model = build_model(config, registry=registry)
    assert model(torch.zeros(1, 2)).shape == (1, 3)
    texts = sorted(str(each.message) for each in caught)
    assert ["`perceptron` is called `mlp`" in texts[0], "`sizes`" in texts[1]] == [True, True]
    assert {each.filename for each in caught} == {__file__}
