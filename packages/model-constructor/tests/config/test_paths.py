"""Paths as people type them: told apart from overrides, followed, corrected."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_constructor.config.paths import follow, split_arguments, value_at
from model_constructor.errors import ConfigError

DATA: dict[str, Any] = {
    "optimizer": {"kwargs": {"lr": 0.1, "betas": [0.9, 0.99]}},
    "callbacks": [
        {"_type_": "cb.model_checkpoint", "every": 5},
        {"_type_": "cb.early_stopping", "every": 5},
    ],
    "params": {"lr": 0.1},
}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("optimizer", ("optimizer",)),
        ("optimizer.kwargs.lr", ("optimizer", "kwargs", "lr")),
        ("optimizer.kwargs.betas[1]", ("optimizer", "kwargs", "betas", 1)),
        ("optimizer.kwargs.betas[-1]", ("optimizer", "kwargs", "betas", 1)),
        ("optimizer.kwargs.betas.0", ("optimizer", "kwargs", "betas", 0)),
        ("callbacks[_type_=cb.early_stopping].every", ("callbacks", 1, "every")),
    ],
)
def test_a_path_is_followed(text: str, path: tuple[str | int, ...]) -> None:
    assert follow(text, DATA) == path


@pytest.mark.parametrize(
    ("text", "code", "message", "suggestions"),
    [
        ("optimzer", "OT0221", "the configuration has no key `optimzer`", ["optimizer"]),
        (
            "optimizer.kwarg.Lr",
            "OT0221",
            "`optimizer` has no key `kwarg`",
            ["optimizer.kwargs.lr"],
        ),
        ("optimzer.kwarg.beta[1]", "OT0221", "no key `optimzer`", ["optimizer.kwargs.betas[1]"]),
        ("lr", "OT0221", "no key `lr`", ["optimizer.kwargs.lr", "params.lr"]),
        ("optimizer.lr", "OT0221", "`optimizer` has no key `lr`", ["optimizer.kwargs.lr"]),
        ("params.zzz", "OT0221", "`params` has no key `zzz`", []),
        ("params.lr.deep", "OT0221", "`params.lr` is a single value", []),
        ("params[0]", "OT0221", "`params` is a mapping, not a list", []),
        ("callbacks[7]", "OT0222", "`callbacks` has 2 items and no `[7]`", []),
        ("callbacks.--1", "OT0222", "`callbacks` has 2 items and no `--1`", []),
        ("callbacks.name", "OT0222", "`callbacks` has 2 items and no `name`", []),
        ("callbacks[every=5]", "OT0222", "`callbacks` has 2 items with [every=5]", []),
        (
            "callbacks[_type_=cb.early_stoping]",
            "OT0222",
            "`callbacks` has no items with [_type_=cb.early_stoping]",
            ["callbacks[_type_=cb.early_stopping]"],
        ),
        ("a..b", "OT0220", "path `a..b`: expected a key here", []),
        ("[0]", "OT0220", "path `[0]`: expected a path", []),
        ("", "OT0220", "path ``: expected a path", []),
        ("a=1", "OT0220", "a path has no value", []),
    ],
)
def test_a_path_that_leads_nowhere(
    text: str, code: str, message: str, suggestions: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        follow(text, DATA)
    assert caught.value.code == code
    assert message in caught.value.message
    assert list(caught.value.suggestions) == suggestions


@given(st.text("abr.[]=-+~${}0 lt", max_size=20))
def test_no_text_is_followed_to_another_exception(text: str) -> None:
    with suppress(ConfigError):
        value_at(DATA, follow(text, DATA))
    paths, overrides = split_arguments([text])
    assert [*paths, *overrides] == [text]


@pytest.mark.parametrize(
    "override",
    ["a=1", "a.b+=1", "a-=1", "~a", "++a.b=1", "a[x=y].b=1", "a[x=y]=1", "a b=1", "=1", "a[=1"],
)
def test_an_override_is_no_path(override: str) -> None:
    assert split_arguments(["a.b", override, "a[x=y].c"]) == (["a.b", "a[x=y].c"], [override])
