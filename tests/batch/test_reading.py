"""What is read in another process is what is read here."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tiny import draw_video
from vidalign.batch.child.parent import Child
from vidalign.batch.readers import TARGET
from vidalign.batch.reading import Cut, Numbers, Pictures, Reading, read, request_for
from vidalign.errors import VideoError
from vidalign.types import Recipe
from vidalign.video.clips import Clip, cut_clips
from vidalign.video.open import open_video
from vidalign.weights.recipes import get_recipe

MINI = get_recipe("mini-8fps")


def recipe(**changes: Any) -> Recipe:
    return Recipe.from_mapping({**json.loads(MINI.to_json()), "name": "other", **changes})


RECIPES = {
    "plain": MINI,
    "overlapping": recipe(stride=0.25),
    "floats": recipe(rounding=False),
    "three crops": recipe(crop="three"),
    "filled": recipe(frames=32, tail="zero"),
    "whole": recipe(sampling="dense", views=3),
    "native": recipe(fps="native", stride=3, stride_unit="frames"),
}


def cuts(messages: Any) -> tuple[Reading, list[Cut]]:
    reading = Reading()
    return reading, list(reading.clips(messages, 3))


def no_beat() -> None:
    """Nobody listens."""


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    with Child(TARGET) as started:
        yield started


@pytest.mark.parametrize("name", RECIPES)
def test_another_process_gives_the_same_clips(name: str, child: Child, clip_file: Path) -> None:
    with open_video(clip_file) as reader:
        wanted = list(cut_clips(reader, RECIPES[name]))
        info = reader.info
    request = request_for(clip_file, "auto", [RECIPES[name]], 1)
    for messages in (child.ask(request, stall=60), read(request, no_beat)):
        reading, came = cuts(messages)
        assert [(cut.clip.start, cut.clip.end) for cut in came] == [(c.start, c.end) for c in wanted]
        for cut, clip in zip(came, wanted, strict=True):
            assert cut.clip.pixels.dtype == clip.pixels.dtype
            assert np.array_equal(cut.clip.pixels, clip.pixels)
        assert (reading.reader, reading.duration) == (info.reader, info.duration)
        assert (reading.size, reading.truncated, reading.decoded_until) == (
            clip_file.stat().st_size,
            False,
            3.0,
        )


def test_overlapping_clips_share_their_pictures(child: Child, clip_file: Path) -> None:
    """Each is sent, and weighs, once, and is the same object in every clip."""
    _, came = cuts(child.ask(request_for(clip_file, "auto", [RECIPES["overlapping"]], 1), stall=60))
    pictures = {id(picture): picture for cut in came for picture in cut.clip.frames[0]}
    assert len(pictures) < sum(len(cut.clip.frames[0]) for cut in came) / 2
    assert sum(cut.weight for cut in came) == sum(picture.nbytes for picture in pictures.values())


def test_numbers_stand_for_pictures() -> None:
    numbers, pictures = Numbers(), Pictures()
    drawn = [np.full((2, 2, 3), value, np.uint8) for value in range(5)]
    for chosen in ([0, 1, 2], [2, 2, 3], [0, 3, 4]):
        clip = Clip((tuple(drawn[k] for k in chosen),), 0, 1)
        message = {"recipe": 0, **numbers.told(clip)}
        assert json.dumps(message["views"])
        cut = pictures.cut(message)
        assert all(a is b for a, b in zip(cut.clip.frames[0], clip.frames[0], strict=True))


PICTURE = np.zeros((2, 2, 3), np.uint8)
CLIP = {"recipe": 0, "first": 0, "new": [PICTURE], "views": [[0]], "times": [0.0, 1.0]}
START = {"size": 1, "reader": "pyav", "duration": 1.0, "video_start": 0.0, "misfits": [None]}


@pytest.mark.parametrize(
    "message",
    [
        CLIP | {"recipe": 99},
        CLIP | {"recipe": -1},
        CLIP | {"recipe": "0"},
        CLIP | {"times": ["a", "b"]},
        CLIP | {"times": [0.0, float("nan")]},
        CLIP | {"views": []},
        CLIP | {"views": [[]]},
        CLIP | {"new": [PICTURE[0]]},
        START | {"duration": "long"},
    ],
)
def test_nonsense_is_the_videos_error(message: dict[str, Any]) -> None:
    """A reading process in the hands of a file may say anything."""
    cuts(iter([START, CLIP]))
    with pytest.raises(VideoError, match="told nonsense"):
        cuts(iter([START, message]))


def test_misfits_are_errors_or_none() -> None:
    reading, _ = cuts(iter([START | {"misfits": [None, "", [1, 2]]}]))
    assert reading.misfits[:2] == [None, None]
    assert str(reading.misfits[2]) == "1 (2)"


def test_several_recipes_in_one_pass_and_one_that_does_not_fit(clip_file: Path) -> None:
    big = recipe(resize="none", crop="center", size=500, crop_size=500)
    reading, came = cuts(read(request_for(clip_file, "auto", [MINI, big, RECIPES["native"]], 1), no_beat))
    assert {cut.recipe for cut in came} == {0, 2}
    assert [error is None for error in reading.misfits] == [True, False, True]
    assert "smaller than the crop" in str(reading.misfits[1])
    with open_video(clip_file) as reader:
        alone = [clip.pixels for clip in cut_clips(reader, MINI)]
    together = [cut.clip.pixels for cut in came if cut.recipe == 0]
    assert all(np.array_equal(one, two) for one, two in zip(alone, together, strict=True))


def test_where_no_recipe_fits_nothing_is_decoded(clip_file: Path) -> None:
    big = recipe(resize="none", crop="center", size=500, crop_size=500)
    reading, came = cuts(read(request_for(clip_file, "auto", [big], 1), no_beat))
    assert not came
    assert reading.decoded_until is None


@pytest.mark.parametrize("how", ["longer", "touched"])
def test_a_file_that_changes_meanwhile_is_refused(how: str, tmp_path: Path) -> None:
    video = draw_video(tmp_path / "a.mp4", 2)
    messages = read(request_for(video, "pyav", [MINI], 1), no_beat)
    next(messages)
    if how == "longer":
        with video.open("ab") as file:
            file.write(b"more")
    os.utime(video, ns=(1, 1))
    with pytest.raises(VideoError, match="changed while it was read") as refused:
        list(messages)
    assert refused.value.errno == errno.ESTALE
    assert refused.value.reader is not None
    assert refused.value.reader.startswith("pyav")


def test_signs_of_life_come_while_there_is_no_clip(clip_file: Path) -> None:
    beats: list[int] = []
    messages = read(request_for(clip_file, "auto", [RECIPES["whole"]], 1), lambda: beats.append(1))
    next(messages)
    next(messages)
    assert len(beats) >= 2 * 24
