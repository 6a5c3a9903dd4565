"""Videos by class: where classes come from, which frames are drawn, how they are cropped, what is refused."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest

from tests.tiny import draw_video
from vidalign.errors import ConfigError, DataError
from vidalign.training.data.actions import (
    ActionData,
    FrameOptions,
    dense_frames,
    load_action_sets,
    segment_frames,
)
from vidalign.training.data.classes import ClassSource, LabelledFile, class_names, labelled_files, split
from vidalign.training.data.crops import QUARTERS, MultiScale, scale_cropped
from vidalign.types import Recipe

RECIPE = Recipe("tiny", fps=8, frames=4, stride=1, size=32, crop_size=24, layer="features", step=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos in the folders of two classes, and a table of them."""
    made = tmp_path_factory.mktemp("classes")
    draw_video(made / "videos" / "jump" / "a.mp4", 2.0, seed=1)
    draw_video(made / "videos" / "jump" / "deep" / "b.mp4", 1.0, seed=2, size=(60, 80))
    draw_video(made / "videos" / "run" / "a.mp4", 1.5, seed=3)
    (made / "table.csv").write_text(
        "label,path,extra\n10,videos/jump/a.mp4,x\n9,videos/run/a.mp4,\n10,videos/jump/deep/b.mp4,\n"
    )
    return made


def data(folder: Path, **changes: object) -> ActionData:
    values = {"training": ClassSource(folder / "videos"), "validation_share": 0.0, "cache": folder / "cache"}
    return ActionData(**{**values, **changes})  # type: ignore[arg-type]


def test_classes_are_folders(folder: Path, tmp_path: Path) -> None:
    sets = load_action_sets(data(folder), RECIPE, tmp_path)
    assert sets.labels == ("jump", "run")
    found = [(video.name, video.label, video.frames.count) for video in sets.training.videos]
    assert found == [("jump/a", 0, 16), ("jump/deep/b", 0, 8), ("run/a", 1, 12)]
    assert sets.validation is None and not sets.notes
    assert not list(tmp_path.iterdir())


def test_classes_of_a_table_are_sorted_by_number(folder: Path) -> None:
    source = ClassSource(manifest=folder / "table.csv")
    files = labelled_files(source)
    assert [file.label for file in files] == ["10", "9", "10"]
    assert class_names(None, files, source) == ("9", "10")
    assert files[1].path == folder / "videos" / "run" / "a.mp4"
    assert files[1].where.endswith("table.csv:3")


def test_a_name_never_leads_out_of_the_cache(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("path,label\n/abs/x.mp4,a\n../y.mp4,b\n")
    names = [file.name for file in labelled_files(ClassSource(manifest=tmp_path / "t.csv"))]
    assert names == ["abs/x", "up/y"]


def test_clips_have_one_shape_and_are_functions_of_their_number(folder: Path, tmp_path: Path) -> None:
    clips = load_action_sets(data(folder), RECIPE, tmp_path, seed=3).training
    items = [clips.item(0, index) for index in range(3)]
    assert {item.pixels.shape for item in items} == {(4, 24, 24, 3)}
    assert np.array_equal(items[1].pixels, clips.item(0, 1).pixels)
    assert not np.array_equal(items[1].pixels, clips.item(1, 1).pixels)
    batch = clips.collate(items)
    assert batch["clips"].shape == (3, 3, 4, 24, 24)
    assert batch["labels"].tolist() == [0, 0, 1]
    assert np.array_equal(batch["clips"][2].permute(1, 2, 3, 0).numpy(), items[2].pixels)


def test_held_out_clips_are_as_the_recipe_cuts_them(folder: Path, tmp_path: Path) -> None:
    given = data(folder, validation=ClassSource(folder / "videos"))
    clips = load_action_sets(given, RECIPE, tmp_path).validation
    assert clips is not None
    item = clips.item(0, 0)
    assert item.pixels.shape == (4, 24, 24, 3)
    assert np.array_equal(item.pixels, clips.item(5, 0).pixels)
    rows = clips.videos[0].frames
    assert rows.size == (24, 24)
    assert np.array_equal(item.pixels, rows.read(0, 16)[[2, 6, 10, 14]])


def test_half_of_the_clips_are_mirrored_only_if_wished(folder: Path, tmp_path: Path) -> None:
    options = [FrameOptions(crops=(), flip=flip) for flip in (False, True)]
    plain, flipped = (load_action_sets(data(folder, clips=o), RECIPE, tmp_path).training for o in options)
    kinds: Counter[str] = Counter()
    for epoch in range(40):
        one, other = plain.item(epoch, 0).pixels, flipped.item(epoch, 0).pixels
        same, mirror = np.array_equal(one, other), np.array_equal(one[:, :, ::-1], other)
        kinds["same" if same else "mirror" if mirror else "else"] += 1
    assert kinds["else"] == 0 and min(kinds["same"], kinds["mirror"]) > 8


def test_a_frame_of_each_part_of_the_video() -> None:
    assert segment_frames(16, 4, None) == [2, 6, 10, 14]
    assert segment_frames(2, 4, None) == [0, 0, 1, 1]
    drawn = np.array([segment_frames(16, 4, Random(seed)) for seed in range(200)])
    for part in range(4):
        assert set(drawn[:, part]) == set(range(4 * part, 4 * part + 4))


def test_dense_frames_are_a_step_apart_and_go_round() -> None:
    assert dense_frames(20, 4, 2, None) == [6, 8, 10, 12]
    assert dense_frames(5, 4, 2, None) == [0, 2, 4, 1]
    starts = {dense_frames(11, 4, 2, Random(seed))[0] for seed in range(100)}
    assert starts == {0, 1, 2, 3}


def test_parts_of_a_picture_in_every_scale_and_place() -> None:
    cut = MultiScale((1.0, 0.75, 0.5), 1, (32, 32))
    assert len(cut.pairs) == 7
    boxes = {cut.draw((40, 60), Random(seed)) for seed in range(3000)}
    sides = {1.0: 40, 0.75: 32, 0.5: 20}  # 30 is near enough to 32 to be that
    assert {box[2:] for box in boxes} == {(sides[a], sides[b]) for a, b in cut.pairs}
    assert all(top + height <= 40 and left + width <= 60 for top, left, height, width in boxes)
    places = {box[:2] for box in boxes if box[2:] == (20, 20)}
    assert places == {(5 * y, 10 * x) for y, x in QUARTERS}


def test_a_part_is_scaled_and_one_of_the_right_size_is_not() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 20, 30, 3), dtype=np.uint8)
    assert np.array_equal(scale_cropped(pixels, (3, 4, 8, 9), (8, 9)), pixels[:, 3:11, 4:13])
    flat = np.full((2, 20, 30, 3), 77, np.uint8)
    assert (scale_cropped(flat, (0, 0, 20, 20), (8, 8)) == 77).all()


