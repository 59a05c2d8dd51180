"""Bad images end `ot run` with one message that names the file, before it writes anything."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_images import pixels, write_folder, write_image

from offline_trainer.data.images import pillow
from offline_trainer.data.images.module import Images
from offline_trainer.testing.command_line import run_cli

pytest.importorskip("PIL")

MakeConfig = Callable[..., dict[str, Any]]

DOG = Path("pets/dog/001.png")
TABLE = "path,label,part\n" + "".join(
    f"pets/{kind}/{n:03}.png,{kind},{'train' if n < 9 else 'val'}\n"
    for n, kind in enumerate(["cat", "dog", "owl"] * 4)
)
OF_TABLE = {"path": "t.csv", "split": {"column": "part"}}
RESIZE = {"_type_": "transform.resize", "size": 4}
NORMALISE = {"_type_": "transform.normalise"}


def truncate() -> None:
    DOG.write_bytes(DOG.read_bytes()[:-40])


def in_table(old: str, new: str) -> Callable[[], None]:
    def change() -> None:
        assert TABLE.count(old) == 1
        Path("t.csv").write_text(TABLE.replace(old, new))

    return change


def nothing() -> None: ...


CASES: dict[str, tuple[Callable[[], Any], dict[str, Any], list[str]]] = {
    "a truncated PNG": (truncate, {}, ["pets/dog/001.png is damaged: ", "c.yaml:"]),
    "a truncated PNG while pixels are fitted": (
        truncate,
        {"transforms": [NORMALISE]},
        ["pets/dog/001.png is damaged: ", "data.path"],
    ),
    "a truncated PNG of a table": (
        truncate,
        OF_TABLE,
        ["t.csv, line 3: image ", "pets/dog/001.png is damaged: "],
    ),
    "no image": (lambda: DOG.write_text("hello"), {}, ["pets/dog/001.png is no PNG or JPEG"]),
    "an empty file": (lambda: DOG.write_bytes(b""), {}, ["pets/dog/001.png is empty"]),
    "a device": (
        lambda: (DOG.unlink(), DOG.symlink_to("/dev/null")),
        {},
        ["pets/dog/001.png is not a file"],
    ),
    "a device of a table": (
        in_table("pets/dog/004.png", "/dev/null"),
        OF_TABLE,
        ["t.csv, line 6: image ", "/dev/null is not a file"],
    ),
    "a missing folder": (
        nothing,
        {"path": "pest"},
        ["pest does not exist", "did you mean `pets`"],
    ),
    "an empty folder": (
        lambda: Path("none").mkdir(),
        {"path": "none"},
        ["folder ", "none has no PNG or JPEG in it"],
    ),
    "an empty class": (
        lambda: Path("pets/emu").mkdir(),
        {},
        ["folder ", "pets/emu has no PNG or JPEG in it"],
    ),
    "a level more than declared": (
        lambda: write_image(Path("pets/dog/big/1.png"), pixels(1)),
        {},
        [
            "pets/dog/big/1.png lies in 2 folders below",
            "expected 1: label",
            "levels: [part, label]",
        ],
    ),
    "an image beside the classes": (
        lambda: write_image(Path("pets/1.png"), pixels(1)),
        {},
        ["pets/1.png lies in 0 folders below"],
    ),
    "a link in a circle": (
        lambda: Path("pets/dog/pets").symlink_to("..", target_is_directory=True),
        {},
        ["pets/dog/pets is a link to a folder that it lies in"],
    ),
    "mixed sizes": (
        lambda: write_image(DOG, pixels(1, side=9)[:8]),
        {},
        ["pets/dog/001.png is 9 x 8 pixels after the transforms; the others are 8 x 8", "resize"],
    ),
    "a crop that is larger than the image": (
        nothing,
        {"transforms": [RESIZE, {"_type_": "transform.crop", "size": 5}]},
        ["pets/cat/000.png is 4 x 4 pixels, smaller than the crop of 5 x 5"],
    ),
    "a missing file of a table": (
        in_table("dog/004.png", "dog/04.png"),
        OF_TABLE,
        ["t.csv, line 6: image ", "pets/dog/04.png does not exist", "did you mean 004.png"],
    ),
    "an empty path": (
        in_table("pets/dog/004.png", ""),
        OF_TABLE,
        ["t.csv, line 6, column `path`: the cell is empty"],
    ),
    "an empty label": (
        in_table("004.png,dog", "004.png,"),
        OF_TABLE,
        ["t.csv, line 6, column `label`: the cell is empty"],
    ),
    "a class that was not in training": (
        in_table("010.png,dog", "010.png,dgo"),
        OF_TABLE,
        ["t.csv, line 12, column `label`: 'dgo' is none of its categories", "did you mean `dog`"],
    ),
    "a class that is not declared": (
        nothing,
        {"classes": ["cat", "dog"]},
        ["pets/owl/002.png, column `label`: 'owl' is none of its categories cat, dog"],
    ),
    "an unknown part": (
        in_table("004.png,dog,train", "004.png,dog,trian"),
        OF_TABLE,
        ["t.csv, line 6, column `part`: 'trian' is none of train, val, test"],
    ),
    "a part as a class": (
        nothing,
        {"levels": ["part", "label"]},
        ["lies in 1 folders below", "expected 2: part, label"],
    ),
    "an empty split": (
        nothing,
        {"split": {"groups": "label", "val": 0.3, "test": 0.6}},
        ["the train part has no row of the 12 in 3 groups"],
    ),
    "no column of the paths": (
        nothing,
        {**OF_TABLE, "image": "paht"},
        ["t.csv has no column `paht`", "did you mean `path`"],
    ),
    "no column of the classes": (
        nothing,
        {**OF_TABLE, "target": "lable"},
        ["the images have no column `lable`", "did you mean `label`", "path, label, part"],
    ),
    "no column of the split": (
        nothing,
        {"split": {"stratify": "labl", "val": 0.3}},
        ["the images have no column `labl`", "did you mean `label`"],
    ),
    "no such mode": (nothing, {"mode": "RGBA"}, ["mode must be RGB or L, got 'RGBA'"]),
    "levels without the classes": (
        nothing,
        {"levels": ["part", "kind"]},
        ["levels must have `label`"],
    ),
    "a transform of tables": (
        nothing,
        {"transforms": [{"_type_": "transform.one_hot"}]},
        ["OneHot is no transform of images"],
    ),
    "a transform of images behind one of pixels": (
        nothing,
        {"transforms": [NORMALISE, RESIZE]},
        ["Resize transforms an image, whose pixels have been transformed", "before Normalise"],
    ),
    "means of three channels for one": (
        nothing,
        {"mode": "L", "transforms": [{**NORMALISE, "mean": [0.1] * 3, "std": [0.2] * 3}]},
        ["mean has 3 numbers, and the images have 1 channels"],
    ),
    "no table": (
        lambda: Path("t.doc").touch(),
        {"path": "t.doc"},
        ["t.doc is no table by its name"],
    ),
    "workers below 0": (nothing, {"workers": -1}, ["workers must be at least 0"]),
}


def said_of(config: dict[str, Any]) -> str:
    Path("c.yaml").write_text(json.dumps(config))
    before = sorted(Path().iterdir())
    done = run_cli("run", "c.yaml")
    assert done.exit_code == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error") == 1
    assert sorted(Path().iterdir()) == before
    return done.stderr


@pytest.mark.parametrize("case", CASES)
def test_bad_images_are_one_clear_message_before_a_run_directory_exists(
    case: str, small_config: MakeConfig
) -> None:
    break_it, change, said = CASES[case]
    write_folder(Path("pets"), 12)
    Path("t.csv").write_text(TABLE)
    break_it()
    told = said_of(small_config(data={"_type_": "data.images", "path": "pets", **change}))
    for text in said:
        assert text in told


def test_without_pillow_the_extra_is_named(
    small_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pillow, "find_spec", lambda name: None)
    told = said_of(small_config(data={"_type_": "data.images", "path": "pets"}))
    assert "Pillow is needed, which is not installed" in told
    assert "pip install 'offline-trainer-core[images]'" in told


def test_other_files_are_left_out_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(tmp_path, 4)
    (tmp_path / "cat" / "notes.txt").touch()
    (tmp_path / "cat" / ".hidden").touch()
    data = Images(tmp_path)
    data.setup("fit")
    assert sum(len(batch["y"]) for batch in data.train_dataloader()) == 4
    said = capsys.readouterr().err
    assert said == f"ot: left out of {tmp_path}, no PNG or JPEG by their names: cat/notes.txt\n"


def test_a_folder_may_be_a_link(tmp_path: Path) -> None:
    write_folder(tmp_path / "pets", 6)
    shutil.move(tmp_path / "pets/owl", tmp_path / "owls")
    (tmp_path / "pets/owl").symlink_to(tmp_path / "owls", target_is_directory=True)
    data = Images(tmp_path / "pets")
    data.setup("fit")
    assert sum(len(batch["y"]) for batch in data.train_dataloader()) == 6


class Odd:
    """A transform that fails, or gives what it must not."""

    def __init__(self, does: str) -> None:
        self._does = does

    def apply_image(self, image: Any, random: Any) -> Any:
        if self._does == "fail":
            raise ZeroDivisionError("by zero")
        return image.convert("L")


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("fail", "000.png could not be transformed: ZeroDivisionError: by zero"),
        ("grey", "000.png came out of the transforms with mode L, not RGB"),
    ],
)
def test_a_transform_that_fails_is_told_with_the_image(
    does: str, said: str, tmp_path: Path
) -> None:
    write_folder(tmp_path, 3)
    with pytest.raises(ValueError, match=said):
        Images(tmp_path, transforms=[Odd(does)]).setup("fit")


@pytest.mark.parametrize("limit", [40, 20])  # Pillow warns of 64 pixels, and raises an error
def test_a_vast_image_is_refused(
    limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path, 3)
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", limit)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        data = Images(tmp_path)
        with pytest.raises(ValueError, match=f"000.png has more than {limit} pixels"):
            data.setup("fit")
