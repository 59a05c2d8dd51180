"""`PluginConformance`: what every plugin must satisfy, whatever it brings."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Collection
from typing import ClassVar

import pytest

from model_constructor.errors import close_matches
from model_constructor.listing import first_few
from model_constructor.registry import Entry, Registry, kind_of, normalized
from offline_trainer.cli.built_in import NAMES
from offline_trainer.config.sections import PART_KINDS
from offline_trainer.plugins.discovery import Candidate, discover
from offline_trainer.plugins.heavy import HEAVY_MODULES
from offline_trainer.plugins.loader import Plugins
from offline_trainer.plugins.missing import FIRST_PARTY_KINDS
from offline_trainer.plugins.problems import problems_of
from offline_trainer.registry import build_registry
from offline_trainer.testing.loading import first_party_registry, load_only

_IMPORT_AND_REGISTER = """
import importlib, json, sys
sys.path[:], module = json.loads(sys.argv[1])
from model_constructor.registry import Registry
before = set(sys.modules)
plugin = importlib.import_module(module)
if hasattr(plugin, "ot_register_components"):
    plugin.ot_register_components(Registry())
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""


class PluginConformance:
    """Subclass it as ``TestMyPlugin`` and set `plugin`; pytest does the rest.

    The plugin has to be installed, for example with ``pip install --editable .``.

    Attributes:
        plugin: Its name: what is on the left in the entry point.
        heavy_modules: What the plugin module must not import; add the big ones that you use.
    """

    plugin: ClassVar[str]
    heavy_modules: ClassVar[Collection[str]] = HEAVY_MODULES

    @pytest.fixture
    def candidate(self) -> Candidate:
        """What discovery finds for the plugin."""
        installed = discover()
        found = [candidate for candidate in installed if candidate.name == self.plugin]
        if len(found) != 1:
            names = sorted({candidate.name for candidate in installed})
            near = close_matches(self.plugin, names)
            pytest.fail(
                f"{len(found)} installed plugins are named {self.plugin!r}, expected 1; "
                + (f"did you mean {near[0]!r}? " if near else f"there are {', '.join(names)}; ")
                + "install it with: pip install --editable .",
                pytrace=False,
            )
        return found[0]

    @pytest.fixture
    def entries(self, candidate: Candidate) -> list[Entry]:
        """The plugin's registry entries."""
        return build_registry(self._load(candidate)).entries()

    def test_importing_and_registering_is_light_in_a_fresh_process(
        self, candidate: Candidate
    ) -> None:
        done = subprocess.run(
            [sys.executable, "-c", _IMPORT_AND_REGISTER, json.dumps([sys.path, candidate.module])],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        *printed, imported = done.stdout.splitlines()
        assert not printed, (
            f"importing {candidate.module} prints {printed[0]!r}, and so would every `ot` command, "
            "in the middle of its JSON and of the shell's completions"
        )
        heavy = sorted(set(json.loads(imported)) & set(self.heavy_modules))
        assert not heavy, (
            f"importing {candidate.module} imports {', '.join(heavy)}, and every `ot` command "
            "would pay for it; import them in the modules of the components, and keep the "
            "__init__.py on the way empty"
        )

    def test_it_loads(self, candidate: Candidate) -> None:
        (status,) = self._load(candidate).statuses
        assert status.state == "ok", f"{status.reason}\n{status.traceback}"

    def test_it_brings_something_and_ot_finds_nothing_wrong(self, candidate: Candidate) -> None:
        plugins = self._load(candidate)
        (status,) = plugins.statuses
        callers = plugins.manager.get_hookcallers(plugins.manager.get_plugin(candidate.name)) or ()
        more = {caller.name for caller in callers} - {"ot_register_components"}
        assert status.keys or more, f"{candidate.module} registers no key and has no other hook"
        problems = problems_of(plugins, build_registry(plugins), NAMES)
        assert not problems, "\n".join(f"{p.text}; {p.help}" for p in problems)

    def test_every_name_leads_somewhere(self, candidate: Candidate) -> None:
        registry, first_party = build_registry(self._load(candidate)), first_party_registry()
        ours = {kind_of(key) for key in first_party}
        kinds = sorted({*ours, *FIRST_PARTY_KINDS, *PART_KINDS})
        for key in registry:
            near = close_matches(kind_of(key), kinds)
            # What is in a model may be of any kind.
            if kind_of(key) not in kinds and near and near[0] not in ("block", "nn", "op"):
                pytest.fail(f"{key}: no section takes this kind; did you mean `{near[0]}`?")
        for alias in registry.aliases():
            new = alias.component or alias.new
            assert new in registry or new in first_party, f"{alias}: there is no `{new}`"
            is_key = not alias.component and alias.old in {*registry, *first_party}
            assert not is_key, f"{alias}: but a component has the former key, and it is used"

    def test_every_target_resolves_or_says_what_it_needs(self, entries: list[Entry]) -> None:
        waiting: dict[str, list[str]] = {}
        for entry in entries:
            missing = ", ".join(entry.missing_requirements())
            if missing:
                waiting.setdefault(missing, []).append(entry.key)
            else:
                assert callable(entry.target), f"{entry.key}: {entry.loads} is not callable"
        if waiting:
            said = "; ".join(
                f"{names}, for {first_few(keys, 3)}" for names, keys in waiting.items()
            )
            pytest.skip(f"the others resolve; not installed here: {said}")

    def test_every_key_has_help_of_one_line(self, entries: list[Entry]) -> None:
        unhelpful = [e.key for e in entries if not e.help.strip() or "\n" in e.help.strip()]
        assert not unhelpful, f"give help='One line.' to {', '.join(unhelpful)}"

    def test_no_key_is_one_of_the_first_party(self, entries: list[Entry]) -> None:
        first_party: dict[str, set[str]] = {}
        for entry in first_party_registry().entries():
            first_party.setdefault(entry.key, set()).add(normalized(entry.provider.distribution))
        taken = [
            entry.key
            for entry in entries
            if first_party.get(entry.key, set())
            - {normalized(entry.provider.distribution), normalized(entry.replaces or "")}
        ]
        assert not taken, (
            f"a first-party package has {', '.join(taken)} already, so that no config could use it;"
            " choose other names, or say replaces='<distribution>'"
        )

    def test_loading_it_twice_changes_nothing(self, candidate: Candidate) -> None:
        registry = Registry()
        seen = []
        for _ in range(2):
            plugins = self._load(candidate)
            for buffer in plugins.buffers:
                registry.commit(buffer)
            seen.append([(entry, entry.given) for entry in registry.entries()])
        first, second = seen
        assert first == second
        assert not registry.conflicts()

    def test_its_entries_pickle(self, entries: list[Entry]) -> None:
        for entry in entries:
            try:
                copy = pickle.loads(pickle.dumps(entry))
            except Exception as error:  # noqa: BLE001 - pickling runs the author's code
                pytest.fail(f"{entry.key} cannot go to a worker process, use add_lazy: {error}")
            assert copy == entry, f"{entry.key} is not the same in a worker process"

    def _load(self, candidate: Candidate) -> Plugins:
        return load_only([candidate])
