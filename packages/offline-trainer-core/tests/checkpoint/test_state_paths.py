"""The state beside the tensors, by path."""

from __future__ import annotations

from offline_trainer.checkpoint.state_paths import leaves, parent_of, summary
from offline_trainer.engine import Json

STATE: Json = {
    "sgd": {
        "betas": {"$tuple": [0.9, 0.99]},
        "averages": {"$map": [[0, {"$tensor": "sgd.0"}]]},
        "seen": [1] * 600,
        "groups": [{"lr": 0.1, "fused": None}],
        "class": "SGD",
    },
    "best": float("inf"),
    "empty": {},
    "none": [],
}


def test_a_summary_leaves_out_tags_and_counts_what_is_long() -> None:
    assert list(summary(STATE)) == [
        ("sgd.betas", "[0.9, 0.99]"),
        ("sgd.averages[0][0]", "0"),
        ("sgd.seen", "600 items"),
        ("sgd.groups[0].lr", "0.1"),
        ("sgd.groups[0].fused", "null"),
        ("sgd.class", "SGD"),
        ("best", "inf"),
        ("none", "[]"),
    ]


def test_leaves_are_all_there_is_and_a_long_list_is_one() -> None:
    found = dict(leaves(STATE))
    assert found["sgd.betas.$tuple[1]"] == 0.99
    assert found["sgd.averages.$map[0][1].$tensor"] == "sgd.0"
    assert (found["sgd.seen"], found["empty"], found["none"]) == ([1] * 600, {}, [])
    assert len(found) == 11


def test_no_two_paths_are_written_alike() -> None:
    state = {"a": {"b": 1, "[0]": 2, "": 3}, "a.b": 4, "a[0]": 5, 'a["b"]': 6, "c": [7]}
    assert list(leaves(state)) == [
        ("a.b", 1),
        ('a["[0]"]', 2),
        ('a[""]', 3),
        ('["a.b"]', 4),
        ('["a[0]"]', 5),
        ('["a[\\"b\\"]"]', 6),
        ("c[0]", 7),
    ]


def test_what_a_path_is_below() -> None:
    assert parent_of("loop.metrics.val_loss") == "loop.metrics"
    assert parent_of("loop") == ""
