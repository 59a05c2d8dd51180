"""What code of others raises and prints, whatever that is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from model_constructor.errors import ConfigError
from model_constructor.foreign import error_text, raised_at, text_and_line
from model_constructor.instantiate import instantiate_value
from model_constructor.registry import Registry


class Mute(Exception):
    def __str__(self) -> str:
        raise BaseException("not even this")


@pytest.mark.parametrize("error", [SystemExit(0), GeneratorExit(), Mute()])
def test_whatever_a_component_raises_names_it_and_its_place(error: BaseException) -> None:
    def fail() -> None:
        raise error

    registry = Registry()
    registry.add("part.failing", fail)
    with pytest.raises(ConfigError, match=r"part\.failing .*" + type(error).__name__) as caught:
        instantiate_value({"_type_": "part.failing"}, registry=registry, path=("loss",))
    assert (caught.value.code, caught.value.config_path) == ("OT0321", ("loss",))


@pytest.mark.parametrize("kind", ["SystemExit(0)", "GeneratorExit()", "BaseException('x')"])
def test_whatever_a_lazy_targets_import_raises_names_its_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "raising_at_import.py").write_text(f"raise {kind}")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry()
    registry.add_lazy("part.raising", "raising_at_import:Part", help="Raises.")
    with pytest.raises(ConfigError, match=r"`part\.raising` from this process") as caught:
        _ = registry.get_module("part.raising").target
    assert caught.value.code == "OT0304"


def test_a_requirement_whose_parent_raises_anything_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "leaving_parent").mkdir()
    (tmp_path / "leaving_parent" / "__init__.py").write_text("print('x')\nraise SystemExit(0)")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry()
    registry.add("part.waiting", Mute, requires=("leaving_parent.inner",))
    (entry,) = registry.entries()
    assert entry.missing_requirements() == ("leaving_parent.inner",)
    assert capsys.readouterr() == ("", "x\n")


def test_what_a_component_raises_is_told_with_the_authors_line() -> None:
    def fail() -> None:
        int("x")

    registry = Registry()
    registry.add("part.failing", fail)
    told = r"could not be built: ValueError: invalid literal .* \(.*test_foreign\.py:\d+\)"
    with pytest.raises(ConfigError, match=told):
        instantiate_value({"_type_": "part.failing"}, registry=registry)


def test_an_exit_is_told_with_its_place_once() -> None:
    with pytest.raises(SystemExit) as caught:
        sys.exit(3)
    assert text_and_line(caught.value) == error_text(caught.value)
    assert text_and_line(caught.value).count(__file__) == 1


def test_ctrl_c_in_a_component_is_let_through() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    registry = Registry()
    registry.add("part.interrupted", interrupted)
    with pytest.raises(KeyboardInterrupt):
        instantiate_value({"_type_": "part.interrupted"}, registry=registry)


def test_an_exception_without_a_message_still_has_a_type_and_a_line() -> None:
    assert error_text(Mute()) == "Mute: (no message: its __str__ raised BaseException)"
    with pytest.raises(Mute) as caught:
        raise Mute
    assert raised_at(caught.value).startswith(f"{__file__}:")
    assert raised_at(Mute()) == ""


PRINTING = """
import os, sys
from model_constructor.foreign import stdout_to_stderr
print("ours before")
with stdout_to_stderr():
    print("by print")
    sys.__stdout__.write("by a kept stream\\n")
    os.write(1, b"by the descriptor\\n")
    os.system("echo by a child")
print("ours after")
"""


def test_what_is_printed_inside_goes_to_stderr_however_it_is_printed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRINTING], capture_output=True, text=True, check=True
    )
    assert done.stdout == "ours before\nours after\n"
    assert sorted(done.stderr.splitlines()) == [
        "by a child",
        "by a kept stream",
        "by print",
        "by the descriptor",
    ]


def test_a_closed_stdout_is_no_reason_to_fail() -> None:
    program = (
        "import os; os.close(1)\nfrom model_constructor.foreign import stdout_to_stderr\n"
        "with stdout_to_stderr():\n    print('inside')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stderr == "inside\n"
