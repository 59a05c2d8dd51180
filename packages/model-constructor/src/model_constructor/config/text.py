"""Reading a file: bytes within limits, decoded as UTF-8, free of characters that YAML forbids."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from model_constructor.errors import ConfigError, Span

MAX_FILE_BYTES = 4 * 1024 * 1024

LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
SURROGATE = re.compile("[\ud800-\udfff]")
# What YAML forbids, and a byte order mark that is not at the start, which nobody can see.
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


def read_bytes(path: Path, name: str) -> bytes:
    """The content of a regular file of at most 4 MB.

    Raises:
        ConfigError: There is no such file, it cannot be read, or it is too large.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            what = "a folder" if path.is_dir() else "not a regular file"
            raise ConfigError(f"`{name}` is {what}", code="OT0101", help="name a YAML file")
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError(f"no such file: `{name}`", code="OT0101") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot read `{name}`: {reason}", code="OT0101") from error
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(
            f"`{name}` is larger than {MAX_FILE_BYTES // 2**20} MB",
            code="OT0102",
            help="keep data in files of its own and name those in the configuration",
        )
    return content


def decode(content: bytes, name: str) -> str:
    """UTF-8 text without a byte order mark.

    Raises:
        ConfigError: A byte or character is not allowed, with its place.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        raise ConfigError(
            f"byte 0x{content[error.start]:02x} is not valid UTF-8",
            code="OT0103",
            span=span_at(before, len(before), name),
            help="save the file as UTF-8",
        ) from error
    text = text.removeprefix("\ufeff")
    check_characters(text, name)
    return text


def check_characters(text: str, name: str) -> None:
    """Refuse control characters and lone surrogates."""
    found = _FORBIDDEN.search(text)
    if found:
        raise ConfigError(
            f"character U+{ord(found.group()):04X} is not allowed in YAML",
            code="OT0103",
            span=span_at(text, found.start(), name),
            help='inside double quotes it can be written as an escape such as "\\x07"',
        )


def span_at(text: str, index: int, name: str, length: int = 1) -> Span:
    """The span of ``length`` characters at an index of a text."""
    line, start = 1, 0
    for match in LINE_BREAK.finditer(text, 0, index):
        line, start = line + 1, match.end()
    column = index - start + 1
    return Span(name, line, column, line, column + length)
