"""The swap rule: which arguments of another component a layer left behind when it chose anew.

A base file configures one optimizer, an experiment chooses another. What the base said for the old
one and the new one does not know is dropped with a note; what the experiment says is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from model_constructor.call import Call
from model_constructor.entry import Entry
from model_constructor.errors import ConfigError, Span, format_config_path
from model_constructor.registry import Registry
from model_constructor.signatures import Signature
from model_constructor.source_map import Source, SourceMap, Version


@dataclass(frozen=True, slots=True)
class _Change:
    """A layer's choice of another component, where it is made, and what there was before."""

    layer: int
    span: Span | None
    before: str
    entry: Entry | None


def leave_behind(
    call: Call,
    sources: SourceMap,
    registry: Registry,
    signature_of: Callable[[Entry], Signature | None],
) -> tuple[Call, list[str]]:
    """The call without what lower layers gave to another component, and a note on each argument.

    Args:
        registry: Where what a lower layer had chosen is looked up.
        signature_of: Reads its signature.
    """
    signature = call.signature
    if signature is None:
        return call, []
    doubtful = {name: place for name, place in call.places.items() if not signature.accepts(name)}
    if not doubtful and not call.args:
        return call, []
    change = _change(sources.get(call.chosen_at), call.entry.key, registry)
    if change is None:
        return call, []
    dropped = {
        name: place
        for name, place in doubtful.items()
        if _is_older(sources.get(place), change.layer)
    }
    args_dropped = False
    if call.args and _is_older(sources.get(call.args_at), change.layer):
        # Positions mean something only to the component that they were written for.
        old = _signature(change.entry, signature_of)
        old = old.without_first(call.filled) if old is not None else None
        count = len(call.args)
        args_dropped = old is None or old.positional[:count] != signature.positional[:count]
    notes = []
    for place in [*dropped.values(), *([call.args_at] if args_dropped else [])]:
        span = sources.key_span(place)
        notes.append(
            f"{f'{span}: ' if span is not None else ''}`{format_config_path(place)}` is dropped: "
            f"{change.before} became {call.entry.key} at {change.span}, which does not take it"
        )
    kept = {name: value for name, value in call.kwargs.items() if name not in dropped}
    return replace(call, args=[] if args_dropped else call.args, kwargs=kept), notes


def _change(chosen: Source | None, key: str, registry: Registry) -> _Change | None:
    """The change of a component to what it is now; None if it was chosen once."""
    last: Version | None = None
    for version in chosen.versions() if chosen is not None else ():
        before = str(version.value)
        entry = _entry(before, registry)
        name = entry.key if entry is not None else before.partition("@")[0]
        if last is not None and name != key and version.value != last.value:
            return _Change(last.layer, last.span, before, entry)
        last = version
    return None


def _entry(key: str, registry: Registry) -> Entry | None:
    try:
        return registry.get_module(key)
    except ConfigError:
        return None


def _signature(
    entry: Entry | None, signature_of: Callable[[Entry], Signature | None]
) -> Signature | None:
    try:
        return signature_of(entry) if entry is not None else None
    except ConfigError:
        return None


def _is_older(source: Source | None, layer: int) -> bool:
    """Whether an argument comes from below a layer, and stood there before that layer too."""
    return (
        source is not None
        and source.layer < layer
        and any(version.layer < layer for version in source.versions())
    )
