"""Merging one layer over another: mappings deep, lists whole, containers as they say.

A `Merger` goes on after an error, with the lower layer's value, so that one pass finds them all.
"""

from __future__ import annotations

from model_constructor.config.containers import (
    Container,
    is_container,
    make_container,
    read_container,
)
from model_constructor.config.nodes import Node, describe, is_dynamic, kind, over, replaced
from model_constructor.errors import (
    MAX_COLLECTED_ERRORS,
    ConfigError,
    ConfigPath,
    Note,
    format_config_path,
)

_LIST_MODES = ("append", "prepend", "keyed")


class Merger:
    """Merges nodes and collects what is wrong (`errors`) and what is doubtful (`warnings`)."""

    def __init__(self) -> None:
        self.errors: list[ConfigError] = []
        self.warnings: list[Note] = []

    def merge(
        self, base: Node | None, upper: Node, path: ConfigPath, *, defer: bool = False
    ) -> Node | None:
        """``upper`` over ``base``; None if the field is deleted.

        Args:
            defer: The field may get a value from a template later, so a container without a base
                is kept until then.
        """
        if len(self.errors) >= MAX_COLLECTED_ERRORS:
            return base
        try:
            if is_container(upper):
                return self._container(base, read_container(upper, path), path, defer)
            if is_container(base):
                assert base is not None
                return self._over_deferred(base, upper, path)
            if isinstance(upper.value, dict):
                return self._mapping(base, upper, upper.value, path, defer)
            _check_not_over_mapping(base, upper, path)
        except ConfigError as error:
            self.errors += error.errors
            return base
        if isinstance(base and base.value, dict) and upper.text == "":
            name = format_config_path(path)
            text = f"nothing is written after `{name}`, so it takes away the whole mapping below it"
            self.warnings.append(Note(text, upper.key_span or upper.span))
        if isinstance(upper.value, list):
            return over(base, replaced(upper, value=self._items(upper.value, path)))
        return over(base, upper)

    def _mapping(
        self,
        base: Node | None,
        upper: Node,
        fields: dict[str, Node],
        path: ConfigPath,
        defer: bool,
    ) -> Node:
        if "_value_" in fields:
            raise ConfigError(
                "`_value_` without `_merge_`",
                code="OT0211",
                config_path=(*path, "_value_"),
                span=fields["_value_"].key_span,
                help="write `_merge_: replace` (or another mode) beside it",
            )
        lower = _lower_fields(base, upper, path)
        defer = defer or "_template_" in fields or "_template_" in lower
        merged = dict(lower)
        for name, field in fields.items():
            below = lower.get(name)
            if below is None and not isinstance(field.value, (dict, list)):
                merged[name] = field  # most fields, and nothing can be wrong with them
                continue
            result = self.merge(below, field, (*path, name), defer=defer)
            if result is None:
                merged.pop(name, None)
            else:
                merged[name] = result
        if base is None or isinstance(base.value, dict):
            history = (*base.history, *upper.history) if base is not None else upper.history
            key_span = upper.key_span or (base.key_span if base else None)
            return replaced(upper, value=merged, history=history, key_span=key_span)
        return over(base, replaced(upper, value=merged))

    def _items(self, items: list[Node], path: ConfigPath) -> list[Node]:
        results = [self.merge(None, item, (*path, i)) for i, item in enumerate(items)]
        return [result for result in results if result is not None]

    def _container(
        self, base: Node | None, container: Container, path: ConfigPath, defer: bool
    ) -> Node | None:
        if container.mode == "delete" and container.value is not None:
            text = f"`_value_` is ignored: `_merge_: delete` deletes `{format_config_path(path)}`"
            self.warnings.append(Note(text, container.value.span))
        if is_container(base):
            assert base is not None
            return self._over_deferred(base, container.node, path)
        if defer and base is None:
            return container.node
        if container.mode == "delete" or container.value is None:
            return None
        value = replaced(container.value, key_span=container.node.key_span)
        if container.mode == "replace":
            fresh = self.merge(None, value, path)
            return over(base, _with_lower_history(base, fresh)) if fresh else None
        assert isinstance(value.value, list)
        if container.mode == "keyed":
            items = self._keyed(_list_items(base, container, path), container, value.value, path)
        elif container.mode == "append":
            items = _list_items(base, container, path) + self._items(value.value, path)
        else:
            items = self._items(value.value, path) + _list_items(base, container, path)
        return over(base, replaced(value, value=items))

    def _over_deferred(self, base: Node, upper: Node, path: ConfigPath) -> Node | None:
        """``upper`` over a container that still waits for its template."""
        lower = read_container(base, path)
        if is_container(upper):
            container = read_container(upper, path)
            if container.mode in ("replace", "delete"):
                return over(base, upper)
            if container.mode == lower.mode and lower.mode in ("append", "prepend"):
                assert lower.value is not None
                joined = self._container(lower.value, container, (*path, "_value_"), False)
                return make_container(lower.mode, joined, upper) if joined else base
        elif not isinstance(upper.value, dict):
            return over(base, upper)
        if lower.mode in _LIST_MODES:
            raise ConfigError(
                f"cannot be combined with the `_merge_: {lower.mode}` of a lower layer, "
                "which waits for a template",
                code="OT0214",
                config_path=path,
                span=upper.key_span or upper.span,
                notes=[Note("the lower layer's", base.span)],
                help="write the whole value with `_merge_: replace`",
            )
        fresh = self.merge(lower.value, upper, path)
        return make_container("replace", fresh, upper) if fresh else None

    def _keyed(
        self, lower: list[Node], container: Container, upper: list[Node], path: ConfigPath
    ) -> list[Node]:
        key = container.key
        places: dict[tuple[type, object], int] = {}
        for i, item in enumerate(lower):
            identity = _identity(item, key)
            if identity is None:
                continue
            if identity in places:
                raise _not_unique(item, lower[places[identity]], key, (*path, i))
            places[identity] = i
        merged: list[Node | None] = list(lower)
        seen: dict[tuple[type, object], Node] = {}
        for i, item in enumerate(upper):
            here = (*path, i)
            inner = read_container(item, here) if is_container(item) else None
            content = inner.value if inner is not None else item
            identity = _identity(content, key) if content is not None else None
            if len(self.errors) >= MAX_COLLECTED_ERRORS:
                break
            if identity is None:
                self.errors.append(
                    ConfigError(
                        f"an item without the field `{key}`, by which items are matched here",
                        code="OT0213",
                        config_path=here,
                        span=item.span,
                    )
                )
                continue
            if identity in seen:
                self.errors.append(_not_unique(item, seen[identity], key, here))
                continue
            seen[identity] = item
            place = places.get(identity)
            if inner is not None and inner.mode == "delete":
                if place is not None:
                    merged[place] = None
            elif place is None:
                merged.append(self.merge(None, item, here))
            else:
                merged[place] = self.merge(merged[place], item, (*path, place))
        return [item for item in merged if item is not None]


