"""Finds the weights in what a file holds: the file itself, or somewhere in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from model_constructor.errors import close_matches
from offline_trainer_torch.weight_file import WeightFileError, listed

WRAPPERS = (
    *("state_dict", "model_state_dict", "model_state", "model", "module"),
    *("network", "net", "weights", "params", "parameters"),
)
"""Keys under which people save a model's state dict, in the order in which they are looked for."""

WHOLE = "."
"""In place of a key: the whole file."""

EXTRA = "_extra_state"
_DEEPEST = 16
_MOST_ITEMS = 1 << 20
_LARGEST_KEY = 1 << 64


@dataclass(frozen=True, slots=True)
class Found:
    """Weights of a file.

    Attributes:
        key: Where they were, such as ``model.state_dict``; empty for the file itself.
        values: Name → tensor, or the extra state of a module; nested names are joined by dots.
        left_out: Keys beside them, and names under which there was no tensor.
    """

    key: str
    values: dict[str, Any]
    left_out: list[str] = field(default_factory=list)


def find_weights(content: Any, key: str | None = None) -> Found:
    """The state dict in what a file holds.

    Args:
        content: What `read_weight_file` returned.
        key: Where it is, keys joined by dots, or ``.`` for all of it; looked for without.

    Raises:
        WeightFileError: It is not there, or there are several.
    """
    if key is not None:
        return _flattened(key, content if key == WHOLE else _follow(content, key), [])
    path: list[str] = []
    beside: list[str] = []
    while isinstance(content, Mapping):
        inner = next((each for each in WRAPPERS if _has_tensor(content.get(each))), None)
        if inner is None:
            break
        beside += [".".join([*path, _text(each)]) for each in content if each != inner]
        path.append(inner)
        content = content[inner]
    if not isinstance(content, Mapping):
        raise WeightFileError(f"the file holds a {type(content).__name__}, not a dict of tensors")
    if not any(isinstance(value, torch.Tensor) for value in content.values()):
        keys = {_text(each): each for each in content}
        trees = [text for text, each in keys.items() if _is_weights(content[each])]
        if 1 < len(trees) < len(content):
            raise WeightFileError(
                f"the file holds several state dicts: {listed(trees)}",
                help=f"choose one (--key {trees[0]}), or all of them (--key {WHOLE})",
            )
        if len(trees) == 1:
            (inner,) = trees
            beside += [each for each in keys if each != inner]
            path.append(inner)
            content = content[keys[inner]]
        elif not trees:
            raise WeightFileError(
                f"the file holds no state dict; its keys are {listed(keys)}",
                help="if it is inside of one of them: --key …",
            )
    return _flattened(".".join(path), content, beside)


def _follow(content: Any, key: str) -> Any:
    """What is under a path; a key may itself have dots."""
    rest = key
    while rest:
        if not isinstance(content, Mapping):
            raise WeightFileError(f"--key {key}: there is nothing below `{key[: -len(rest) - 1]}`")
        keys = {_text(each): each for each in content}
        fits = [each for each in keys if rest == each or rest.startswith(f"{each}.")]
        if not fits:
            near = close_matches(rest.partition(".")[0], keys)
            hint = f"; did you mean {' or '.join(f'`{each}`' for each in near)}?" if near else ""
            raise WeightFileError(
                f"--key {key}: there is no `{rest}`{hint}", help=f"keys are {listed(keys)}"
            )
        chosen = max(fits, key=len)
        content, rest = content[keys[chosen]], rest[len(chosen) + 1 :]
    return content


def _has_tensor(value: Any) -> bool:
    """Whether it is a dict with a tensor, however deep."""
    if not isinstance(value, Mapping):
        return False
    return any(isinstance(leaf, torch.Tensor) for _, leaf in _leaves(value))


def _is_weights(value: Any) -> bool:
    """Whether it is a dict with tensors and nothing else, however deep."""
    if not isinstance(value, Mapping):
        return False
    leaves = [leaf for name, leaf in _leaves(value) if not name.endswith(EXTRA)]
    return bool(leaves) and all(isinstance(leaf, torch.Tensor) for leaf in leaves)


def _flattened(key: str, content: Any, beside: list[str]) -> Found:
    if not isinstance(content, Mapping):
        raise WeightFileError(f"`{key}` is a {type(content).__name__}, not a dict of tensors")
    values: dict[str, Any] = {}
    for name, value in _leaves(content):
        if not isinstance(value, torch.Tensor) and not name.endswith(EXTRA):
            beside.append(name)
        elif name in values:
            raise WeightFileError(f"two tensors of the file are called `{name}`")
        else:
            values[name] = value
    if not any(isinstance(value, torch.Tensor) for value in values.values()):
        raise WeightFileError(f"there is no tensor in {f'`{key}`' if key else 'the file'}")
    return Found(key, values, beside)


def _leaves(value: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Names and values of nested dicts, in their order; a file may hold a dict in itself."""
    rest = [("", iter(value.items()))]
    count = 0
    while rest:
        prefix, items = rest[-1]
        pair = next(items, None)
        if pair is None:
            rest.pop()
            continue
        key, item = pair
        count += 1
        name = f"{prefix}{_text(key)}"
        if isinstance(item, Mapping) and not name.endswith(EXTRA):
            rest.append((f"{name}.", iter(item.items())))
        else:
            yield name, item
        if len(rest) > _DEEPEST or count > _MOST_ITEMS:
            raise WeightFileError("the file is nested too deeply for a state dict")


def _text(key: Any) -> str:
    """A key as part of a name; a file may have anything for a key."""
    if isinstance(key, str) or (isinstance(key, int) and abs(key) < _LARGEST_KEY):
        return str(key)
    return f"<{type(key).__name__}>"
