"""The registry: keys, what they name, and who brought them.

A key is recorded with the *name* of its target (``"package.module:Class"``); the import happens
when somebody asks for the target. So listing a registry costs nothing, whatever is in it.

Two providers of one key are both kept. Nobody wins in silence: `Registry.get_module` refuses such
a key and names the ways out. Must not import anything heavy; every plugin passes through here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from model_constructor.alias_table import AliasTable
from model_constructor.entry import (
    DIRECT,
    OP_PREFIX,
    SIGNATURE_POLICIES,
    Alias,
    Entry,
    Origin,
    Provider,
    SignaturePolicy,
    kind_of,
    normalized,
)
from model_constructor.errors import ConfigError, close_matches

__all__ = [
    "OP_PREFIX",
    "Alias",
    "Buffer",
    "Entry",
    "Origin",
    "Provider",
    "Registrar",
    "Registry",
    "kind_of",
    "normalized",
]


class Registrar(ABC):
    """What a plugin is handed to add its keys to."""

    provider: Provider = DIRECT

    def add_lazy(
        self,
        key: str,
        loads: str,
        *,
        help: str,
        tags: Sequence[str] = (),
        signature: SignaturePolicy = "strict",
        requires: Sequence[str] = (),
        replaces: str | None = None,
    ) -> None:
        """Record ``"package.module:attribute"`` under a key; nothing is imported.

        Args:
            key: ``kind.name``.
            loads: Module and attribute of the target.
            help: One line for listings.
            tags: Free words to find it by.
            signature: ``strict`` refuses unknown arguments, ``best_effort`` does so unless
                ``settings.strict`` is false, ``runtime_only`` leaves it to the target.
            requires: Modules the target needs, such as ``("torch",)``.
            replaces: Distribution whose entry of this key is replaced on purpose.

        Raises:
            ConfigError: The key, the target or what is said of it is malformed.
        """
        module, colon, attribute = loads.partition(":")
        if not (colon and module and attribute):
            raise ConfigError(
                f"target of `{key}` must be 'module:attribute', got {loads!r}", code="OT0310"
            )
        said = _checked(key, help, tags, signature, requires, replaces)
        self._record(Entry(key, loads, self.provider, *said))

    def add(
        self,
        key: str,
        obj: Any,
        *,
        help: str = "",
        tags: Sequence[str] = (),
        signature: SignaturePolicy = "strict",
        requires: Sequence[str] = (),
        replaces: str | None = None,
    ) -> None:
        """Record an object under a key: for tests, notebooks and modules named in ``imports:``.

        >>> registry = Registry()
        >>> registry.add("loss.zero", lambda outputs, targets, batch, stage: 0.0)
        >>> registry.get_module("loss.zero").kind
        'loss'
        """
        if obj is None:
            raise ConfigError(f"the target of `{key}` is None", code="OT0310")
        loads = f"{getattr(obj, '__module__', '?')}:{getattr(obj, '__qualname__', repr(obj))}"
        said = _checked(key, help or _first_line(obj), tags, signature, requires, replaces)
        self._record(Entry(key, loads, self.provider, *said, given=obj))

    def register_module(
        self,
        key: str,
        target: Any,
        signature_policy: SignaturePolicy = "strict",
        tags: Sequence[str] = (),
    ) -> None:
        """`add`, under the name that ``register(registry)`` modules use."""
        self.add(key, target, signature=signature_policy, tags=tags)

    def register_op(self, name: str, target: Any, tags: Sequence[str] = ()) -> None:
        """Record a function as the graph operation ``op:<name>``."""
        self.add(OP_PREFIX + name, target, tags=tags)

    def add_alias(self, old: str, new: str, *, since: str) -> None:
        """Let a component's former key work on, with a warning that names the new one.

        Args:
            old: The former key; a component registered under it takes precedence.
            new: The present key.
            since: The version that renamed it.

        Raises:
            ConfigError: A key is malformed, or the two are one.
        """
        for key in (old, new):
            _check_key(key)
        self._rename(Alias(old, new, since, self.provider))

    def rename_parameter(self, key: str, old: str, new: str, *, since: str) -> None:
        """Let a parameter's former name work on, with a warning that names the new one.

        Args:
            key: The component's present key.
            old: The parameter's former name.
            new: Its present name.
            since: The version that renamed it.

        Raises:
            ConfigError: A name is malformed, or the two are one.
        """
        _check_key(key)
        for name in (old, new):
            if not name.isidentifier():
                raise ConfigError(f"{name!r} is not the name of a parameter", code="OT0310")
        self._rename(Alias(old, new, since, self.provider, key))

    def _rename(self, alias: Alias) -> None:
        if alias.old == alias.new:
            raise ConfigError(f"`{alias.old}` is renamed to itself", code="OT0310")
        self._record_alias(alias)

    @abstractmethod
    def _record(self, entry: Entry) -> None: ...

    @abstractmethod
    def _record_alias(self, alias: Alias) -> None: ...


class Buffer(Registrar):
    """Collects one provider's entries, to be committed whole or thrown away whole."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.entries: list[Entry] = []
        self.aliases: list[Alias] = []

    def _record_alias(self, alias: Alias) -> None:
        self.aliases.append(alias)

    def _record(self, entry: Entry) -> None:
        for earlier in self.entries:
            if earlier.key == entry.key:
                if earlier.loads == entry.loads:
                    return
                raise ConfigError(
                    f"`{entry.key}` is registered twice by {self.provider}: "
                    f"as {earlier.loads} and as {entry.loads}",
                    code="OT0311",
                )
        self.entries.append(entry)


