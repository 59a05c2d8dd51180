"""Hooks that are none, or take what they are not given: said in our words, with the place."""

from __future__ import annotations

import sys

import pytest
from made_up_plugins import GOOD, Install, status_of

from offline_trainer.plugins.loader import load_plugins

CHECKS = GOOD + "\n@hookimpl\ndef ot_check_config({arguments}):\n    pass\n"

WRONG = {
    "misspelt hook": (
        GOOD.replace("ot_register_components", "ot_register_component"),
        "unknown hook ot_register_component ({file}:5); did you mean ot_register_components?",
    ),
    "hook of another tool": (
        GOOD.replace("ot_register_components", "pytest_configure"),
        "unknown hook pytest_configure ({file}:5); hooks are ot_register_components, ",
    ),
    "misspelt argument": (
        CHECKS.replace("{arguments}", "config, rapport"),
        "ot_check_config ({file}:9) takes 'rapport', which ot does not pass; "
        "did you mean report?; it passes: config, report",
    ),
    "invented argument": (
        GOOD.replace("(registry)", "(registry, colour)"),
        "ot_register_components ({file}:5) takes 'colour', which ot does not pass; "
        "it passes: registry",
    ),
    "no decorator": (
        GOOD.replace("@hookimpl", ""),
        "ot_register_components ({file}:6) is not marked with @hookimpl",
    ),
    "wrapper": (
        GOOD.replace("@hookimpl", "@hookimpl(wrapper=True)") + "    yield\n",
        "ot_register_components ({file}:5) is a wrapper, which is not supported",
    ),
    "generator": (
        GOOD + "    yield\n",
        "ot_register_components ({file}:5) is a generator; a hook is a plain function",
    ),
    "coroutine": (
        GOOD.replace("def ", "async def "),
        "ot_register_components ({file}:5) is a coroutine; a hook is a plain function",
    ),
    "class": (
        GOOD + "\n@hookimpl\nclass ot_run_start:\n    pass\n",
        "ot_run_start is a class; a hook is a plain function",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_hook_is_told_with_its_place_and_without_a_traceback(
    install: Install, case: str
) -> None:
    source, reason = WRONG[case]
    install("wrong", source)
    status = status_of(load_plugins(), "wrong")
    file = sys.modules["wrong"].__file__
    assert status.state == "error"
    assert status.reason.startswith(reason.replace("{file}", str(file)))
    assert status.traceback == ""
    assert status.keys == ()


def test_a_hook_may_take_fewer_arguments_and_have_defaults(install: Install) -> None:
    install("fine", CHECKS.replace("{arguments}", "report, mine=3"))
    assert status_of(load_plugins(), "fine").state == "ok"


def test_a_hook_that_ends_the_program_ends_nothing(install: Install) -> None:
    install("leaving", GOOD + "\n@hookimpl\ndef ot_environment():\n    raise SystemExit(3)\n")
    calls = load_plugins().call_each("ot_environment", only={"leaving"}, thorough=False)
    ((plugin, result),) = calls
    assert (plugin, isinstance(result, Exception)) == ("leaving", True)
    assert "SystemExit: 3" in str(result)
