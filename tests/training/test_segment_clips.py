"""Clips of segments: where they lie, how many, what is left out, and the global features beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.tiny import draw_video, made_features
from vidalign.errors import ConfigError, DataError
from vidalign.store.features import write_features
from vidalign.training.data.gvf import read_gvf
from vidalign.training.data.segment_clips import (
    SegmentClips,
    SegmentData,
    SegmentOptions,
    SegmentSource,
    check_clips,
    clip_starts,
    load_segment_sets,
)
from vidalign.video.clips import cut_clips
from vidalign.video.open import open_video
from vidalign.weights.recipes import get_recipe

RECIPE = replace(
    get_recipe("mini-8fps"), fps=8.0, frames=8, stride=1.0, size=(32, 40), crop_size=28, resize="exact"
)
TABLE = "video,start,end,label\na.mp4,0,2,spin\na.mp4,2,4,\nsub/b,0.5,2.5,fall\nsub/b,2.5,3,spin\n"


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("segments")
    draw_video(folder / "a.mp4", 4.0, seed=1)
    draw_video(folder / "sub" / "b.mp4", 3.0, seed=2)
    return folder


@pytest.fixture
def data(videos: Path, tmp_path: Path) -> Callable[..., SegmentData]:
    def made(text: str = TABLE, **options: object) -> SegmentData:
        (tmp_path / "t.csv").write_text(text)
        source = SegmentSource(videos, tmp_path / "t.csv")
        return replace(SegmentData(source, cache=tmp_path / "cache"), **options)  # type: ignore[arg-type]

    return made


def test_segments_shorter_than_a_clip_are_counted(data: Callable[..., SegmentData], tmp_path: Path) -> None:
    sets = load_segment_sets(data(), RECIPE, tmp_path)
    assert sets.labels == ("fall", "spin")
    assert [(s.video, s.low, s.high, s.action) for s in sets.training.stretches] == [
        ("a", 0, 8, 1),
        ("a", 16, 24, -1),
        ("sub/b", 4, 12, 0),
    ]
    assert sets.notes == ("training: 1 of 4 segments left out: shorter than a clip of 1 s",)
    assert len(sets.training) == 15


def test_without_background(data: Callable[..., SegmentData], tmp_path: Path) -> None:
    sets = load_segment_sets(data(), RECIPE, tmp_path, background=False)
    assert [s.action for s in sets.training.stretches] == [1, 0]
    only_action = "video,start,end,label\na,0,2,spin\n"
    with pytest.raises(DataError, match="no background segment"):
        load_segment_sets(data(only_action), RECIPE, tmp_path)
    with pytest.raises(DataError, match="no segment with an action"):
        load_segment_sets(data("video,start,end,label\na,0,2,\n"), RECIPE, tmp_path)


def test_to_validate_clips_are_those_of_an_extraction(
    data: Callable[..., SegmentData], videos: Path, tmp_path: Path
) -> None:
    given = data(clips=SegmentOptions(per_segment=2))
    sets = load_segment_sets(replace(given, validation=given.training), RECIPE, tmp_path)
    assert sets.validation is not None
    with open_video(videos / "a.mp4") as reader:
        expected = [clip.pixels.reshape(8, 28, 28, 3) for clip in cut_clips(reader, RECIPE)]
    first, last = (sets.validation.item(0, index).pixels for index in (0, 3))
    assert np.array_equal(first, expected[0]) and np.array_equal(last, expected[1])
    again = sets.validation.item(3, 0).pixels
    assert np.array_equal(first, again)


def test_in_training_clips_are_cropped_and_mirrored_at_random(
    data: Callable[..., SegmentData], tmp_path: Path
) -> None:
    clips = load_segment_sets(data(), RECIPE, tmp_path).training
    drawn = [clips.item(0, index) for index in range(len(clips))]
    assert {clip.pixels.shape for clip in drawn} == {(8, 28, 28, 3)}
    assert np.array_equal(clips.item(0, 4).pixels, drawn[4].pixels)
    of_the_first = [clip.pixels for clip in drawn[::3]]
    assert len({pixels.tobytes() for pixels in of_the_first}) == len(of_the_first)
    assert {clip.pixels.tobytes() for clip in drawn}.isdisjoint({clips.item(1, 0).pixels.tobytes()})
    batch = clips.collate(drawn[:4])
    assert batch["clips"].shape == (4, 3, 8, 28, 28)
    assert batch["action"].tolist() == [1, -1, 0, 1] and "gvf" not in batch


def test_balanced_an_epoch_has_as_much_action_as_background(
    data: Callable[..., SegmentData], tmp_path: Path
) -> None:
    given = load_segment_sets(data(), RECIPE, tmp_path).training
    stretches = [replace(given.stretches[0], low=0, high=0, video=str(n), action=n % 3) for n in range(7)]
    stretches.append(replace(given.stretches[1], video="rest"))
    options = SegmentOptions(per_segment=3, balanced=True)
    clips = SegmentClips(stretches, RECIPE, options, training=True)
    epochs = [[clips.item(epoch, index) for index in range(len(clips))] for epoch in (0, 1)]
    assert [sum(clip.action < 0 for clip in epoch) for epoch in epochs] == [12, 12]
    shown = Counter(clip.video for epoch in epochs for clip in epoch if clip.action >= 0)
    assert set(shown) == set("0123456") and max(shown.values()) - min(shown.values()) <= 1
    held = SegmentClips(stretches, RECIPE, options, training=False)
    assert sum(held.item(0, index).action < 0 for index in range(len(held))) == 3


@pytest.mark.parametrize(
    ("interval", "frames", "expected"),
    [
        ((0.0, 2.0), 100, (0, 8)),
        ((1.0, 2.0), 100, (8, 8)),
        ((0.1, 1.1), 100, (1, 1)),
        ((1.0, 1.9), 100, "shorter than a clip of 1 s"),
        ((10.0, 14.0), 100, (80, 92)),
        ((12.0, 14.0), 100, "no clip before the end of the video"),
    ],
)
def test_clips_lie_within_their_segment_and_video(
    interval: tuple[float, float], frames: int, expected: object
) -> None:
    assert clip_starts(*interval, frames, RECIPE) == expected


def test_every_other_frame(data: Callable[..., SegmentData], tmp_path: Path) -> None:
    recipe = replace(RECIPE, frames=4, step=2)
    assert clip_starts(0.0, 1.0, 100, recipe) == (0, 0)
    assert clip_starts(0.0, 0.9, 100, recipe) == "shorter than a clip of 1 s"
    given = data(clips=SegmentOptions(random_crop=False, flip=False))
    clips = load_segment_sets(given, recipe, tmp_path).training
    frames = clips.stretches[0].frames.read(0, 16)
    pixels = clips.item(0, 0).pixels
    starts = [start for start in range(9) if np.array_equal(frames[start : start + 7 : 2], pixels)]
    assert len(starts) == 1


def test_a_missing_video_is_named_with_its_line(data: Callable[..., SegmentData], tmp_path: Path) -> None:
    text = TABLE + "c.mp4,0,2,spin\nd.mp4,0,2,spin\n"
    with pytest.raises(ConfigError, match=r"t.csv:6: no video c.mp4 in .*, nor 1 more"):
        load_segment_sets(data(text), RECIPE, tmp_path)
    sets = load_segment_sets(data(text, missing="leave out"), RECIPE, tmp_path)
    assert len(sets.training.stretches) == 3
    assert any("2 videos left out" in note for note in sets.notes)


def test_a_label_of_validation_that_is_not_trained(
    data: Callable[..., SegmentData], videos: Path, tmp_path: Path
) -> None:
    other = tmp_path / "held.csv"
    other.write_text("video,start,end,label\na,0,2,jump\n")
    given = replace(data(), validation=SegmentSource(videos, other))
    with pytest.raises(ConfigError, match=r"held.csv:2: the label 'jump' is none of the 2"):
        load_segment_sets(given, RECIPE, tmp_path)


def test_recipes_of_which_no_clip_can_be_cut_anywhere() -> None:
    check_clips(RECIPE)
    for change in ({"crop": "three"}, {"sampling": "dense", "views": 2}):
        with pytest.raises(ConfigError, match="several views"):
            check_clips(replace(RECIPE, **change))  # type: ignore[arg-type]


def test_global_features_go_with_their_videos(data: Callable[..., SegmentData], tmp_path: Path) -> None:
    folder = tmp_path / "gvf"
    for name, seed in (("a", 1), ("sub/b", 2)):
        write_features(folder / f"{name}.h5", made_features(1, 5, seed=seed, pooling="max"))
    clips = load_segment_sets(data(), RECIPE, tmp_path, gvf=folder).training
    assert clips.gvf is not None
    batch = clips.collate([clips.item(0, index) for index in (2, 0)])
    expected = [made_features(1, 5, seed=seed).features[0] for seed in (2, 1)]
    assert np.array_equal(batch["gvf"].numpy(), np.stack(expected).astype(np.float32))


def test_global_features_that_are_missing_or_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no folder"):
        read_gvf(tmp_path / "none", ["a"])
    write_features(tmp_path / "a.h5", made_features(1, 5, pooling="max"))
    with pytest.raises(ConfigError, match="no global feature of b, nor of 1 more"):
        read_gvf(tmp_path, ["a", "b", "c"])
    write_features(tmp_path / "b.h5", made_features(3, 5))
    with pytest.raises(DataError, match="holds 3 clips, not one global feature"):
        read_gvf(tmp_path, ["a", "b"])
    write_features(tmp_path / "b.h5", made_features(1, 5, pooling="avg"))
    with pytest.raises(DataError, match=r"pooling avg, .* has max"):
        read_gvf(tmp_path, ["a", "b"])
