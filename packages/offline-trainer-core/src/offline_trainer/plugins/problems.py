"""What is wrong with the installed plugins: one line each, with the way out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from model_constructor.registry import Entry, Provider, Registry
from offline_trainer.errors import OfflineTrainerError
from offline_trainer.notices import notice
from offline_trainer.plugins.loader import Plugins, PluginStatus

ProblemKind = Literal["not-loaded", "conflict", "hidden-command", "heavy", "no-help"]

COMMAND_KIND = "cmd"
_MAX_LISTED = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one plugin.

    Attributes:
        kind: What sort of thing it is.
        status: The plugin.
        text: What is wrong.
        help: What to do.
        told_by_other: Whether the line of another plugin says the same: a conflict has two sides.
    """

    kind: ProblemKind
    status: PluginStatus
    text: str
    help: str
    told_by_other: bool = False

    def line(self) -> str:
        """The one line that goes to stderr."""
        if self.kind == "not-loaded":
            return self.status.problem()
        return f"{self.status}: {self.text}  {self.status.way_out()}"


def problems_of(
    plugins: Plugins, registry: Registry, built_in: Collection[str] = ()
) -> list[Problem]:
    """Everything wrong with the loaded plugins, in the order in which they were loaded.

    Args:
        plugins: The plugins of this process.
        registry: Their keys.
        built_in: What can be typed after ``ot`` without any plugin, and no plugin may take. A group
            of commands, to which plugins may add, has its name here and those of its commands.
    """
    conflicts = registry.conflicts()
    unhelpful: dict[Provider, list[str]] = {}
    for entry in registry.entries():
        if not entry.help.strip():
            unhelpful.setdefault(entry.provider, []).append(entry.key)
    problems = []
    for status in plugins.statuses:
        if status in plugins.problems():
            problems.append(Problem("not-loaded", status, status.reason, _leave_out(status)))
        elif status.state == "ok":
            conflict = _conflict_of(status, conflicts, registry)
            problems += [conflict] if conflict is not None else []
            problems += _problems_of_one(status, built_in, unhelpful.get(status.provider, []))
    return problems


def report(plugins: Plugins, problems: Sequence[Problem]) -> None:
    """One line on stderr for each problem, and for each name that matches no plugin."""
    for warning in plugins.warnings:
        notice(warning)
    for problem in problems:
        if not problem.told_by_other:
            notice(problem.line())


def require_none(problems: Sequence[Problem], *, strict: bool) -> None:
    """End the command if ``OT_STRICT_PLUGINS=1`` and anything is wrong with any plugin.

    Raises:
        OfflineTrainerError: It names each.
    """
    lines = [problem.line() for problem in problems if not problem.told_by_other]
    if strict and lines:
        count = "a problem with a plugin" if len(lines) == 1 else f"{len(lines)} plugin problems"
        raise OfflineTrainerError(
            "\n".join([f"OT_STRICT_PLUGINS=1 and {count}:", *lines]),
            help="ot doctor explains each; without OT_STRICT_PLUGINS ot goes on",
        )


def command_name(key: str) -> str | None:
    """What is typed after ``ot`` for a component of kind ``cmd``; None for other kinds.

    >>> command_name("cmd.make_video"), command_name("cmd.ckpt.import"), command_name("data.table")
    ('make-video', 'ckpt import', None)
    """
    kind, _, name = key.partition(".")
    return name.replace("_", "-").replace(".", " ") if kind == COMMAND_KIND else None


def command_ways_out(name: str, entries: Sequence[Entry]) -> str:
    """What to type where several plugins bring one command."""
    plugins = [f"`ot --no-plugin {entry.provider.plugin} {name}`" for entry in entries]
    last = entries[-1].provider.plugin
    return f"leave one out: {' or '.join(plugins)}, or OT_DISABLE_PLUGINS={last} for good"


def listed(names: Sequence[str]) -> str:
    """A few names, and how many more there are.

    >>> listed(["a", "b"]), listed(["a", "b", "c", "d"])
    ('`a`, `b`', '`a`, `b`, `c` and 1 more key')
    """
    shown = ", ".join(f"`{name}`" for name in names[:_MAX_LISTED])
    more = len(names) - _MAX_LISTED
    return shown if more <= 0 else f"{shown} and {more} more key{'' if more == 1 else 's'}"


def _conflict_of(
    status: PluginStatus, conflicts: Mapping[str, list[Entry]], registry: Registry
) -> Problem | None:
    """The keys that a plugin shares with others, as one problem."""
    shared: dict[tuple[Provider, ...], list[str]] = {}
    is_last = False
    for key, entries in conflicts.items():
        providers = tuple(entry.provider for entry in entries)
        if status.provider in providers:
            shared.setdefault(providers, []).append(key)
            is_last = is_last or providers[-1] == status.provider
    if not shared:
        return None
    texts = []
    for providers, keys in shared.items():
        others = " and ".join(str(other) for other in providers if other != status.provider)
        texts.append(
            f"{listed(keys)} {'is' if len(keys) == 1 else 'are'} also provided by {others}"
        )
    every = [key for keys in shared.values() for key in keys]
    # What helps with a key of a config helps with a command too, and says more.
    key = next((key for key in every if command_name(key) is None), every[0])
    command = command_name(key)
    if command is None:
        help = registry.conflict(key).help
    else:
        help = command_ways_out(command, conflicts[key])
    text = "; ".join([*texts, "none is used unless you say which"])
    return Problem("conflict", status, text, help, told_by_other=not is_last)


def _problems_of_one(
    status: PluginStatus, built_in: Collection[str], unhelpful: Sequence[str]
) -> Iterator[Problem]:
    """What is wrong with a plugin in use, whatever else is installed."""
    groups = {name.rpartition(" ")[0] for name in built_in} - {""}
    for key in status.keys:
        name = command_name(key)
        if name is None or not built_in:
            continue
        group = name.rpartition(" ")[0]
        if name in built_in:
            text = f"its command `{key}` is not used: `ot {name}` is built in"
            yield Problem("hidden-command", status, text, _leave_out(status))
        elif group and group not in groups:
            text = f"its command `{key}` is not used: `ot {group}` takes no commands of plugins"
            help = f"those that do are {', '.join(f'`ot {each}`' for each in sorted(groups))}"
            yield Problem("hidden-command", status, text, f"{help}; {_leave_out(status)}")
    if status.heavy_imports:
        places: dict[str, list[str]] = {}
        for module, place in status.heavy_imports.items():
            places.setdefault(place, []).append(module)
        said = "; ".join(f"{place} imports {', '.join(of)}" for place, of in places.items())
        names = ", ".join(status.heavy_imports)
        text = f"importing it imports {names}, so every ot command waits for that"
        help = f"{said}; leave that to the components' modules; {_leave_out(status)}"
        yield Problem("heavy", status, text, help)
    if unhelpful:
        text = f"no help for {listed(unhelpful)}; listings say nothing about it"
        help = f"give help='One line.' to each; {_leave_out(status)}"
        yield Problem("no-help", status, text, help)


def _leave_out(status: PluginStatus) -> str:
    name = status.typed_name()
    return f"OT_DISABLE_PLUGINS={name} leaves it out; pip uninstall {status.provider.distribution}"
