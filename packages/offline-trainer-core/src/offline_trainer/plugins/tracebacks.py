"""A plugin's traceback, cut to what its author can act on."""

from __future__ import annotations

import traceback
from types import TracebackType

_LOADING = ("importlib", "pluggy", "offline_trainer.plugins", "model_constructor.entry")


def own_traceback(error: BaseException, module: str) -> str:
    """The traceback as text: frames of the plugin's own package, and the one that raised.

    Empty where nothing but loading is in it, such as for a module that is not there.

    Args:
        error: What a plugin raised while it was loaded.
        module: The plugin's module; its first part names the package whose frames are kept.
    """
    shown = traceback.TracebackException.from_exception(error)
    part: traceback.TracebackException | None = shown
    source: BaseException | None = error
    while part is not None and source is not None:
        part.stack = _own_frames(source.__traceback__, module.partition(".")[0])
        if part.__cause__ is not None:
            part, source = part.__cause__, source.__cause__
        else:
            part, source = part.__context__, source.__context__
    has_frames = shown.stack or shown.__cause__ or shown.__context__
    return "".join(shown.format()) if has_frames or isinstance(error, SyntaxError) else ""


def _own_frames(trace: TracebackType | None, package: str) -> traceback.StackSummary:
    frames = [
        (frame, line)
        for frame, line in traceback.walk_tb(trace)
        if not _is_within(frame.f_globals.get("__name__", ""), _LOADING)
        # The import system's frames are frozen and have names of their own.
        and not frame.f_code.co_filename.startswith("<frozen ")
    ]
    kept = [
        (frame, line)
        for position, (frame, line) in enumerate(frames)
        if position == len(frames) - 1 or _is_within(frame.f_globals.get("__name__", ""), [package])
    ]
    return traceback.StackSummary.extract(iter(kept))


def _is_within(module: str, packages: tuple[str, ...] | list[str]) -> bool:
    return any(module == name or module.startswith(name + ".") for name in packages)
