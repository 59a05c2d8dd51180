"""Files made to break a parser: each ends in a `ConfigError`, soon and in little memory.

They are resolved by `resolve_within_limits`, so that one that crashes, hangs or eats memory kills a
process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from model_constructor.config import loader
from model_constructor.config.resolve import resolve_config
from model_constructor.errors import ConfigError


def doubling_aliases(count: int) -> str:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, count)]
    return "\n".join(lines)


def wide_aliases(count: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, count)]
    return "\n".join(lines)


def nested_indents(depth: int) -> str:
    return "\n".join(" " * i + "a:" for i in range(depth))


HOSTILE: dict[str, tuple[bytes | str, str | None]] = {
    "brackets": ("[" * 30_000, "OT0114"),
    "many brackets": ("a: " + "[" * 200_000, "OT0114"),
    "braces": ("a: " + "{a: " * 30_000, "OT0114"),
    "dashes": ("- " * 200_000, "OT0114"),
    "question marks": ("? " * 30_000, "OT0110"),
    "indents": (nested_indents(1500), "OT0114"),
    "closed brackets": ("a: " + "[" * 65 + "]" * 65, "OT0114"),
    "depth by aliases": (
        "a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 30 + "*a" + "]" * 30,
        "OT0114",
    ),
    "depth by a chain of aliases": (
        "a0: &a0 x\n"
        + "\n".join(f"a{i}: &a{i} {'[' * 50}*a{i - 1}{']' * 50}" for i in range(1, 60)),
        "OT0114",
    ),
    "depth by a chain of templates": (
        "schema_version: 1\ntemplates:\n  t0: {a: x}\n"
        + "\n".join(
            f"  t{i}: {'{a: ' * 50}{{_template_: t{i - 1}}}{'}' * 50}" for i in range(1, 60)
        ),
        "OT0114",
    ),
    "depth by a chain of references": (
        "schema_version: 1\nparams:\n  t0: {a: x}\n"
        + "\n".join(f"  t{i}: {'{a: ' * 50}'${{params.t{i - 1}}}'{'}' * 50}" for i in range(1, 60)),
        "OT0114",
    ),
    "alias bomb": (wide_aliases(9), "OT0115"),
    "alias bomb that is small": (wide_aliases(4), "OT0115"),
    "doubling aliases": (doubling_aliases(40), "OT0115"),
    "merge key bomb": (
        "a0: &a0 {k0: x}\n"
        + "\n".join(f"a{i}: &a{i} {{p: *a{i - 1}, q: *a{i - 1}}}" for i in range(1, 40)),
        "OT0115",
    ),
    "alias of itself": ("a: &a [*a]", "OT0116"),
    "alias of what is around it": ("a: &a {b: {c: *a}}", "OT0116"),
    "merge of itself": ("a: &a {<<: *a}", "OT0116"),
    "unknown alias": ("a: *b", "OT0116"),
    "alias as key": ("a: &a x\n*a : 1", "OT0110"),
    "many values": ("a: [" + "x," * 150_000 + "]", "OT0115"),
    "too large": (b"a: " + b"x" * (5 * 2**20), "OT0102"),
    "long line": ("a: [" + "x" * 2_000_000, "OT0105"),
    "huge int": ("a: " + "9" * 1_000_000, "OT0113"),
    "huge hex": ("a: 0x" + "f" * 1_000_000, "OT0113"),
    "huge float": ("a: 1e999999999", "OT0113"),
    "python object": ("a: !!python/object/apply:os.system [echo]", "OT0112"),
    "python name": ("a: !!python/name:os.system", "OT0112"),
    "python tuple": ("a: !!python/tuple [1]", "OT0112"),
    "own tag": ("a: !x 1", "OT0112"),
    "tag on a key": ("!!int 1: 1", "OT0112"),
    "undefined tag handle": ("a: !e!x 1", "OT0105"),
    "tag directive": ("%TAG ! tag:evil,2000:\n---\na: !x 1", "OT0112"),
    "broken utf-8": (b"a: \xff\xfe", "OT0103"),
    "overlong utf-8": (b"a: \xc0\x80", "OT0103"),
    "encoded surrogate": (b"a: \xed\xa0\x80", "OT0103"),
    "truncated utf-8": (b"a: \xe2\x82", "OT0103"),
    "utf-16": ("a: 1".encode("utf-16"), "OT0103"),
    "latin-1": (b"a: caf\xe9", "OT0103"),
    "escaped surrogate": ('a: "\\ud800"', None),
    "escaped beyond unicode": ('a: "\\U00110000"', "OT0105"),
    "nul": (b"a: \x00", "OT0103"),
    "only nul": (b"\x00" * 100, "OT0103"),
    "bell": (b"a: \x07", "OT0103"),
    "delete": (b"a: \x7f", "OT0103"),
    "bom in the middle": ("a: x\ufffe", "OT0103"),
    "empty": ("", "OT0106"),
    "only a bom": (b"\xef\xbb\xbf", "OT0106"),
    "only comments": ("# a\n# b\n", "OT0106"),
    "only a marker": ("---\n", "OT0106"),
    "a null": ("null", "OT0108"),
    "a word": ("word", "OT0108"),
    "a list": ("- 1", "OT0108"),
    "two documents": ("a: 1\n---\nb: 1", "OT0107"),
    "end and more": ("a: 1\n...\nb: 1", "OT0105"),
    "old version": ("%YAML 3.0\n---\na: 1", "OT0105"),
    "tab": ("a:\n\tb: 1", "OT0104"),
    "tab after spaces": ("a:\n  b: 1\n \tc: 1", "OT0104"),
    "unclosed quote": ("a: 'x", "OT0105"),
    "unclosed braces": ("a: {b: 1", "OT0105"),
    "list as key": ("[a]: 1", "OT0110"),
    "mapping as key": ("{a: 1}: 1", "OT0110"),
    "empty key": ("'': 1", "OT0110"),
    "no key": (": 1", "OT0105"),
    "duplicate key": ("a: 1\na: 1", "OT0109"),
    "duplicate merge key": ("<<: {a: 1}\n<<: {b: 1}", "OT0109"),
    "colon without a space": ("a: {b:1}", "OT0105"),
    "nested references": (
        "schema_version: 1\nparams: {a: '" + "${a," * 5000 + "}" * 5000 + "'}",
        "OT0240",
    ),
    "unclosed references": ("schema_version: 1\nparams: {a: '" + "${" * 50_000 + "'}", "OT0240"),
    "quotes in a reference": (
        'schema_version: 1\nparams: {a: "${a,' + "'" * 500_000 + '"}',
        "OT0240",
    ),
    "long index": ("schema_version: 1\nparams: {a: '${b." + "9" * 5000 + "}', b: [1]}", "OT0241"),
    "copies of a long text": (
        f"schema_version: 1\nparams:\n  a: {'x' * 500_000}\n"
        + "".join(f"  b{i}: x${{params.a}}\n" for i in range(1000)),
        "OT0247",
    ),
}


V = "schema_version: 1\n"
PARAMS = V + "params:\n"
MB = 2**20


def lines(count: int, line: str) -> str:
    """A line for each number, ``#`` standing for the number."""
    return "".join(line.replace("#", str(i)) + "\n" for i in range(count))


