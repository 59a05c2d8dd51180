"""The swap rule: which arguments of another component a layer left behind when it chose anew.

A base file configures one optimizer, an experiment chooses another. What the base said for the old
one and the new one does not know is dropped with a note; what the experiment says is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from model_constructor.call import Call
from model_constructor.errors import format_config_path
from model_constructor.signatures import Signature
from model_constructor.source_map import Source, SourceMap

COMMAND_LINE = "<cli:"

SignatureOfKey = Callable[[str], Signature | None]


def leave_behind(
    call: Call, sources: SourceMap, signature_of: SignatureOfKey
) -> tuple[Call, list[str]]:
    """The call without what lower layers gave to another component, and a note on each argument.

    Args:
        signature_of: Looks up what a lower layer had chosen; None where that is not known.
    """
    signature = call.signature
    chosen = sources.get(call.chosen_at)
    changed = _changed(chosen, call.entry.key) if chosen is not None else None
    if signature is None or chosen is None or changed is None:
        return call, []
    layer, before = changed
    dropped = [
        name
        for name, place in call.places.items()
        if not signature.accepts(name) and _is_lower(sources.get(place), layer, chosen)
    ]
    args_dropped = False
    if call.args and _is_lower(sources.get(call.args_at), layer, chosen):
        # Positions mean something only to the component that they were written for.
        old = signature_of(before)
        old = old.without_first(call.filled) if old is not None else None
        count = len(call.args)
        args_dropped = old is None or old.positional[:count] != signature.positional[:count]
    if not dropped and not args_dropped:
        return call, []
    places = [call.places[name] for name in dropped] + ([call.args_at] if args_dropped else [])
    notes = []
    for place in places:
        span = sources.key_span(place)
        notes.append(
            f"{f'{span}: ' if span is not None else ''}`{format_config_path(place)}` is dropped: "
            f"{before} became {call.entry.key} at {chosen.span}, which does not take it"
        )
    kept = {name: value for name, value in call.kwargs.items() if name not in dropped}
    return replace(call, args=[] if args_dropped else call.args, kwargs=kept), notes


def _changed(chosen: Source, key: str) -> tuple[int, str] | None:
    """The layer that changed a component's key to what it is now, and what it was before."""
    layer = chosen.layer
    for lower, value in reversed(chosen.earlier):
        before = str(value).partition("@")[0]
        if before != key:
            return layer, str(value)
        layer = lower
    return None


def _is_lower(source: Source | None, layer: int, chosen: Source) -> bool:
    """Whether a value comes from below the layer that chose; all arguments of `ot` are one."""
    if source is None or source.layer >= layer:
        return False
    return not (_on_command_line(source) and _on_command_line(chosen))


def _on_command_line(source: Source) -> bool:
    return source.span is not None and source.span.file.startswith(COMMAND_LINE)
