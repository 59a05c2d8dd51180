"""Type annotations as schemas of values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import pytest
from jsonschema import Draft202012Validator

from model_constructor.config.late_typing import coerce
from model_constructor.config.type_check import TypeMismatch
from offline_trainer.schema.docstrings import parameter_help, summary
from offline_trainer.schema.values import value_definitions, value_schema

NUMBER_OR_MADE = float | Callable[[int], float]

ACCEPTED = [
    (int, [1, 1e5, "${a}", {"_merge_": "delete"}], [1.5, "1", True, None, [1], {"a": 1}]),
    (float, [1, 1.5], ["1", False, None]),
    (bool, [True], [0, "yes", None]),
    (str, ["a", 3.1, True], [None, ["a"], {"a": 1}]),
    (Path, ["a"], [None, ["a"]]),
    (Annotated[Path, "output"], ["a"], [None]),
    (Optional[int], [1, None], ["a"]),  # noqa: UP045 - an older way to write it
    (int | None, [1, None], ["a"]),
    ("int", [1], ["a"]),
    ("Tensor", [1, "a", [1]], []),
    (None, [None], [1]),
    (Literal["a", "b"], ["a", "${c}"], ["c", 1]),
    (list[int], [[1, "${a}"], "${a}", []], [1, ["a"], {"a": 1}]),
    (tuple[float, ...], [[1, 2.5]], [1.0, ["a"]]),
    (tuple[int, str], [[1, "a"]], [["a", "a"], [1, None], [1], [1, "a", "a"]]),
    (list[Any], [[1, "a"], {"_type_": "fn.a"}, {"_target_": "m:f"}], [1, {"a": 1}]),
    (list, [[1, "a"]], [1, {"a": 1}]),
    (Iterator[int] | None, [1, {"_type_": "fn.a"}, None], []),
    (Sequence[Sequence[int]], [[[1]]], [[1], [["a"]]]),
    (Mapping[str, Any], [{"a": 1}, "${a}"], [1, [1], "a"]),
    (int | tuple[int, int], [1, [1, 2]], ["a", [1, "a"]]),
    (NUMBER_OR_MADE, [1, {"_type_": "fn.a"}], ["a", [1]]),
    (Callable[[int], float], [1, "a", {"_type_": "fn.a"}], []),
    (Callable[[int], float] | None, [1, "a", None], []),
    (object, [1, None], []),
    (Any, [1, None, {"a": [1]}], []),
]


@pytest.mark.parametrize(("annotation", "right", "wrong"), ACCEPTED)
def test_an_annotation_says_what_may_stand_there(
    annotation: Any, right: list[Any], wrong: list[Any]
) -> None:
    validator = validator_of(annotation)
    assert [value for value in right if not validator.is_valid(value)] == []
    assert [value for value in wrong if validator.is_valid(value)] == []


CHECKED = [
    annotation
    for annotation, _, _ in ACCEPTED
    # Signatures hold no text and no None; for text, the last depends on the default.
    if not isinstance(annotation, str) and annotation not in (None, NUMBER_OR_MADE)
]


@pytest.mark.parametrize("annotation", CHECKED)
def test_the_schema_takes_whatever_the_check_takes(annotation: Any) -> None:
    validator = validator_of(annotation)
    for value in (value for _, right, wrong in ACCEPTED for value in (*right, *wrong)):
        try:
            coerce(value, annotation)
        except TypeMismatch:
            continue
        assert validator.is_valid(value), value


def validator_of(annotation: Any) -> Draft202012Validator:
    definitions = {**value_definitions(), "spec": {"type": "object"}}
    return Draft202012Validator({**value_schema(annotation), "$defs": definitions})


def test_a_component_cannot_stand_in_plain_data() -> None:
    validator = Draft202012Validator({"$ref": "#/$defs/plain", "$defs": value_definitions()})
    assert validator.is_valid({"a": [{"b": 1}]})
    assert not validator.is_valid({"a": [{"_type_": "nn.ReLU"}]})


def test_the_help_of_parameters_is_cut_to_a_sentence() -> None:
    class Torch:
        """Applies it. At once.

        Args:
            size (int or tuple, optional): The size
                of it, e.g. of one. More.
            long: {words}
            **rest: What else.

        Shape:
            - Input: any
        """

    Torch.__doc__ = (Torch.__doc__ or "").replace("{words}", "word " * 90)
    found = parameter_help(Torch)
    assert summary(Torch) == "Applies it."
    assert found["size"].startswith("The size of it, e.g.")
    assert len(found["long"]) <= 160
    assert found["long"].endswith("word…")
    assert found["rest"] == "What else."