def test_each_class_gives_its_share_to_validate() -> None:
    files = [LabelledFile(f"{c}/{n}", Path(), c, "") for c in "ab" for n in range(10)]
    files.append(LabelledFile("c/0", Path(), "c", ""))
    learned, held = split(files, 0.3)
    assert Counter(file.label for file in held) == {"a": 3, "b": 3}
    assert sorted(f.name for f in [*learned, *held]) == sorted(f.name for f in files)
    assert split(list(reversed(files)), 0.3)[1] == list(reversed(held))


def test_what_cannot_be_read_is_left_out_and_told(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = tmp_path / "table.csv"
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    rows = [f"{folder}/videos/jump/a.mp4,jump", f"{folder}/videos/run/a.mp4,run", f"{bad},run"]
    table.write_text("\n".join(["path,label", *rows]))
    with caplog.at_level(logging.WARNING, "vidalign.training"):
        sets = load_action_sets(data(folder, training=ClassSource(manifest=table)), RECIPE, tmp_path)
    assert len(sets.training) == 2
    assert len(sets.notes) == 1 and "1 video left out" in sets.notes[0] and "bad" in sets.notes[0]
    assert sets.notes[0] in caplog.text
    table.write_text("\n".join(["path,label", rows[0], rows[2]]))
    with pytest.raises(DataError, match=r"no video of the class 'run' can be read: .*bad"):
        load_action_sets(data(folder, training=ClassSource(manifest=table)), RECIPE, tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,label\na.mp4,x\nb.mp4,x\n", "one class only \\('x'\\)"),
        ("path,label\na.mp4,x\na.mp4,y\n", r"table.csv:3: a.mp4 stands in .*table.csv:2 too"),
        ("path,label\na.mp4,x\n,y\n", r"table.csv:3: path or label is empty"),
        ("path,kind\na.mp4,x\n", "the column 'label' is missing"),
        ("path,label\n", "has no row"),
        ("path,label\nnone.mp4,x\nnone2.mp4,y\n", r"no video of the class 'x' can be read: .*none"),
    ],
)
def test_tables_that_cannot_be_learnt_from(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "table.csv").write_text(text)
    given = ActionData(ClassSource(manifest=tmp_path / "table.csv"), validation_share=0.0)
    with pytest.raises((ConfigError, DataError), match=said):
        load_action_sets(given, RECIPE, tmp_path)


def test_an_unknown_label_is_named_with_its_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "held.csv").write_text(f"path,label\n{folder}/videos/run/a.mp4,walk\n")
    with pytest.raises(ConfigError, match=r"held.csv:2: the label 'walk' is none of the 2 trained ones"):
        given = data(folder, validation=ClassSource(manifest=tmp_path / "held.csv"))
        load_action_sets(given, RECIPE, tmp_path)
    (tmp_path / "labels.txt").write_text("run\nrun\n")
    with pytest.raises(ConfigError, match="'run' stands there twice"):
        load_action_sets(data(folder, labels=tmp_path / "labels.txt"), RECIPE, tmp_path)
    (tmp_path / "labels.txt").write_text("run\nswim\njump\n")
    sets = load_action_sets(data(folder, labels=tmp_path / "labels.txt"), RECIPE, tmp_path)
    assert [video.label for video in sets.training.videos] == [2, 2, 0]


def test_a_video_outside_of_the_folders_of_classes(folder: Path, tmp_path: Path) -> None:
    draw_video(tmp_path / "loose.mp4", 0.5)
    with pytest.raises(ConfigError, match=r"loose\.mp4 lies in no folder of a class"):
        labelled_files(ClassSource(tmp_path))


@pytest.mark.parametrize(
    "changes",
    [{"crops": (1.2,)}, {"crops": (0.0,)}, {"distortion": -1}],
)
def test_options_that_cannot_be(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(changes))):
        FrameOptions(**changes)  # type: ignore[arg-type]