Resolver = Callable[[str], Entry | None]


class Registry(Registrar):
    """All keys a run can use. A run owns one; there is no global registry."""

    def __init__(self) -> None:
        self._entries: dict[str, list[Entry]] = {}
        self._aliases = AliasTable()
        self._resolvers: list[Resolver] = []
        self.explain_unknown: Callable[[str], str] | None = None
        """Says why a key may be unknown here and what to do; it becomes the error's help."""

    def _record(self, entry: Entry) -> None:
        known = self._entries.setdefault(entry.key, [])
        for position, earlier in enumerate(known):
            if earlier.provider == entry.provider:
                known[position] = entry
                return
            # Two plugins of one distribution may name one target; that is no disagreement.
            if _distribution(earlier) == _distribution(entry) and earlier.loads == entry.loads:
                return
        known.append(entry)

    def _record_alias(self, alias: Alias) -> None:
        self._aliases.record(alias)

    def commit(self, buffer: Buffer) -> None:
        """Take over everything a buffer holds."""
        for entry in buffer.entries:
            self._record(entry)
        for alias in buffer.aliases:
            self._record_alias(alias)

    def add_resolver(self, resolver: Resolver) -> None:
        """Ask ``resolver(key)`` for keys that nobody registered."""
        self._resolvers.append(resolver)

    def __contains__(self, key: str) -> bool:
        return bool(self._candidates(key))

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def get_module(self, key: str, *, kind: str = "") -> Entry:
        """The entry of a key, or of ``key@distribution``.

        Args:
            key: The key.
            kind: What the place takes, if that is known; for the error alone.

        Raises:
            ConfigError: Nobody provides the key (with the nearest ones), or several do.
        """
        candidates = self._candidates(key)
        if not candidates:
            raise self._unknown(key, kind)
        if len(candidates) > 1:
            raise self.conflict(key)
        return candidates[0]

    def get_op(self, name: str) -> Entry:
        """The entry of the graph operation ``op:<name>``."""
        return self.get_module(OP_PREFIX + name)

    def list_modules(self) -> list[str]:
        """All keys apart from graph operations, sorted."""
        return [key for key in self if not key.startswith(OP_PREFIX)]

    def list_ops(self) -> list[str]:
        """Names of all graph operations, sorted."""
        return [key[len(OP_PREFIX) :] for key in self if key.startswith(OP_PREFIX)]

    def entries(self) -> list[Entry]:
        """Every entry, conflicting ones included, sorted by key."""
        return [entry for key in self for entry in self._entries[key]]

    def conflicts(self) -> dict[str, list[Entry]]:
        """Keys that more than one provider claims, with all that claim them."""
        claimed = [key for key in self if len(self._entries[key]) > 1]
        chosen = {key: self._candidates(key) for key in claimed}
        return {key: entries for key, entries in chosen.items() if len(entries) > 1}

    def aliases(self) -> list[Alias]:
        """Every former name of a component or parameter."""
        return self._aliases.all()

    def alias_of(self, name: str, component: str = "") -> Alias | None:
        """What replaced a key, or with ``component`` a parameter; None if it is no former name.

        Raises:
            ConfigError: Plugins disagree about it.
        """
        if not component and name in self._entries:
            return None
        return self._aliases.find(name, component)

    def overridden(self) -> list[tuple[Entry, Entry]]:
        """Pairs (winner, loser) where a module of ``imports:`` took an installed plugin's key."""
        pairs = []
        for key in self:
            chosen = self._candidates(key)
            if len(chosen) == 1 and chosen[0].provider.origin == "imports":
                pairs += [(chosen[0], entry) for entry in self._entries[key] if entry != chosen[0]]
        return pairs

    def replacement_of(self, entry: Entry) -> Entry | None:
        """The entry in use that replaces this one, perhaps by way of others; None if none does."""
        chosen = self._candidates(entry.key)
        if entry in chosen:
            return None
        replaced = [entry]
        for loser in replaced:
            rivals = self._entries.get(entry.key, [])
            replaced += [e for e in rivals if e not in replaced and _replaces(e, loser)]
        return next((other for other in chosen if other in replaced), None)

    def _candidates(self, key: str) -> list[Entry]:
        name, at, distribution = key.partition("@")
        entries = self._entries.get(name, [])
        if not entries and (alias := self.alias_of(name)) is not None:
            return self._candidates(alias.new + at + distribution)
        if at:
            wanted = normalized(distribution)
            return [e for e in entries if _distribution(e) == wanted]
        if not entries:
            for resolver in self._resolvers:
                found = resolver(name)
                if found is not None:
                    return [found]
            return []
        chosen = [e for e in entries if e.provider.origin == "imports"] or entries
        # Two that replace each other are a conflict like any other, whoever else has the key.
        kept = [
            entry
            for entry in chosen
            if not any(_replaces(e, entry) and not _replaces(entry, e) for e in chosen)
        ]
        return kept or chosen

    def _unknown(self, key: str, wanted: str) -> ConfigError:
        name, at, distribution = key.partition("@")
        if at and name in self._entries:
            providers = [e.provider.distribution for e in self._entries[name]]
            return ConfigError(
                f"`{name}` is not provided by `{distribution}`",
                code="OT0301",
                suggestions=[f"{name}@{provider}" for provider in providers],
            )
        kind = wanted or kind_of(name)
        same_kind = [known for known in self._entries if kind_of(known) == kind]
        near = _nearest(name, kind, same_kind, same_kind if wanted else self._entries)
        help = self.explain_unknown(name) if self.explain_unknown is not None else ""
        if not help and not same_kind and not near:
            help = f"no installed package provides any `{kind}.*`; install one (ot list-components)"
        elif not help and wanted:
            help = f"ot list-components --kind {wanted}"
            if kind_of(name) != wanted:
                help = f"this place takes a component of kind `{wanted}` ({help})"
        return ConfigError(
            f"unknown component `{key}`",
            code="OT0301",
            suggestions=near,
            help=help or "ot list-components",
        )

    def conflict(self, key: str) -> ConfigError:
        """The error of a config that uses a key which several providers claim."""
        entries = self._candidates(key)
        providers = [entry.provider for entry in entries]
        names = " and ".join(str(provider) for provider in providers)
        if all(provider.origin == "imports" for provider in providers):
            return ConfigError(
                f"`{key}` is registered by two modules of `imports:`: {names}",
                code="OT0302",
                help="remove one of the two modules, or rename the key in one",
            )
        last = providers[-1].plugin
        disable = f"disable one (--no-plugin {last} or OT_DISABLE_PLUGINS={last})"
        if len({_distribution(entry) for entry in entries}) == 1:
            plugins = " and ".join(f"`{provider.plugin}`" for provider in providers)
            return ConfigError(
                f"`{key}` is registered by {providers[0]} as two targets, by its plugins {plugins}",
                code="OT0302",
                help=f"{disable}, or let its author rename the key in one",
            )
        exact = " or ".join(f"`{key}@{provider.distribution}`" for provider in providers)
        way_out = f"write {exact}; or {disable}; or "
        if any(_replaces(a, b) and _replaces(b, a) for a in entries for b in entries):
            names += ", which declare that they replace each other"
            way_out += "take replaces= out of one"
        else:
            way_out += f"let one plugin declare replaces={providers[0].distribution!r}"
        return ConfigError(f"`{key}` is provided by {names}", code="OT0302", help=way_out)


