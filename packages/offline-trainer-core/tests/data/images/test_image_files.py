"""What stands in PNG, JPEG and idx files, whatever mode their images have."""

from __future__ import annotations

import gzip
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_images import numbers, pixels

from model_constructor.errors import ParameterError
from offline_trainer.data.images.idx import read_idx
from offline_trainer.data.images.module import Images
from offline_trainer.data.images.pillow import decoded
from offline_trainer.protocols import BadImageError

Image = pytest.importorskip("PIL.Image")

GREY = pixels(4, channels=1)
COLOURS = pixels(4)


def stored(image: Any, format: str = "PNG", **options: Any) -> bytes:
    stream = BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def read(content: bytes, mode: str = "RGB") -> np.ndarray[Any, Any]:
    image = decoded(content, mode)
    assert image.mode == mode
    return np.asarray(image)


def test_grey_becomes_three_equal_channels_and_colours_become_grey() -> None:
    assert np.array_equal(read(stored(Image.fromarray(GREY))), np.stack([GREY] * 3, axis=2))
    grey = np.asarray(Image.fromarray(COLOURS).convert("L"))
    assert np.array_equal(read(stored(Image.fromarray(COLOURS)), "L"), grey)


def test_transparency_is_left_out() -> None:
    alpha = np.dstack([COLOURS, GREY])
    assert np.array_equal(read(stored(Image.fromarray(alpha))), COLOURS)


@pytest.mark.parametrize("options", [{}, {"transparency": bytes([9] * 256)}])
def test_a_palette_is_looked_up(options: dict[str, Any]) -> None:
    palette = Image.fromarray(COLOURS).quantize(16)
    expected = np.asarray(palette.convert("RGB"))
    assert np.array_equal(read(stored(palette, **options)), expected)


def test_of_16_bits_the_upper_8_are_taken() -> None:
    deep = (np.arange(64, dtype=np.uint16) * 1000).reshape(8, 8)
    for mode in ("L", "RGB"):
        found = read(stored(Image.fromarray(deep)), mode)
        assert np.array_equal(found if mode == "L" else found[..., 1], deep >> 8)


def test_one_bit_is_black_and_white() -> None:
    bits = Image.fromarray(GREY > 127)
    assert np.array_equal(read(stored(bits), "L"), np.where(GREY > 127, 255, 0))


def test_an_image_is_turned_as_its_camera_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: 90 degrees clockwise put it right
    tall = Image.fromarray(COLOURS[:4])
    assert np.array_equal(read(stored(tall, exif=exif)), np.rot90(COLOURS[:4], -1))
    assert read(stored(tall, "JPEG", exif=exif)).shape == (8, 4, 3)


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_damaged(format: str, share: float) -> None:
    content = stored(Image.fromarray(pixels(1, side=64)), format)
    with pytest.raises(BadImageError, match="is damaged: "):
        read(content[: int(len(content) * share)])


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_every_truncation_is_noticed_before_a_run(format: str, tmp_path: Path) -> None:
    content = stored(Image.fromarray(COLOURS), format)
    (tmp_path / "a").mkdir()
    file = tmp_path / "a" / "a.png"
    # The last bytes are the checksum of an empty chunk, or the mark of the end.
    for length in range(len(content) - (4 if format == "PNG" else 2)):
        file.write_bytes(content[:length])
        with pytest.raises(ParameterError, match=r"image .*a\.png is "):
            Images(tmp_path).setup("fit")
    file.write_bytes(content)
    Images(tmp_path).setup("fit")


def test_a_wrong_checksum_is_noticed_before_a_run(tmp_path: Path) -> None:
    content = bytearray(stored(Image.fromarray(COLOURS)))
    (tmp_path / "a").mkdir()
    for place in range(len(content) - 12):  # the last chunk says nothing but that it is the last
        changed = content.copy()
        changed[place] ^= 4
        (tmp_path / "a" / "a.png").write_bytes(changed)
        with pytest.raises(ParameterError, match=r"image .*a\.png is "):
            Images(tmp_path).setup("fit")


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "is empty"), (b"hello", "is no PNG or JPEG"), (b"GIF89a", "is no")]
)
def test_another_file_is_no_image(content: bytes, said: str) -> None:
    with pytest.raises(BadImageError, match=said):
        read(content)


def idx(array: np.ndarray[Any, Any]) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


def write_mnist(folder: Path) -> None:
    for name, first, count in (("train", 0, 7), ("t10k", 7, 4)):
        images = np.stack([pixels(first + n, channels=1) for n in range(count)])
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        labels = np.arange(first, first + count) % 3
        (folder / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))


def test_idx_files_have_their_parts_and_labels(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    data = Images(tmp_path, mode="L", batch_size=20, split={"column": "part"}, shuffle=False)
    data.setup("fit")
    (train,) = data.train_dataloader()
    (test,) = data.test_dataloader() or ()
    assert (numbers(train), numbers(test)) == (list(range(7)), list(range(7, 11)))
    assert train["y"].tolist() == [n % 3 for n in range(7)]
    assert np.array_equal(train["x"][2, 0] * 255, pixels(2, channels=1))
    assert sorted(data.input_files()) == sorted(tmp_path.iterdir())
    (new,) = data.new_samples(tmp_path)
    assert new.columns["path"][0] == "t10k-images-idx3-ubyte.gz[0]"
    assert list(new.columns["part"]) == ["test"] * 4 + ["train"] * 7


GOOD = idx(np.arange(24).reshape(2, 3, 4))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a", GOOD[:-1], r"is damaged: it has 23 values for the shape \(2, 3, 4\)"),
        ("a", GOOD + b"0", "is damaged: it has 25 values"),
        ("a", GOOD[:9], "is damaged"),
        ("a", b"\0\0\x0d" + GOOD[3:], "is no idx file of uint8: it begins with 00 00 0d 03"),
        ("a", bytes([0, 0, 8, 65]) + b"\0\0\0\1" * 65 + b"0", "is damaged"),
        ("a", bytes([0, 0, 8, 4]) + bytes(4) + b"\xff" * 12, "is damaged"),
        ("a", b"", "is no idx file"),
        ("a.gz", gzip.compress(GOOD, mtime=0)[:-9], "is damaged"),
        ("a.gz", GOOD, "is damaged"),
        ("b", None, "does not exist"),
    ],
)
def test_a_bad_idx_file_is_refused(
    name: str, content: bytes | None, said: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ParameterError, match=said):
        read_idx(tmp_path / name)


def test_labels_of_another_length_are_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.arange(5))))
    with pytest.raises(ParameterError, match=r"\(4, 8, 8\) and t10k-labels.* \(5,\)"):
        Images(tmp_path).setup("fit")
