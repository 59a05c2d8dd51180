"""The arguments of a call against the signature of what it calls, without making it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from model_constructor.call import ARGS_KEY, TARGET_KEY, Call
from model_constructor.entry import Entry, normalized
from model_constructor.errors import ConfigError, Note, Span
from model_constructor.other_names import likely_names
from model_constructor.source_map import SourceMap

MAX_ACCEPTED_SHOWN = 6


@dataclass(frozen=True, slots=True)
class ArgumentCheck:
    """What the checks of all calls of one config share.

    Args:
        sources: Places of the values.
        strict: ``settings.strict``; when false, unknown names of a ``best_effort`` component pass.
        included_at: For an included file, the line that includes it.
    """

    sources: SourceMap
    strict: bool = True
    included_at: Mapping[str, Span] | None = None

    def unknown_names(self, call: Call) -> list[str]:
        """The keyword arguments that the component does not have, where it is known to mind."""
        signature = call.signature
        if signature is None or call.entry.signature == "runtime_only":
            return []
        return [name for name in call.kwargs if not signature.accepts(name)]

    def errors(self, call: Call) -> Iterator[ConfigError]:
        """Everything wrong with the names and the number of the arguments."""
        entry, signature, sources = call.entry, call.signature, self.sources
        if signature is None or entry.signature == "runtime_only":
            return
        if entry.signature == "strict" or self.strict:
            for name in self.unknown_names(call):
                yield self.unknown_name(call, name, list(signature.parameters))
        filled = signature.positional[: len(call.args)]
        for name in filled:
            if name in call.kwargs:
                where = call.places[name]
                yield ConfigError(
                    f"`{name}` of {entry.key} is given twice: in `{call.args_at[-1]}` and by name",
                    code="OT0313",
                    config_path=where,
                    span=sources.key_span(where),
                    notes=[Note(f"`{call.args_at[-1]}` here", sources.span(call.args_at))],
                )
        if len(call.args) > len(signature.positional) and not signature.any_positional:
            yield ConfigError(
                f"{entry.key} takes at most {len(signature.positional)} positional arguments, "
                f"got {len(call.args)}",
                code="OT0313",
                config_path=call.args_at,
                span=sources.span(call.args_at),
                help=f"in this order: {_listed(signature.positional)}",
            )
        missing = [
            name for name in signature.required() if name not in call.kwargs and name not in filled
        ]
        if missing:
            yield self.missing_names(call, missing)

    def unknown_name(self, call: Call, name: str, accepted: list[str]) -> ConfigError:
        entry, where = call.entry, call.places[name]
        describe = "" if call.chosen_at[-1] == TARGET_KEY else f"   (ot describe {entry.key})"
        return ConfigError(
            f"unknown key `{name}` for {entry.key}",
            code="OT0312",
            config_path=where,
            span=self.sources.key_span(where),
            suggestions=likely_names(name, accepted),
            label=f"not a parameter of {entry.key} ({origin_of(entry)})",
            notes=self.choice_notes(call, name),
            help=f"accepted: {_listed(accepted) or 'nothing'}{describe}",
        )

    def missing_names(self, call: Call, missing: list[str]) -> ConfigError:
        names = ", ".join(f"`{name}`" for name in missing)
        return ConfigError(
            f"{call.entry.key} needs {names}",
            code="OT0314",
            config_path=call.path,
            span=self.sources.span(call.chosen_at),
            label=f"{names} {'is' if len(missing) == 1 else 'are'} required",
            help=f"add {', '.join(f'{name}: …' for name in missing)}"
            + ("" if call.args_at[-1] == ARGS_KEY else " under `kwargs`"),
        )

    def choice_notes(self, call: Call, name: str) -> list[Note]:
        """Where the component was chosen, if that is another layer than the argument's."""
        chosen = self.sources.get(call.chosen_at)
        given = self.sources.get(call.places[name])
        if chosen is None or chosen.span is None or given is None or chosen.layer == given.layer:
            return []
        text = f"`{call.chosen_at[-1]}: {call.entry.key}` was chosen here"
        notes = [Note(text, chosen.span)]
        file, included_at = chosen.span.file, self.included_at or {}
        while file in included_at and len(notes) <= len(included_at):
            notes.append(Note(f"{file} included here", included_at[file]))
            file = included_at[file].file
        return notes


def origin_of(entry: Entry) -> str:
    """The versions behind a component, the library's own too where another package brings it.

    Such as ``torch 2.13.0, from offline-trainer-torch 0.1.0``. Nothing is imported.
    """
    from importlib.metadata import PackageNotFoundError, version  # slow to load; errors only

    library = entry.loads.partition(":")[0].partition(".")[0]
    if entry.given is None and normalized(library) != normalized(entry.provider.distribution):
        try:
            public = version(library).partition("+")[0]  # without the build, such as `+cpu`
            return f"{library} {public}, from {entry.provider}"
        except PackageNotFoundError:
            pass  # a package under another name than its distribution's, such as core's own
    return str(entry.provider)


def _listed(names: list[str] | tuple[str, ...]) -> str:
    shown = ", ".join(names[:MAX_ACCEPTED_SHOWN])
    return f"{shown}, …" if len(names) > MAX_ACCEPTED_SHOWN else shown
