"""Lines on a terminal break between words; elsewhere they stay one line."""

from __future__ import annotations

import io

import pytest

from offline_trainer.notices import wrapped

LINE = (
    "ot: plugin 'lion' (ot-lion 0.2.0) not loaded: ModuleNotFoundError: No module named "
    "'lion_pytorch'  [ot doctor lion | OT_DISABLE_PLUGINS=lion]"
)


class Terminal(io.StringIO):
    """A stream that somebody looks at."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_line_breaks_between_words_and_never_inside_what_to_type(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = wrapped(LINE, Terminal(), indent="    ").splitlines()
    assert all(len(line) <= columns for line in lines)
    assert " ".join(" ".join(lines).split()) == " ".join(LINE.split())
    assert lines[-1].endswith("[ot doctor lion | OT_DISABLE_PLUGINS=lion]")
    assert all(line.startswith("    ") for line in lines[1:])


def test_a_piped_line_is_left_whole() -> None:
    assert wrapped(LINE, io.StringIO()) == LINE
