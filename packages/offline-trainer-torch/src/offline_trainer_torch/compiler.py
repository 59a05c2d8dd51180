"""torch's compiler: how it is called, and what it says."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch


class _OwnLimit(logging.Filter):
    """Keeps back what torch logs when it has compiled a whole step too often; the run tells it.

    Attributes:
        changing: Which value needed other code last, as torch writes it.
    """

    changing = ""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if "recompile_limit" not in text or "compiled_updates.py" not in text:
            return True
        found = re.search(r"last reason: \S+ (?:self\._)?(.+?)\s*(?:#|$)", text, re.MULTILINE)
        self.changing = found[1] if found else ""
        return False


_LIMIT = _OwnLimit()


def captures_a_graph(options: Mapping[str, Any]) -> bool:
    """Whether such a step is captured once and replayed."""
    in_backend = options.get("options", {}).get("triton.cudagraphs", False)
    return bool(in_backend) or options.get("backend") == "cudagraphs"


def compiler() -> Any:
    """`torch.compile`, with limits that each compiled function has for itself where it can."""
    logging.getLogger("torch._dynamo.convert_frame").addFilter(_LIMIT)
    return partial(torch.compile, isolate_recompiles=True) if can_isolate() else torch.compile


def can_isolate() -> bool:
    """Whether this torch counts how often it compiles for each compiled function."""
    return "isolate_recompiles" in inspect.signature(torch.compile).parameters


def layout(value: Any) -> Any:
    """Shapes and dtypes of nested tensors and arrays; of anything else, its type."""
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return value.shape, value.dtype
    if isinstance(value, dict):
        return {key: layout(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [layout(item) for item in value]
    return type(value)


def is_of_compiler(error: Exception) -> bool:
    """Whether an error came out of compiling, not out of what was compiled."""
    return type(error).__module__.startswith(("torch._dynamo", "torch._inductor"))


def reason(error: Exception) -> str:
    """What a compiler says, without what it says to its own developers, as one line.

    >>> reason(RuntimeError("no compiler\nwas found\n\nSee also ..."))
    'no compiler was found'
    """
    whole = str(error).strip()
    text = " ".join(whole.partition("\n\n")[0].partition("Explanation:")[0].split())
    if type(error).__name__ == "FailOnRecompileLimitHit":
        text = "values in Python that change from step to step need other code too often"
        return f"{text} ({_LIMIT.changing})" if _LIMIT.changing else text
    if "data-dependent" in text.lower():
        text = "a number is read back (.item(), or `if` on a tensor) while the step is computed"
    places = re.findall(r'File "([^"]+)", line (\d+)', whole)
    return (text or type(error).__name__) + (f" ({':'.join(places[-1])})" if places else "")