# Made when needed: most are as large as a file may be.
LARGE: dict[str, tuple[Callable[[], str], str | None]] = {
    "indents as deep as a file may be large": (lambda: nested_indents(2800), "OT0114"),
    "4 MB of brackets": (lambda: "[" * 4 * MB, "OT0114"),
    "4 MB of braces": (lambda: "{a: " * MB, "OT0114"),
    "4 MB of dashes": (lambda: "- " * 2 * MB, "OT0114"),
    "4 MB of question marks": (lambda: "? " * 2 * MB, "OT0110"),
    "4 MB of comment": (lambda: "#" * 4 * MB, "OT0106"),
    "4 MB of empty lines": (lambda: "\n" * 4 * MB, "OT0106"),
    "4 MB of spaces": (lambda: " " * 4 * MB, "OT0106"),
    "4 MB of one word": (lambda: "x" * 4 * MB, "OT0108"),
    "commas": (lambda: "a: [" + "," * MB, "OT0105"),
    "colons": (lambda: "a: " + ":" * MB, "OT0105"),
    "huge key": (lambda: "x" * MB + ": 1", "OT0105"),
    "huge explicit key": (lambda: f"{V}? {'x' * MB}\n: 1", "OT0120"),
    "huge anchor": (lambda: f"a: &{'x' * MB} 1", "OT0120"),
    "huge alias": (lambda: f"a: *{'x' * MB}", "OT0116"),
    "huge tag": (lambda: f"a: !{'x' * MB} 1", "OT0112"),
    "huge include": (lambda: f"defaults: ['{'x' * MB}.yaml']", "OT0101"),
    "huge number of digits": (lambda: "a: 0." + "1" * 3 * MB + "e999", "OT0113"),
    "huge exponent": (lambda: "a: 1e" + "9" * 3 * MB, "OT0113"),
    "many keys": (lambda: lines(110_000, "k#: x"), "OT0115"),
    "many duplicate keys": (lambda: "a: 1\n" * 700_000, "OT0109"),
    "many unknown sections": (lambda: V + lines(20_000, "k#: 1"), "OT0120"),
    "many bad tags": (lambda: f"a: [{'!!itn 1,' * 90_000}]", "OT0112"),
    "many bad merges": (lambda: PARAMS + lines(20_000, "  k#: {<<: 1}"), "OT0111"),
    "many bad containers": (lambda: PARAMS + lines(20_000, "  k#: {_merge_: x}"), "OT0211"),
    "many huge ints": (lambda: f"a: [{('9' * 40 + ',') * 80_000}]", "OT0113"),
    "many bad settings": (lambda: V + "settings:\n" + lines(20_000, "  k#: 1"), "OT0122"),
    "many missing references": (lambda: PARAMS + lines(20_000, "  k#: ${.x#}"), "OT0241"),
    "many unclosed references": (lambda: PARAMS + lines(20_000, "  k#: ${"), "OT0240"),
    "many missing variables": (lambda: PARAMS + lines(20_000, "  k#: ${env:X#}"), "OT0243"),
    "many references to themselves": (lambda: PARAMS + lines(10_000, "  k#: ${.k#}"), "OT0242"),
    "a circle of many": (
        lambda: PARAMS + "".join(f"  k{i}: ${{.k{(i + 1) % 9000}}}\n" for i in range(9000)),
        "OT0242",
    ),
    "many unknown templates": (
        lambda: (
            f"{V}templates:\n{lines(9_000, '  t#: {}')}params:\n"
            + lines(9_000, "  k#: {_template_: x#}")
        ),
        "OT0230",
    ),
    "many missing includes": (lambda: "defaults:\n" + lines(50_000, "- f#.yaml"), "OT0101"),
    "many tag directives": (lambda: lines(200_000, "%TAG !a#! x") + "---\na: 1", "OT0105"),
    "many other directives": (lambda: "%FOO bar\n" * 200_000 + "---\na: 1", "OT0105"),
    "many documents": (lambda: "---\n" * 500_000, "OT0107"),
    "many ends": (lambda: V + "...\n" * 500_000 + "a: 1", "OT0105"),
    "a path of a million keys": (lambda: f"{PARAMS}  a: ${{{'a.' * MB}b}}", "OT0240"),
    "a path of many other keys": (lambda: f"{PARAMS}  a: ${{{'é.' * MB}b}}", "OT0240"),
    "a path of many indices": (lambda: f"{PARAMS}  a: '${{a{'[0]' * MB}}}'", "OT0240"),
    "a path of a million dots": (lambda: f"{PARAMS}  a: ${{{'.' * MB}b}}", "OT0241"),
    "defaults nested without end": (lambda: f"{PARAMS}  a: '{'${a,' * 900_000}'", "OT0240"),
    "defaults nested deep": (
        lambda: f"{PARAMS}  a: '{'${a,' * 60}{'x' * 3 * MB}{'}' * 60}'",
        "OT0240",
    ),
    "many nested defaults": (
        lambda: f"{PARAMS}  a: '{('${a,' * 60 + 'x' * 1000 + '}' * 60) * 1500}'",
        "OT0240",
    ),
    "many braces in a default": (lambda: f"{PARAMS}  a: '${{a,{'{}' * 250_000}'", "OT0240"),
    "aliases of one word": (lambda: f"a: [&a x{', *a' * 120_000}]", "OT0115"),
    "a reference to much, often": (
        lambda: f"{PARAMS}  a: [{'x,' * 9000}]\n" + lines(100, "  b#: ${params.a}"),
        "OT0115",
    ),
    "items with one key": (
        lambda: f"{V}params: {{_merge_: keyed, key: n, _value_: [{'{n: 1},' * 9000}]}}",
        "OT0213",
    ),
    "quotes without end": (lambda: "a: '" + "''" * MB, "OT0105"),
    "escapes without end": (lambda: 'a: "' + "\\x41" * 900_000, "OT0105"),
    "text that ends in a bracket": (lambda: "a: x\n" + "  x\n" * 500_000 + "b: [", "OT0105"),
    "carriage returns": (lambda: "a: 1\r" * 400_000, "OT0109"),
    "line ends of both kinds": (lambda: "a: 1\r\nb: [\r\r\n\n\x85", "OT0105"),
    "byte order mark twice": (lambda: "\ufeff\ufeffa: 1", "OT0103"),
    "byte order mark in the middle": (lambda: f"{PARAMS}\ufeff  a: 1", "OT0103"),
}


