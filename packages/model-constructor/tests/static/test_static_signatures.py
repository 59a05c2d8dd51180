"""Signatures from source: what is read equals the imported signature, doubt ends in None."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Union

import pytest

from model_constructor.signatures import Signature, read_signature
from model_constructor.static.signatures import NOT_A_LITERAL, StaticSignatures

SOURCES = {
    "made_up/__init__.py": """
        from .parts import Own, Renamed as Other
        from .stars import *
        from made_up import parts as parts
    """,
    "made_up/parts.py": """
        from __future__ import annotations
        from abc import ABC
        from collections.abc import Sequence
        from pathlib import Path
        from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, Optional, TypeVar, Union
        from typing import overload
        import typing as t
        from .far import Far, Size, pair
        from model_constructor.signatures import CallOf, OutputPath
        if TYPE_CHECKING:
            from somewhere import Unseen

        T = TypeVar("T")
        Name = str

        class Own:
            def __init__(
                self, a: int, /, b: "float" = 1e-3, *args: int, c: Name, d: bool = -1, **rest: Any
            ) -> None: ...

        class Renamed(Own): ...

        class Annotated_:
            def __init__(
                self,
                word: Literal["a", "b"] = "a",
                items: Sequence[int] | None = None,
                path: Optional[Path] = None,
                out: OutputPath = None,
                either: Union[int, list[int]] = 3,
                size: Size = 1,
                both: pair[int] = 1,
                far: t.Optional[Far] = None,
                unseen: Unseen = None,
                unseen_too: int = 2,
                made: Any = Path("x"),
                implicit: int = None,
                type: Annotated[str, CallOf("opt", filled=2)] = "x",
                *,
                last: dict[str, float],
            ) -> None: ...

        class Base(ABC, Generic[T]):
            def __init__(self, x: int) -> None: ...

        class Inherits(Base[int]): ...

        class Bare: ...

        class Mixin:
            def forward(self) -> None: ...

        class Mixed(Mixin, Base[int]): ...

        class First:
            def __init__(self, y: str) -> None: ...

        class FirstOfTwo(First, Base[int]): ...

        class Overloaded:
            @overload
            def __init__(self, a: int) -> None: ...
            @overload
            def __init__(self, a: str, b: int) -> None: ...
            def __init__(self, *args, **kwargs) -> None: ...

        class Documented:
            def __init__(self, a: int) -> None: ...

        Documented.__doc__ = "set later"

        def function(x: int, y: str = "a", *, z: Far | None = None) -> int: ...
    """,
    "made_up/far.py": """
        from typing import TypeVar, Union
        T = TypeVar("T")
        pair = Union[T, tuple[T, T]]
        Size = pair[int]
        class Far: ...
    """,
    "made_up/stars.py": """
        __all__ = ["Starred"]
        from .parts import Bare
        class Starred(Bare):
            def __init__(self, s: int) -> None: ...
        class Hidden: ...
    """,
    "made_up/own_wins.py": """
        from .stars import *
        class Starred:
            def __init__(self, own: int) -> None: ...
    """,
    "made_up/star_wins.py": """
        class Starred:
            def __init__(self, own: int) -> None: ...
        from .stars import *
    """,
    "made_up/circle.py": "from .back import *",
    "made_up/back.py": "from .circle import *",
    "made_up/doubtful.py": """
        import enum
        import functools
        from dataclasses import dataclass
        from typing import NamedTuple

        def changes(target): return target

        @changes
        def decorated(a: int) -> None: ...

        @changes
        class DecoratedClass:
            def __init__(self, a: int) -> None: ...

        class DecoratedInit:
            @changes
            def __init__(self, a: int) -> None: ...

        class Meta(type):
            def __call__(cls, other): ...

        class WithMeta(metaclass=Meta):
            def __init__(self, a: int) -> None: ...

        class BelowMeta(WithMeta): ...

        class New:
            def __new__(cls, a: int): ...
            def __init__(self, b: int) -> None: ...

        class BelowNew(New):
            def __init__(self, c: int) -> None: ...

        class Row(NamedTuple):
            a: int

        class Colour(enum.Enum):
            RED = 1

        class Builtin(dict): ...

        class Twice:
            def __init__(self, a: int) -> None: ...

        class Twice:
            def __init__(self, b: int) -> None: ...

        try:
            class Tried:
                def __init__(self, a: int) -> None: ...
        except ImportError:
            Tried = None

        class Patched:
            def __init__(self, a: int) -> None: ...

        def patch(self, b: int) -> None: ...

        Patched.__init__ = patch

        class SetLater:
            def __init__(self, a: int) -> None: ...

        setattr(SetLater, "__init__", patch)

        class Assigned:
            __init__ = patch

        class HandedOver:
            def __init__(self, a: int) -> None: ...

        class HandedOverInALoop:
            def __init__(self, a: int) -> None: ...

        class OnItsOwn:
            def __init__(self, a: int) -> None: ...
            @classmethod
            def install(cls) -> None: ...

        def install(*targets): ...

        install(HandedOver)
        for _ in range(1):
            install([HandedOverInALoop])
        OnItsOwn.install()

        class Global:
            def __init__(self, a: int) -> None: ...

        class InGlobals:
            def __init__(self, a: int) -> None: ...

        def bind():
            global Global

        globals()["InGlobals"] = Global

        class InLocals:
            locals()["__init__"] = patch

        class InLocalsByAnyName:
            locals()["__init" + "__"] = patch

        class UpdatesLocals:
            locals().update(__init__=patch)

        class Imports:
            import functools as __init__

        class Catches:
            def __init__(self, a: int) -> None: ...
            try:
                1 / 0
            except ZeroDivisionError as __init__:
                pass

        class Left:
            def __init__(self, a: int) -> None: ...

        class BelowLeft(Left): ...

        class Right:
            def __init__(self, b: int) -> None: ...

        class EitherOf(BelowLeft, Right): ...

        partial = functools.partial(patch, b=1)
        constant = 3
    """,
    "bomb/__init__.py": "raise RuntimeError('imported')",
    "bomb/part.py": """
        raise RuntimeError("imported")
        class Part:
            def __init__(self, a: int) -> None: ...
    """,
}

SURE = [
    *("made_up:Own", "made_up:Other", "made_up:Starred", "made_up.own_wins:Starred"),
    *(
        f"made_up.parts:{name}"
        for name in (
            *("Own", "Renamed", "Annotated_", "Base", "Inherits", "Bare", "Mixed", "FirstOfTwo"),
            *("Overloaded", "Documented", "function"),
        )
    ),
]

DOUBTFUL = [
    *("decorated", "DecoratedClass", "DecoratedInit", "WithMeta", "BelowMeta", "New", "BelowNew"),
    *("Row", "Colour", "Builtin", "Twice", "Tried", "Patched", "SetLater", "Assigned", "EitherOf"),
    *("HandedOver", "HandedOverInALoop", "OnItsOwn", "Global", "InGlobals", "InLocals"),
    *("InLocalsByAnyName", "UpdatesLocals", "Imports", "Catches"),
    *("partial", "constant", "missing"),
]


@pytest.fixture(autouse=True)
def _sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import textwrap

    for name, text in SOURCES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in ("made_up", "bomb")]:
        del sys.modules[name]


@pytest.mark.parametrize("loads", SURE)
def test_what_is_read_is_what_the_import_says(loads: str) -> None:
    static = StaticSignatures().read(loads)
    assert "made_up" not in sys.modules
    module, _, name = loads.partition(":")
    real = read_signature(getattr(importlib.import_module(module), name))
    assert static is not None
    assert real is not None
    assert static.positional == real.positional
    assert (static.any_keyword, static.any_positional) == (real.any_keyword, real.any_positional)
    assert list(static.parameters) == list(real.parameters)
    for parameter, here in static.parameters.items():
        there = real.parameters[parameter]
        assert here.kind is there.kind
        assert here.default == there.default or here.default is NOT_A_LITERAL
    assert _shown(static) == _shown(real)
    assert static.calls() == real.calls()


def _shown(signature: Signature) -> dict[str, str]:
    """The annotations as text: a class and its stand-in are equal in nothing else.

    As members of a union all unions are spelt alike; Python 3.10 says `Optional` for some.
    """
    hints = signature.annotations.items()
    return {name: str(Union[hint, ModuleType]) for name, hint in hints}  # noqa: UP007 - as said


@pytest.mark.parametrize("name", DOUBTFUL)
def test_where_there_is_doubt_nothing_is_said(name: str) -> None:
    assert StaticSignatures().read(f"made_up.doubtful:{name}") is None


@pytest.mark.parametrize(
    "loads",
    [
        *("made_up:parts", "made_up:Hidden", "made_up.circle:X", "made_up.star_wins:Starred"),
        *("nowhere:X", "made_up.nowhere:X", "itertools:chain"),
    ],
)
def test_what_has_no_readable_definition_is_none(loads: str) -> None:
    assert StaticSignatures().read(loads) is None


def test_no_code_runs_for_it() -> None:
    assert StaticSignatures().read("bomb.part:Part") is not None
    assert "bomb" not in sys.modules


def test_a_name_that_a_module_does_not_have_is_known_without_importing_it() -> None:
    signatures = StaticSignatures()
    assert signatures.lacks("made_up", "Sttarred")
    for name in ("Own", "Other", "Starred", "parts", "far"):
        assert not signatures.lacks("made_up", name)
    assert not signatures.lacks("nowhere", "X")
    assert not signatures.lacks("made_up.doubtful", "Tried")
    assert "made_up" not in sys.modules
