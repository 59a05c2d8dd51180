"""Errors as data for programs."""

from __future__ import annotations

import json

from model_constructor.error_records import error_records
from model_constructor.errors import MAX_SHOWN_ERRORS, ConfigError, ConfigErrors, Note, Span


def test_a_record_has_all_that_the_error_has() -> None:
    error = ConfigError(
        "unknown key `lrr`",
        code="OT0312",
        config_path=("callbacks", 0, "lrr"),
        span=Span("x.yaml", 3, 5, 3, 8),
        suggestions=("lr",),
        label="not a parameter",
        notes=[Note("chosen here", Span("y.yaml", 1, 2, 1, 3)), Note("no place")],
        help="ot describe cb.x",
    )
    place = {"file": "y.yaml", "line": 1, "column": 2, "end_line": 1, "end_column": 3}
    assert error_records(error) == [
        {
            "code": "OT0312",
            "message": "unknown key `lrr`",
            "config_path": ["callbacks", 0, "lrr"],
            "path": "callbacks[0].lrr",
            "location": {"file": "x.yaml", "line": 3, "column": 5, "end_line": 3, "end_column": 8},
            "suggestions": ["lr"],
            "label": "not a parameter",
            "notes": [
                {"text": "chosen here", "location": place},
                {"text": "no place", "location": None},
            ],
            "help": "ot describe cb.x",
            "page": "ot explain OT0312",
        }
    ]


def test_records_are_plain_json_also_of_strange_paths() -> None:
    error = ConfigError("bad", config_path=("a\ud800", 1))
    assert json.loads(json.dumps(error_records(error)))[0]["config_path"] == ["a\ud800", 1]


def test_all_errors_are_there_in_reading_order() -> None:
    errors = [ConfigError(str(n), span=Span("x.yaml", n, 1, n, 2)) for n in range(30, 0, -1)]
    records = error_records(ConfigErrors(errors))
    assert [record["message"] for record in records] == [str(n) for n in range(1, 31)]
    assert len(records) > MAX_SHOWN_ERRORS
