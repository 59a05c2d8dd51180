"""Files made to break a parser: each ends in a `ConfigError`, and the process lives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from model_constructor.config import loader
from model_constructor.config.resolve import resolve_config
from model_constructor.diagnostics import render
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


@pytest.mark.parametrize("name", HOSTILE)
def test_file_ends_in_a_config_error(folder: Path, name: str) -> None:
    content, code = HOSTILE[name]
    data = content if isinstance(content, bytes) else content.encode()
    (folder / "main.yaml").write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        resolve_config("main.yaml", environ={})
    error = caught.value
    if code is not None:
        assert error.code == code
    if code != "OT0102":
        assert error.location is not None
        assert error.location.startswith("main.yaml:")
    text = render(error)
    assert text.startswith("error[OT")
    assert all(char.isprintable() or char == "\n" for char in text)
    assert len(text) < 20_000


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
    test_file_ends_in_a_config_error(folder, name)


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
