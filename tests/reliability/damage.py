"""Ways in which a disk or a person spoils a checkpoint; each changes something for certain."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

Damage = Callable[[Path, Random], None]


def truncate(file: Path, length: int) -> None:
    """Leave the first bytes of a file."""
    file.write_bytes(file.read_bytes()[:length])


def flip_bit(file: Path, index: int, bit: int) -> None:
    """Change one bit of a file."""
    content = bytearray(file.read_bytes())
    content[index] ^= 1 << bit
    file.write_bytes(content)


def swap_with(checkpoint: Path, other: Path, random: Random) -> None:
    """Exchange a file of one checkpoint for that of another; both are damaged then."""
    file = _any_file(checkpoint, random)
    ours, theirs = file.read_bytes(), (other / file.name).read_bytes()
    file.write_bytes(theirs)
    (other / file.name).write_bytes(ours)


def take_from(checkpoint: Path, other: Path, random: Random) -> None:
    """Put in place of a file the one of another checkpoint, or in place of all of them."""
    files = sorted(checkpoint.iterdir())
    for file in [random.choice(files)] if random.random() < 0.8 else files:
        file.write_bytes((other / file.name).read_bytes())


def _truncate_anywhere(checkpoint: Path, random: Random) -> None:
    file = _any_file(checkpoint, random)
    truncate(file, random.randrange(file.stat().st_size))


def _flip_bits(checkpoint: Path, random: Random) -> None:
    file = _any_file(checkpoint, random)
    size = file.stat().st_size
    for index in random.sample(range(size), min(size, random.randint(1, 8))):
        flip_bit(file, index, random.randrange(8))


def _overwrite(checkpoint: Path, random: Random) -> None:
    """Zeros or garbage in place of some bytes, of whole pages, or of everything."""
    file = _any_file(checkpoint, random)
    content = file.read_bytes()
    page = random.choice((1, 16, 64, 512, 4096))
    start = random.randrange(len(content)) // page * page
    stop = min(start + page * random.randint(1, 4), len(content))
    other = bytes(stop - start) if random.random() < 0.7 else random.randbytes(stop - start)
    if other == content[start:stop]:
        other = b"\1" * len(other)
    file.write_bytes(content[:start] + other + content[stop:])


def _append(checkpoint: Path, random: Random) -> None:
    size = random.randint(1, 16)
    with _any_file(checkpoint, random).open("ab") as file:
        file.write(random.choice((bytes(size), b" " * size, b"\n" * size, random.randbytes(size))))


def _cut_out(checkpoint: Path, random: Random) -> None:
    """Bytes from the middle are missing, or stand twice."""
    file = _any_file(checkpoint, random)
    content = file.read_bytes()
    start = random.randrange(len(content))
    stop = random.randint(start + 1, len(content))
    twice = content[start:stop] if random.random() < 0.5 else b""
    file.write_bytes(content[:start] + 2 * twice + content[stop:])


def _swap_within(checkpoint: Path, random: Random) -> None:
    one, other = random.sample(sorted(checkpoint.iterdir()), 2)
    ours, theirs = one.read_bytes(), other.read_bytes()
    one.write_bytes(theirs)
    other.write_bytes(ours)


def _remove(checkpoint: Path, random: Random) -> None:
    _any_file(checkpoint, random).unlink()


def _rename_file(checkpoint: Path, random: Random) -> None:
    file = _any_file(checkpoint, random)
    file.rename(file.with_name(random.choice((file.name.swapcase(), f"{file.name}~", "x"))))


def _add(checkpoint: Path, random: Random) -> None:
    name = random.choice(("extra", ".hidden", "model.safetensors.new", "state.json~", "x.pinned"))
    (checkpoint / name).write_bytes(random.randbytes(random.randint(0, 8)))


def _put_something_else(checkpoint: Path, random: Random) -> None:
    """A directory, a link to the very content, or a pipe in place of a file."""
    file = _any_file(checkpoint, random)
    kind = random.randrange(3)
    if kind == 0:
        file.unlink()
        file.mkdir()
    elif kind == 1:
        away = checkpoint.parent.parent / "away"
        file.rename(away)
        file.symlink_to(away)
    else:
        file.unlink()
        os.mkfifo(file)


def _empty(checkpoint: Path, random: Random) -> None:
    for file in checkpoint.iterdir():
        file.unlink()


def _replace_directory(checkpoint: Path, random: Random) -> None:
    """A file, or a link to the very directory, in place of the checkpoint."""
    if random.random() < 0.5:
        shutil.rmtree(checkpoint)
        checkpoint.write_bytes(b"")
    else:
        away = checkpoint.parent.parent / f"away-{checkpoint.name}"
        checkpoint.rename(away)
        checkpoint.symlink_to(away)


def _any_file(checkpoint: Path, random: Random) -> Path:
    return random.choice(sorted(checkpoint.iterdir()))


KINDS: tuple[Damage, ...] = (
    _truncate_anywhere,
    _flip_bits,
    _flip_bits,
    _overwrite,
    _overwrite,
    _append,
    _cut_out,
    _swap_within,
    _remove,
    _rename_file,
    _add,
    _put_something_else,
    _empty,
    _replace_directory,
)
