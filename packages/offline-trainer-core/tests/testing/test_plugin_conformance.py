"""`PluginConformance` passes for a sound plugin and says what is wrong with each broken one."""

from __future__ import annotations

import numpy as np  # noqa: F401 - in before pytester, which would import it a second time
import pytest

from offline_trainer.config.sections import PART_KINDS
from offline_trainer.testing import FakeDistributions, PluginConformance

pytest_plugins = ["pytester", "offline_trainer.testing.fixtures"]

SOUND = """
from offline_trainer.plugins.hooks import hookimpl
OT_PLUGIN_API = (1, 0)

class Data:
    pass

@hookimpl
def ot_register_components(registry):
    registry.add_lazy("data.kit", "ot_kit:Data", help="Test data.")
"""

SUITE = """
from offline_trainer.testing import PluginConformance

class TestPlugin(PluginConformance):
    plugin = "ot_kit"
"""

LAZY_KIT = '"data.kit", "ot_kit:Data", help="Test data."'

BROKEN = {
    "numpy in the plugin module": (
        "import numpy\n" + SOUND,
        "test_importing_and_registering_is_light_in_a_fresh_process",
        "importing ot_kit imports numpy",
    ),
    "a line at import": (
        "print('HELLO')\n" + SOUND,
        "test_importing_and_registering_is_light_in_a_fresh_process",
        "importing ot_kit prints 'HELLO'",
    ),
    "command that ot has": (
        SOUND.replace("data.kit", "cmd.run"),
        "test_it_brings_something_and_ot_finds_nothing_wrong",
        "its command `cmd.run` is not used: `ot run` is built in",
    ),
    "nothing in it": (
        SOUND.partition("    registry.add")[0] + "    pass\n",
        "test_it_brings_something_and_ot_finds_nothing_wrong",
        "ot_kit registers no key and has no other hook",
    ),
    "kind that nobody reads": (
        SOUND.replace("data.kit", "dat.kit"),
        "test_every_name_leads_somewhere",
        "dat.kit: no section takes this kind; did you mean `data`?",
    ),
    "former name of nothing": (
        SOUND + '    registry.add_alias("data.old", "data.new", since="2")\n',
        "test_every_name_leads_somewhere",
        "there is no `data.new`",
    ),
    "former name that is in use": (
        SOUND + '    registry.add_alias("data.table", "data.kit", since="2")\n',
        "test_every_name_leads_somewhere",
        "`data.table` is called `data.kit` since ot-kit 2: but a component has the former key",
    ),
    "no API": (
        SOUND.replace("OT_PLUGIN_API = (1, 0)", ""),
        "test_it_loads",
        "add the line `OT_PLUGIN_API = (1, 0)`",
    ),
    "misspelt hook": (
        SOUND.replace("ot_register_components", "ot_register_component"),
        "test_it_loads",
        "did you mean ot_register_components",
    ),
    "target that is not there": (
        SOUND.replace("ot_kit:Data", "ot_kit:Date"),
        "test_every_target_resolves_or_says_what_it_needs",
        "has no attribute 'Date'",
    ),
    "target that makes nothing": (
        SOUND.replace("ot_kit:Data", "ot_kit:OT_PLUGIN_API"),
        "test_every_target_resolves_or_says_what_it_needs",
        "ot_kit:OT_PLUGIN_API is not callable",
    ),
    "no help": (
        SOUND.replace('"Test data."', '" "'),
        "test_every_key_has_help_of_one_line",
        "to data.kit",
    ),
    "first-party key": (
        SOUND.replace("data.kit", "data.table"),
        "test_no_key_is_one_of_the_first_party",
        "has data.table already",
    ),
    "another object each time": (
        SOUND.replace(f"add_lazy({LAZY_KIT})", 'add("data.kit", lambda: 0, help="Test data.")'),
        "test_loading_it_twice_changes_nothing",
        "lambda",
    ),
    "entry that only this process has": (
        SOUND.replace(f"add_lazy({LAZY_KIT})", 'add("data.kit", lambda: 0, help="Test data.")'),
        "test_its_entries_pickle",
        "lambda",
    ),
}


def run_suite(pytester: pytest.Pytester, only: str = "") -> pytest.RunResult:
    pytester.makepyfile(test_suite=SUITE)
    return pytester.runpytest_inprocess(
        "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-rfs", "-k", only
    )


class TestCore(PluginConformance):
    plugin = "core"


def test_a_sound_plugin_passes(pytester: pytest.Pytester, ot_fake_dist: FakeDistributions) -> None:
    ot_fake_dist(SOUND, module="ot_kit")
    run_suite(pytester).assert_outcomes(passed=9)


def test_a_key_replaced_on_purpose_is_no_clash(
    pytester: pytest.Pytester, ot_fake_dist: FakeDistributions
) -> None:
    source = SOUND.replace("data.kit", "data.table").replace(
        'help="', 'replaces="Offline_Trainer.Core", help="'
    )
    ot_fake_dist(source, module="ot_kit")
    run_suite(pytester).assert_outcomes(passed=9)


def test_a_missing_requirement_is_said(
    pytester: pytest.Pytester, ot_fake_dist: FakeDistributions
) -> None:
    source = SOUND.replace('help="', 'requires=("nothing_of_that_name",), help="')
    ot_fake_dist(source, module="ot_kit")
    result = run_suite(pytester)
    result.assert_outcomes(passed=8, skipped=1)
    result.stdout.fnmatch_lines(["*not installed here: nothing_of_that_name, for data.kit*"])


@pytest.mark.parametrize("kind", PART_KINDS)
def test_a_kind_that_only_other_components_take_is_known(
    pytester: pytest.Pytester, ot_fake_dist: FakeDistributions, kind: str
) -> None:
    ot_fake_dist(SOUND.replace("data.kit", f"{kind}.kit"), module="ot_kit")
    run_suite(pytester, only="every_name").assert_outcomes(passed=1, deselected=8)


@pytest.mark.parametrize("case", BROKEN)
def test_a_defect_fails_the_test_that_names_it(
    pytester: pytest.Pytester, ot_fake_dist: FakeDistributions, case: str
) -> None:
    source, test, message = BROKEN[case]
    ot_fake_dist(source, module="ot_kit")
    result = run_suite(pytester, only=test)
    result.assert_outcomes(failed=1, deselected=8)
    result.stdout.fnmatch_lines([f"FAILED test_suite.py::TestPlugin::{test}*"])
    assert message in result.stdout.str()


def test_a_plugin_that_is_not_installed_is_an_error_with_the_way_out(
    pytester: pytest.Pytester, ot_fake_dist: FakeDistributions
) -> None:
    ot_fake_dist(SOUND, module="ot_kit", plugin="ot_kot")
    result = run_suite(pytester)
    result.assert_outcomes(errors=9)
    result.stdout.fnmatch_lines(["*0 installed plugins are named 'ot_kit'*did you mean 'ot_kot'*"])
