"""Where a config holds components of which the place decides the kind."""

from __future__ import annotations

from typing import Any

from offline_trainer.config.sections import section_specs

SPEC = {"_type_": "a.b"}


def places(data: dict[str, Any]) -> dict[str, str]:
    return {".".join(map(str, path)): kind for path, kind, _ in section_specs(data)}


def test_sections_hold_one_component_or_several() -> None:
    data = {"loss": SPEC, "optimizer": {"head": SPEC}, "callbacks": [SPEC, 1], "data": 1}
    assert places(data) == {
        "loss": "loss",
        "optimizer.head": "optim_factory",
        "callbacks.0": "cb",
    }


def test_what_starts_a_model_has_its_kind_alone_and_by_pattern() -> None:
    one = {"init": SPEC, "pretrained": SPEC, "freeze": ["a"], "sequential": {"layers": [SPEC]}}
    assert places({"model": one}) == {"model.init": "init", "model.pretrained": "pretrained"}
    several = {"a": {"init": {"*.weight": SPEC, "b": 1}}, "b": None}
    assert places({"models": several}) == {"models.a.init.*.weight": "init"}