def _nearest(name: str, kind: str, same_kind: list[str], known: Iterable[str]) -> tuple[str, ...]:
    """Keys like a name: those of another prefix, such as `nn.Linear`; then the kind's, misspelt."""
    end = name.rpartition(".")[2]
    ends = [(key, key.rpartition(".")[2]) for key in known]
    same_end = [key for key, own in ends if own.casefold() == end.casefold()]
    full = name if kind_of(name) == kind else f"{kind}.{end}"
    found = tuple(dict.fromkeys([*same_end[:3], *close_matches(full, same_kind)]))[:3]
    likely = () if found else close_matches(end, (own for _, own in ends))
    return found or tuple(key for match in likely for key, own in ends if own == match)[:3]


def _replaces(entry: Entry, other: Entry) -> bool:
    """Whether one entry declares that it takes the place of another."""
    named = normalized(entry.replaces or "")
    return entry is not other and named == _distribution(other)


def _distribution(entry: Entry) -> str:
    return normalized(entry.provider.distribution)


def _checked(
    key: str,
    help: str,
    tags: Sequence[str],
    signature: SignaturePolicy,
    requires: Sequence[str],
    replaces: str | None,
) -> tuple[str, tuple[str, ...], SignaturePolicy, tuple[str, ...], str | None]:
    """What an entry says of itself, in its order; a plugin's code has no types checked."""
    _check_key(key)
    for name, text in (("help", help), ("replaces", replaces or "")):
        if not isinstance(text, str):
            raise ConfigError(f"`{key}`: {name} must be text, got {text!r}", code="OT0310")
    for name, words in (("tags", tags), ("requires", requires)):
        # A string is a sequence of strings: its letters.
        if isinstance(words, str) or not all(isinstance(word, str) for word in words):
            raise ConfigError(
                f"`{key}`: {name} must be a tuple of words such as ('torch',), got {words!r}",
                code="OT0310",
            )
    if signature not in SIGNATURE_POLICIES:
        raise ConfigError(
            f"signature policy of `{key}` is {signature!r}; expected one of "
            f"{', '.join(SIGNATURE_POLICIES)}",
            code="OT0310",
        )
    return help, tuple(tags), signature, tuple(requires), replaces


def _check_key(key: str) -> None:
    name = key[len(OP_PREFIX) :] if key.startswith(OP_PREFIX) else key
    if not all(part.isidentifier() for part in name.split(".")):
        raise ConfigError(
            f"{key!r} is not a registry key; expected `kind.name` of identifiers", code="OT0310"
        )


def _first_line(obj: Any) -> str:
    text = (getattr(obj, "__doc__", None) or "").strip()
    return text.splitlines()[0] if text else ""