@pytest.fixture(scope="module")
def resolve_within_limits() -> Iterator[Callable[[str, Path], dict[str, Any]]]:
    """Resolve a file (road, path) in a process with limits; what it came to."""
    script = Path(__file__).with_name("resolve_within_limits.py")
    source = Path(loader.__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(source)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        asking, answering = process.stdin, process.stdout
        assert asking is not None
        assert answering is not None

        def ask(road: str, path: Path) -> dict[str, Any]:
            asking.write(f"{road} {path}\n")
            asking.flush()
            answer: dict[str, Any] = json.loads(answering.readline())
            return answer

        yield ask
        asking.close()


def check_refused(answer: dict[str, Any], code: str | None) -> None:
    assert set(answer) == {"code", "place", "text"}
    assert answer["code"] == code or code is None
    text = answer["text"]
    assert text.startswith("error[OT")
    assert all(char.isprintable() or char == "\n" for char in text)
    assert len(text) < 20_000


def hostile_bytes(name: str) -> tuple[bytes, str | None]:
    if name in LARGE:
        make, code = LARGE[name]
        return make().encode(), code
    content, code = HOSTILE[name]
    return content if isinstance(content, bytes) else content.encode(), code


@pytest.mark.parametrize("name", [*HOSTILE, *LARGE])
def test_file_ends_in_a_config_error(folder: Path, name: str, resolve_within_limits: Any) -> None:
    content, code = hostile_bytes(name)
    path = folder / "main.yaml"
    path.write_bytes(content)
    answer = resolve_within_limits("file", path)
    check_refused(answer, code)
    if code != "OT0102":
        assert answer["place"].startswith(f"{path}:")
    # As an argument or a text from Python it may be harmless; it must not be worse.
    for road in ("override", "mapping"):
        assert "died" not in resolve_within_limits(road, path)


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_sparse_terabyte(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


def make_link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def make_includes_through_a_link(path: Path) -> None:
    (path.parent / "again").symlink_to(".", target_is_directory=True)
    path.write_text(f"{V}defaults: [again/again/main.yaml]\n", encoding="utf-8")


def make_doubling_includes(path: Path) -> None:
    for i in range(300):
        text = f"defaults: [f{i + 1}.yaml, ./f{i + 1}.yaml]\n"
        (path.parent / f"f{i}.yaml").write_text(text, encoding="utf-8")
    path.write_text(f"{V}defaults: [f0.yaml]\n", encoding="utf-8")


# A path that is no ordinary file, or one that includes such a thing.
STRANGE: dict[str, tuple[Callable[[Path], None], str | None]] = {
    "a folder": (Path.mkdir, "OT0101"),
    "a pipe": (make_pipe, "OT0101"),
    "a link to endless zeros": (lambda path: path.symlink_to("/dev/zero"), "OT0101"),
    "a link to nothing": (lambda path: path.symlink_to("nowhere.yaml"), "OT0101"),
    "a link to itself": (make_link_to_itself, "OT0101"),
    "a terabyte": (make_sparse_terabyte, "OT0102"),
    "a file whose size is a lie": (lambda path: path.symlink_to("/proc/self/maps"), None),
    "an include of itself through a link": (make_includes_through_a_link, "OT0202"),
    "includes that double": (make_doubling_includes, "OT0204"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_strange_file_ends_in_a_config_error(
    folder: Path, name: str, resolve_within_limits: Any
) -> None:
    make, code = STRANGE[name]
    make(folder / "main.yaml")
    check_refused(resolve_within_limits("file", folder / "main.yaml"), code)


# Words differ between PyYAML's two parsers, what is refused and where does not.
SMALL = [name for name, (content, _) in HOSTILE.items() if len(content) < 10_000]
BOTH_READ = [
    "schema_version: 1\nparams: {a: [1, {b: 1e-3}], c: 'x', d: \"y\\n\", e: ~}\n",
    "schema_version: 1\nparams:\n  a: |\n    x\n    y\n  b: >-\n    x\n    y\n",
    "schema_version: 1\nparams:\n- &a {x: 1}\n- {<<: *a, y: 2}\n- *a\n",
    "%YAML 1.2\n---\nschema_version: 1\n...\n",
    "schema_version: 1\nparams: {a: !!str 3, ? b : 2, é: 😀}\r\n",
]


@pytest.mark.parametrize("name", SMALL)
def test_python_parser_refuses_the_same(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "PARSER", yaml.SafeLoader)
    content, code = hostile_bytes(name)
    (folder / "main.yaml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        resolve_config("main.yaml", environ={})
    assert caught.value.code == code or code is None
    assert str(caught.value.location).startswith("main.yaml:")


@pytest.mark.parametrize("text", BOTH_READ)
def test_both_parsers_read_the_same(
    folder: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "main.yaml").write_text(text, encoding="utf-8")
    results: list[tuple[Any, Any]] = []
    for parser in (yaml.SafeLoader, yaml.CSafeLoader):
        monkeypatch.setattr(loader, "PARSER", parser)
        config = resolve_config("main.yaml")
        results.append((config.data, dict(config.source_map)))
    assert results[0] == results[1]


def test_byte_order_mark_is_accepted(folder: Path) -> None:
    (folder / "main.yaml").write_bytes(b"\xef\xbb\xbfschema_version: 1\r\nparams: {a: 1}\r\n")
    config = resolve_config("main.yaml")
    assert config.data == {"schema_version": 1, "params": {"a": 1}}
    assert str(config.source_map.key_span(("schema_version",))) == "main.yaml:1:1"


def test_64_levels_are_fine(folder: Path) -> None:
    text = "schema_version: 1\nparams: {a: " + "[" * 62 + "]" * 62 + "}"
    (folder / "main.yaml").write_text(text, encoding="utf-8")
    assert "params" in resolve_config("main.yaml").data


def test_all_errors_of_a_file_come_together(folder: Path) -> None:
    (folder / "main.yaml").write_text(
        "a: 1\na: 2\nb: !x 1\nc: 1e999\n'': 3\nd: {<<: 1}\ne: [1\n", encoding="utf-8"
    )
    with pytest.raises(ConfigError) as caught:
        resolve_config("main.yaml")
    codes = [error.code for error in caught.value.errors]
    assert codes == ["OT0109", "OT0112", "OT0113", "OT0110", "OT0111", "OT0105"]