def _lower_fields(base: Node | None, upper: Node, path: ConfigPath) -> dict[str, Node]:
    if base is None or base.value is None:
        return {}
    if not isinstance(base.value, dict):
        raise _clash(base, upper, path)
    return base.value


def _check_not_over_mapping(base: Node | None, upper: Node, path: ConfigPath) -> None:
    if base is None or not isinstance(base.value, dict):
        return
    if upper.value is not None and not is_dynamic(upper):
        raise _clash(base, upper, path)


def _clash(base: Node, upper: Node, path: ConfigPath) -> ConfigError:
    return ConfigError(
        f"{kind(upper)} cannot be merged over {kind(base)}",
        code="OT0210",
        config_path=path,
        span=upper.span,
        label=f"{kind(upper)} here",
        notes=[Note(f"{kind(base)} here: {describe(base)}", base.span)],
        help="to replace the lower value, write {_merge_: replace, _value_: …}",
    )


def _list_items(base: Node | None, container: Container, path: ConfigPath) -> list[Node]:
    if base is None or base.value is None:
        return []
    if isinstance(base.value, list):
        return base.value
    got, help = kind(base), ""
    if is_dynamic(base):
        got, help = "a reference", "references are followed after the merge: write the list itself"
    raise ConfigError(
        f"`_merge_: {container.mode}` needs a list below it, got {got}",
        code="OT0212",
        config_path=path,
        span=container.node.span,
        notes=[Note(f"{got} here: {describe(base)}", base.span)],
        help=help,
    )


def _identity(item: Node, key: str) -> tuple[type, object] | None:
    field = item.value.get(key) if isinstance(item.value, dict) else None
    if field is None or isinstance(field.value, dict | list):
        return None
    return type(field.value), field.value


def _not_unique(item: Node, earlier: Node, key: str, path: ConfigPath) -> ConfigError:
    return ConfigError(
        f"two items with the same `{key}`, by which items are matched",
        code="OT0213",
        config_path=path,
        span=item.span,
        notes=[Note("the first one", earlier.span)],
    )


def _with_lower_history(base: Node | None, fresh: Node) -> Node:
    """``fresh`` whose fields remember the fields of the same name that they took the place of."""
    if base is None or not (isinstance(base.value, dict) and isinstance(fresh.value, dict)):
        return fresh
    fields = {}
    for name, field in fresh.value.items():
        lower = base.value.get(name)
        fields[name] = over(lower, _with_lower_history(lower, field)) if lower else field
    return replaced(fresh, value=fields)
