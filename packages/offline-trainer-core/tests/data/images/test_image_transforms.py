"""Transforms of images: what they do to an image, and that nothing is random without a stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from small_images import pixels

from model_constructor.errors import ParameterError
from offline_trainer.data.images.loading import image_random
from offline_trainer.data.transforms.colour_jitter import ColourJitter
from offline_trainer.data.transforms.crop import Crop
from offline_trainer.data.transforms.flip import Flip
from offline_trainer.data.transforms.normalise import Normalise
from offline_trainer.data.transforms.resize import Resize
from offline_trainer.protocols import BadImageError, ImageTransform, PixelTransform

Image = pytest.importorskip("PIL.Image")

IMAGE = Image.fromarray(pixels(3, side=16)[:12])  # 16 wide, 12 high

OF_IMAGES = {
    "resize": Resize(6),
    "crop": Crop(8, padding=2),
    "flip": Flip(),
    "colour_jitter": ColourJitter(0.5, 0.5, 0.5),
}


def applied(transform: Any, image: Any = IMAGE, random: Any = None) -> np.ndarray[Any, Any]:
    return np.asarray(transform.apply_image(image, random))


def draws(transform: Any, count: int = 40) -> list[bytes]:
    return [applied(transform, random=image_random(0, 0, n)).tobytes() for n in range(count)]


@pytest.mark.parametrize("name", OF_IMAGES)
def test_an_image_is_a_function_of_image_and_stream(name: str) -> None:
    transform = OF_IMAGES[name]
    assert isinstance(transform, ImageTransform)
    assert draws(transform) == draws(transform)
    assert applied(transform).tobytes() == applied(transform).tobytes()
    assert (len(set(draws(transform))) > 1) == (name != "resize")


def test_a_size_is_exact_or_that_of_the_shorter_side() -> None:
    assert Resize([5, 7]).apply_image(IMAGE, None).size == (7, 5)
    assert Resize(6).apply_image(IMAGE, None).size == (8, 6)
    assert Resize(24).apply_image(IMAGE, None).size == (32, 24)
    assert Resize([12, 16]).apply_image(IMAGE, None) is IMAGE
    nearest = applied(Resize([6, 8], filter="nearest"))
    assert np.array_equal(nearest, np.asarray(IMAGE)[1::2, 1::2])


def test_a_crop_is_the_middle_in_evaluation_and_anywhere_in_training() -> None:
    whole = np.asarray(IMAGE)
    assert np.array_equal(applied(Crop(8)), whole[2:10, 4:12])
    parts = {whole[y : y + 8, x : x + 8].tobytes() for y in range(5) for x in range(9)}
    assert set(draws(Crop(8), 2000)) == parts


def test_padding_is_black_and_for_training_alone() -> None:
    padded = Crop([12, 16], padding=1)
    assert np.array_equal(applied(padded), np.asarray(IMAGE))
    around = np.pad(np.asarray(IMAGE), ((1, 1), (1, 1), (0, 0)))
    parts = {around[y : y + 12, x : x + 16].tobytes() for y in range(3) for x in range(3)}
    assert set(draws(padded, 200)) == parts


def test_an_image_that_is_smaller_than_the_crop_is_refused() -> None:
    with pytest.raises(BadImageError, match=r"is 16 x 12 pixels, smaller than the crop of 8 x 13"):
        Crop([13, 8], padding=4).apply_image(IMAGE, image_random(0, 0, 0))


def test_half_of_the_images_are_mirrored() -> None:
    mirrored = np.asarray(IMAGE)[:, ::-1].tobytes()
    found = draws(Flip(), 400)
    assert set(found) == {mirrored, np.asarray(IMAGE).tobytes()}
    assert 150 < found.count(mirrored) < 250
    assert set(draws(Flip(1.0))) == {mirrored}
    assert mirrored not in draws(Flip(0.0))


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_colours_change_by_no_more_than_their_share(name: str) -> None:
    from PIL import ImageEnhance

    ways: dict[str, Callable[..., Any]] = {
        "brightness": ImageEnhance.Brightness,
        "contrast": ImageEnhance.Contrast,
        "saturation": ImageEnhance.Color,
    }
    jitter = ColourJitter(**{name: 0.2})
    for n in range(5):
        factor = image_random(0, 0, n).uniform(0.8, 1.2)
        expected = np.asarray(ways[name](IMAGE).enhance(factor))
        assert np.array_equal(applied(jitter, random=image_random(0, 0, n)), expected)


def test_grey_images_have_colours_to_change_too() -> None:
    grey = Image.fromarray(pixels(1, channels=1))
    changed = ColourJitter(0.5, 0.5, 0.5).apply_image(grey, image_random(0, 0, 1))
    assert (changed.mode, changed.size) == ("L", grey.size)


def test_mean_and_deviation_are_those_of_all_pixels_of_a_channel() -> None:
    values = np.random.default_rng(0).random((9, 3, 4, 5)).astype(np.float32)
    values[:, 1] = 0.25  # a constant channel
    normalise = Normalise()
    assert isinstance(normalise, PixelTransform)
    state = normalise.fit_pixels([values[:4], values[4:5], values[5:]])
    assert state["mean"] == pytest.approx(values.mean(axis=(0, 2, 3), dtype=np.float64))
    found = normalise.apply_pixels(values.copy(), state)
    assert found.dtype == np.float32
    assert found.std(axis=(0, 2, 3)) == pytest.approx([1.0, 0.0, 1.0], abs=1e-5)


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "no size": (lambda: Resize(0), "size must be"),
    "three sizes": (lambda: Crop([1, 2, 3]), "size must be"),
    "a size that is no number": (lambda: Crop(True), "size must be"),
    "negative padding": (lambda: Crop(8, padding=-1), "padding must be at least 0"),
    "a probability above 1": (lambda: Flip(1.5), "probability must be from 0 to 1"),
    "brightness above 1": (lambda: ColourJitter(1.5), "brightness must be from 0 to 1"),
    "a mean alone": (lambda: Normalise(mean=[0.5]), "mean and std go together"),
    "unequal lengths": (lambda: Normalise([0.5], [0.1, 0.2]), "mean has 1 numbers and std 2"),
    "no deviation": (lambda: Normalise([0.5], [0.0]), "std must be above 0"),
    "another number of channels": (
        lambda: Normalise([0.5], [0.5]).fit_pixels([np.zeros((1, 3, 2, 2), np.float32)]),
        "mean has 1 numbers, and the images have 3 channels",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_parameter_is_refused(case: str) -> None:
    make, said = WRONG[case]
    with pytest.raises(ParameterError, match=said):
        make()
