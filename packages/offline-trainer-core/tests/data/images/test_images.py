"""`data.images`: batches of images and classes, the same for any number of threads."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_images import CLASSES, numbers, pixels, write_folder, write_image

from offline_trainer.data.images import module
from offline_trainer.data.images.loading import image_random
from offline_trainer.data.images.module import Images
from offline_trainer.data.threads import in_order
from offline_trainer.data.transforms.colour_jitter import ColourJitter
from offline_trainer.data.transforms.crop import Crop
from offline_trainer.data.transforms.flip import Flip
from offline_trainer.data.transforms.normalise import Normalise
from offline_trainer.data.transforms.resize import Resize
from offline_trainer.errors import ComponentFailedError
from offline_trainer.run.input_files import hash_file, hash_files

pytest.importorskip("PIL")


def opened(path: Path, **arguments: Any) -> Images:
    data = Images(path, **arguments)
    data.set_seed(5)
    data.setup("fit")
    return data


def augmented(path: Path, **arguments: Any) -> Images:
    transforms = [Crop(6, padding=2), Flip(), ColourJitter(0.3, 0.3, 0.3), Normalise()]
    return opened(path, batch_size=4, transforms=transforms, split={"val": 0.2}, **arguments)


def epoch(data: Images, number: int, batch: int = 0) -> list[bytes]:
    data.set_position(number, batch)
    return [each["x"].tobytes() + each["y"].tobytes() for each in data.train_dataloader()]


def test_a_folder_per_class_gives_pixels_and_classes(tmp_path: Path) -> None:
    data = opened(write_folder(tmp_path / "pets", 7), batch_size=7)
    (batch,) = data.train_dataloader()
    assert (batch["x"].shape, batch["x"].dtype) == ((7, 3, 8, 8), np.float32)
    assert batch["y"].dtype == np.int64
    for number, x, y in zip(numbers(batch), batch["x"], batch["y"], strict=True):
        assert np.array_equal(x, pixels(number).transpose(2, 0, 1) / np.float32(255))
        assert y == number % 3
    assert data.transform_state()["classes"] == [{"label": {"categories": list(CLASSES)}}]


@pytest.mark.parametrize("length", [1, 7, 8, 13])
@pytest.mark.parametrize("batch_size", [1, 3, 8, 20])
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_every_image_comes_exactly_once_in_an_epoch(
    length: int, batch_size: int, workers: int, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "pets", length)
    data = opened(folder, batch_size=batch_size, workers=workers)
    for _ in range(2):
        loader = data.train_dataloader()
        batches = list(loader)
        assert len(loader) == len(batches) == -(-length // batch_size)
        seen = [number for batch in batches for number in numbers(batch)]
        assert sorted(seen) == list(range(length))


def test_the_batches_are_the_same_for_any_number_of_workers(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pets", 30)
    alone, three = (augmented(folder, workers=count) for count in (0, 3))
    assert alone.transform_state() == three.transform_state()
    assert [epoch(alone, n) for n in range(3)] == [epoch(three, n) for n in range(3)]


def test_an_epoch_goes_on_in_its_middle_as_it_would_have(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pets", 30)
    whole = epoch(augmented(folder), 2)
    assert epoch(augmented(folder, workers=3), 2, batch=3) == whole[3:]


def test_training_is_augmented_anew_in_each_epoch_and_evaluation_never(tmp_path: Path) -> None:
    data = augmented(write_folder(tmp_path / "pets", 30), shuffle=False)
    assert epoch(data, 0) != epoch(data, 1)
    assert epoch(data, 0) == epoch(data, 0)
    loader = data.val_dataloader()
    assert loader is not None
    first, again = (np.concatenate([b["x"] for b in loader]) for _ in range(2))
    assert np.array_equal(first, again)
    plain = opened(tmp_path / "pets", transforms=[Crop(6), Normalise()], split={"val": 0.2})
    assert plain.val_dataloader() is not None
    expected = np.concatenate([b["x"] for b in plain.val_dataloader() or ()])
    assert np.array_equal(first, expected)


def test_the_random_stream_of_an_image_is_what_it_always_was() -> None:
    """A stored run resumes to the same augmentation: these values must not change."""
    drawn = [image_random(0, 0, 0).integers(1000), image_random(3, 2, 7).integers(1000)]
    assert [*map(int, drawn), image_random(-1, 2**40, 7).random()] == EXPECTED_RANDOM


EXPECTED_RANDOM = [137, 204, 0.034656385184317906]


def test_images_are_normalised_by_the_training_part_alone(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pets", 150)  # more than are looked at together
    data = opened(folder, transforms=[Normalise()], split={"val": 0.3, "test": 0.3})
    seen = [batch["x"] for batch in data.part_dataloader("train") or ()]
    found = np.concatenate(seen).astype(np.float64)
    assert found.mean(axis=(0, 2, 3)) == pytest.approx(np.zeros(3), abs=1e-6)
    assert found.std(axis=(0, 2, 3)) == pytest.approx(np.ones(3), abs=1e-6)


def test_what_was_fitted_is_used_again(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pets", 20)
    first = opened(folder, transforms=[Normalise()], split={"val": 0.5})
    again = Images(folder, transforms=[Normalise()])  # all of it trains
    again.load_transform_state(first.transform_state())
    again.setup("fit")
    assert again.transform_state() == first.transform_state()


@pytest.mark.parametrize(
    "state",
    [
        None,
        {},
        {"shape": [3, 8], "classes": [{}], "transforms": [{}]},
        {"shape": [3, 8, "8"], "classes": [{}], "transforms": [{}]},
        {"shape": [3, 8, 8], "classes": [], "transforms": [{}]},
        {"shape": [3, 8, 8], "classes": [{}], "transforms": []},
    ],
)
def test_a_state_of_something_else_is_refused(state: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected"):
        Images(tmp_path, transforms=[Normalise()]).load_transform_state(state)


def test_levels_of_folders_divide_the_images(tmp_path: Path) -> None:
    for part, first in (("train", 0), ("val", 6), ("test", 9)):
        for number in range(first, first + 3):
            write_image(tmp_path / part / CLASSES[number % 3] / f"{number}.png", pixels(number))
    data = opened(tmp_path, levels=["part", "label"], split={"column": "part"})
    found = {
        part: [n for batch in data.part_dataloader(part) or () for n in numbers(batch)]
        for part in ("train", "val", "test")
    }
    assert found == {"train": [0, 1, 2], "val": [6, 7, 8], "test": [9, 10, 11]}


def test_a_column_of_a_table_or_a_level_keeps_groups_together(tmp_path: Path) -> None:
    for number in range(12):
        place = f"{CLASSES[number % 3]}/patient{number % 4}/{number}.jpg"
        write_image(tmp_path / place, pixels(number))
    data = opened(tmp_path, levels=["label", "patient"], split={"groups": "patient", "val": 0.25})
    assert data.split_state()["val"]["rows"] == 3


def test_a_table_names_images_beside_it(tmp_path: Path) -> None:
    write_folder(tmp_path / "files", 6)
    lines = [f"files/{CLASSES[n % 3]}/{n:03}.png;{'ab'[n % 2]};{n}" for n in range(6)]
    (tmp_path / "index.csv").write_text("\n".join(["file;kind;id", *lines]))
    columns = {"image": "file", "target": "kind", "delimiter": ";"}
    data = opened(tmp_path / "index.csv", classes=["b", "a"], **columns)
    (batch,) = data.train_dataloader()
    assert batch["y"].tolist() == [1 - number % 2 for number in numbers(batch)]
    (new,) = data.new_samples(tmp_path / "index.csv")
    assert numbers(new.batch) == list(range(6))
    assert list(new.columns["id"]) == ["0", "1", "2", "3", "4", "5"]


def test_the_files_are_hashed_when_they_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path / "pets", 5)
    data = opened(folder)
    expected = tuple(map(hash_file, sorted(folder.rglob("*.png"))))
    monkeypatch.setattr(Path, "open", None)  # none is read again
    assert hash_files(data.input_files()) == expected


def test_many_images_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_folder(tmp_path / "pets", 6)
    opened(folder)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(module, "_NOTABLE_IMAGES", 6)
    opened(folder)
    assert capsys.readouterr().err == "ot: looking at 6 images, once before the run\n"


def test_an_image_in_two_parts_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path / "pets", 6)
    (folder / "copy.png").write_bytes((folder / "dog/004.png").read_bytes())
    table = tmp_path / "t.csv"
    rows = ["cat/000.png,cat,train", "cat/000.png,cat,train", "dog/001.png,dog,train"]
    rows += ["owl/002.png,owl,train", "dog/004.png,dog,val"]

    def said(*more: str) -> str:
        text = "\n".join(f"pets/{row}" for row in [*rows, *more])
        table.write_text(f"path,label,part\n{text}\n")
        opened(table, split={"column": "part"})
        return capsys.readouterr().err

    assert said() == ""
    assert said("dog/001.png,dog,test") == (
        f"ot: 1 image is in more than one part; the first: {table}, line 7: image "
        f"{folder}/dog/001.png of test is the same as {table}, line 4: image "
        f"{folder}/dog/001.png of train\n"
    )
    told = said("cat/003.png,cat,val", "copy.png,dog,test", "dog/001.png,dog,test")
    assert told.startswith("ot: 2 images are in more than one part; the first: ")
    assert f"copy.png of test is the same as {table}, line 6: image" in told


def test_few_large_images_are_held_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting(Normalise):
        """Notes how many images come together."""

        def fit_pixels(self, batches: Any) -> Any:
            counts.extend(len(pixels) for pixels in batches)
            return {}

        def apply_pixels(self, pixels: Any, state: Any) -> Any:
            return pixels

    folder = write_folder(tmp_path / "pets", 5)
    for size, expected in ((8 * 8 * 3 * 2, [2, 2, 1]), (1, [1] * 5), (1 << 20, [5])):
        counts: list[int] = []
        monkeypatch.setattr(module, "_BLOCK_BYTES", size)
        opened(folder, transforms=[Counting()])
        assert counts == expected


def test_new_images_lie_anywhere_below_a_folder(tmp_path: Path) -> None:
    data = opened(write_folder(tmp_path / "pets", 6), batch_size=4)
    write_folder(tmp_path / "new" / "deeper", 5)
    write_image(tmp_path / "new" / "a.PNG", pixels(99))
    made = list(data.new_samples(tmp_path / "new"))
    assert [numbers(each.batch) for each in made] == [[99, 0, 3, 1], [4, 2]]
    names = [name for each in made for name in each.columns["path"]]
    assert names[:2] == ["a.PNG", "deeper/cat/000.png"]
    (single,) = data.new_samples(tmp_path / "new" / "a.PNG")
    assert (numbers(single.batch), single.columns) == ([99], {"path": ["a.PNG"]})


def test_an_image_that_is_gone_ends_the_run_by_its_name(tmp_path: Path) -> None:
    data = opened(write_folder(tmp_path / "pets", 5))
    (tmp_path / "pets/dog/004.png").unlink()
    with pytest.raises(ComponentFailedError, match=r"004\.png does not exist in epoch 0"):
        list(data.train_dataloader())


def test_things_are_made_in_order_and_never_far_ahead() -> None:
    lock, made, most = threading.Lock(), Counter[str](), 0

    def make(item: int) -> int:
        with lock:
            made["made"] += 1
        return item * item

    for count, item in enumerate(in_order(make, range(40), workers=3)):
        assert item == count * count
        most = max(most, made["made"] - count)
    assert 1 < most <= 3 * 2 + 1


def test_threads_end_with_the_iteration() -> None:
    before = threading.active_count()
    numbers = in_order(abs, range(100), workers=3)
    assert next(numbers) == 0
    numbers.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_images_are_resized_and_cropped_to_one_size(tmp_path: Path) -> None:
    for number in range(6):
        side = 8 + number
        write_image(tmp_path / "a" / f"{number}.png", pixels(number, side=side)[:, : side - 1])
    data = opened(tmp_path, mode="L", transforms=[Resize(7), Crop([5, 6])])
    (batch,) = data.train_dataloader()
    assert batch["x"].shape == (6, 1, 5, 6)
