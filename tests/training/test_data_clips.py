"""Frames decoded once, clips cut around sentences, and the sentences that count as spoken with them."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tiny import draw_video, write_vtt
from vidalign.aligners.tokens import DictionaryTokens
from vidalign.errors import ConfigError, DataError, StoreError, VideoError
from vidalign.training.data import frames as frames_module
from vidalign.training.data.clips import (
    ClipData,
    ClipOptions,
    Clips,
    ClipVideo,
    VideoSource,
    clip_starts,
    load_clip_sets,
    nearest,
)
from vidalign.training.data.frames import FrameRow, cached_frames, check_square
from vidalign.training.data.spoken import make_spoken
from vidalign.video.clips import cut_clips
from vidalign.video.open import open_video
from vidalign.weights.recipes import get_recipe

RECIPE = get_recipe("mini-8fps")
WORDS = [f"w{number}" for number in range(1, 60)]
TOKENS = DictionaryTokens(WORDS, length=16, unknown="drop")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos of 4 and 3 s with a sentence a second, and one with none."""
    folder = tmp_path_factory.mktemp("videos")
    draw_video(folder / "a.mp4", 4.0, seed=1)
    draw_video(folder / "sub" / "b.mkv", 3.0, seed=2)
    draw_video(folder / "silent.mp4", 1.5, seed=3)
    write_vtt(folder / "a.vtt", "w1", "w2 nonsense", "w3", "nonsense")
    write_vtt(folder / "sub" / "b.en.vtt", "w4", "w5", "w6")
    return folder


def test_cached_frames_are_those_of_the_recipes_clips(videos: Path, tmp_path: Path) -> None:
    row = cached_frames(videos / "a.mp4", "a", RECIPE, tmp_path)
    with open_video(videos / "a.mp4") as reader:
        expected = np.concatenate([clip.pixels[0] for clip in cut_clips(reader, RECIPE)])
    assert row.count == 32
    assert row.size == (64, 64)
    assert np.array_equal(row.read(0, 32), expected)
    assert np.array_equal(row.read(5, 13), expected[5:13])
    assert np.array_equal(np.load(row.path), expected)


def test_frames_are_decoded_once(videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = cached_frames(videos / "a.mp4", "x/a", RECIPE, tmp_path)
    monkeypatch.setattr(frames_module, "open_video", None)
    assert cached_frames(videos / "a.mp4", "x/a", replace(RECIPE, name="mine", frames=16), tmp_path) == first
    monkeypatch.undo()
    slower = cached_frames(videos / "a.mp4", "x/a", replace(RECIPE, fps=4), tmp_path)
    assert slower.count == 16
    assert slower.path != first.path
    assert np.array_equal(slower.read(0, 16), first.read(0, 32)[::2])


def test_frames_before_the_first_picture_show_it(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = cached_frames(videos / "a.mp4", "a", RECIPE, tmp_path).read(0, 32)

    def late(reader: object, recipe: object) -> object:
        return (clip for clip in cut_clips(reader, recipe) if clip.start >= 1)  # type: ignore[arg-type]

    monkeypatch.setattr(frames_module, "cut_clips", late)
    row = cached_frames(videos / "a.mp4", "late", RECIPE, tmp_path)
    assert row.count == 32
    assert (row.read(0, 8) == expected[8]).all()
    assert np.array_equal(row.read(8, 32), expected[8:])


def test_nothing_stays_of_a_video_that_cannot_be_read(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"not a video")
    with pytest.raises(VideoError):
        cached_frames(tmp_path / "bad.mp4", "bad", RECIPE, tmp_path / "cache")
    with pytest.raises(VideoError, match=r"none\.mp4"):
        cached_frames(tmp_path / "none.mp4", "none", RECIPE, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*"))


def test_a_damaged_cache_is_told(videos: Path, tmp_path: Path) -> None:
    row = cached_frames(videos / "a.mp4", "a", RECIPE, tmp_path)
    row.path.write_bytes(row.path.read_bytes()[:-1])
    with pytest.raises(StoreError, match="damaged"):
        cached_frames(videos / "a.mp4", "a", RECIPE, tmp_path)
    with pytest.raises(StoreError, match="shorter"):
        row.read(30, 32)


def test_frames_of_every_video_must_have_one_size() -> None:
    check_square(RECIPE)
    check_square(replace(RECIPE, crop="none", resize="exact"))
    with pytest.raises(ConfigError, match="shape"):
        check_square(replace(RECIPE, crop="none"))


@pytest.mark.parametrize(
    ("spoken", "expected"),
    [
        ((10.0, 12.0), (76, 92)),  # starts from 9.5 to 11.5 s: half of the clip's second within
        ((10.0, 10.5), (74, 82)),  # starts from 9.25 to 10.25 s: a quarter of a second within
        ((10.0, 10.0), (72, 80)),  # a point within the clip
        ((0.0, 0.4), (0, 1)),
        ((30.0, 40.0), (152, 152)),  # past the end: the last clip there is
    ],
)
def test_clips_overlap_half_of_the_shorter(spoken: tuple[float, float], expected: tuple[int, int]) -> None:
    low, high = clip_starts(np.array(spoken), 160, RECIPE)
    assert (low, high) == expected
    if spoken[1] < 20:
        for start in (low / 8, high / 8):
            overlap = min(start + 1, spoken[1]) - max(start, spoken[0])
            assert overlap >= min(1, spoken[1] - spoken[0]) / 2 - 1e-9


def test_candidates_are_the_nearest_in_time() -> None:
    times = np.array([[0, 1], [4, 5], [5.2, 6], [9, 30], [31, 32]], dtype=float)
    assert nearest(times, 1, 4.9, ClipOptions(candidates=3)).tolist() == [1, 2, 0]
    assert nearest(times, 0, 4.9, ClipOptions(candidates=3)).tolist() == [0, 1, 2]
    assert nearest(times, 3, 10.0, ClipOptions(candidates=9)).tolist() == [3, 2, 1, 0, 4]
    assert nearest(times, 1, 4.9, ClipOptions(candidates=9, reach=1.0)).tolist() == [1, 2]


def row_of(tmp_path: Path, count: int) -> FrameRow:
    """Frames of 2 x 2 whose red is their number, green the row and blue the column."""
    frames = np.zeros((count, 2, 2, 3), np.uint8)
    frames[..., 0] = np.arange(count)[:, None, None]
    frames[:, 1, :, 1] = 1
    frames[:, :, 1, 2] = 1
    np.save(tmp_path / "frames.npy", frames)
    return FrameRow(tmp_path / "frames.npy", 128, count, (2, 2))


def drawn(tmp_path: Path, **options: object) -> Clips:
    """Clips of a video of 25 s with a sentence w<k> at second k, 4 <= k < 20."""
    said = make_spoken([(k, k + 1, f"w{k}") for k in range(4, 20)], TOKENS)
    video = ClipVideo("v", row_of(tmp_path, 200), said)
    return Clips([video], RECIPE, ClipOptions(**options), TOKENS, seed=1)  # type: ignore[arg-type]


def test_a_clip_lies_around_its_sentence(tmp_path: Path) -> None:
    data = drawn(tmp_path)
    seen = set()
    for epoch in range(60):
        clip = data.item(epoch, 0)
        (pixels,), (tokens,) = clip.pixels, clip.tokens
        start = int(pixels[0, 0, 0, 0])
        assert pixels[:, 0, 0, 0].tolist() == list(range(start, start + 8))
        assert clip.real.all()
        chosen = int(tokens[0, 0])
        assert abs(start / 8 - chosen) <= 0.5
        middle = start / 8 + 0.5
        distances = [max(k - middle, middle - k - 1, 0) for k in tokens[1:, 0].tolist()]
        assert distances == sorted(distances) and distances[-1] <= 5
        assert tokens.shape == (5, 16)
        seen.add((chosen, start))
    assert len(seen) > 30


def test_missing_candidates_are_marked(tmp_path: Path) -> None:
    clip = drawn(tmp_path, candidates=20).item(0, 0)
    assert clip.real.tolist() == [[True] * 16 + [False] * 4]
    assert not clip.tokens[0, 16:].any()
    assert sorted(clip.tokens[0, :16, 0].tolist()) == list(range(4, 20))


def test_clips_are_mirrored_only_on_request(tmp_path: Path) -> None:
    def left(flip: bool) -> set[int]:
        data = drawn(tmp_path, flip=flip)
        return {int(data.item(epoch, 0).pixels[0, 0, 0, 0, 2]) for epoch in range(20)}

    assert left(False) == {0}
    assert left(True) == {0, 1}


def test_items_are_functions_of_seed_epoch_and_index(tmp_path: Path) -> None:
    data = drawn(tmp_path, per_video=4)
    other = pickle.loads(pickle.dumps(data))
    assert len(data) == 4
    keys = [(epoch, index) for epoch in range(2) for index in range(4)]
    found = {key: data.item(*key) for key in keys}
    assert len({clip.pixels[0, 0, 0, 0, 0] for clip in found.values()}) > 3
    for key in reversed(keys):
        assert np.array_equal(other.item(*key).pixels, found[key].pixels)
        assert np.array_equal(other.item(*key).tokens, found[key].tokens)


def test_a_batch_of_clips(tmp_path: Path) -> None:
    data = drawn(tmp_path)
    items = [data.item(epoch, 0) for epoch in range(3)]
    batch = data.collate(items)
    assert batch["clips"].shape == (3, 3, 8, 2, 2)
    assert batch["clips"].dtype == torch.uint8
    assert batch["clips"].is_contiguous(memory_format=torch.channels_last_3d)
    assert batch["clips"][1, 0, :, 0, 0].tolist() == items[1].pixels[0, :, 0, 0, 0].tolist()
    assert batch["clips"][1, 1, 0].tolist() == [[0, 0], [1, 1]]
    assert (batch["tokens"].shape, batch["tokens"].dtype) == ((3, 5, 16), torch.int64)
    assert (batch["candidates"].shape, batch["candidates"].dtype) == ((3, 5), torch.bool)


def test_clips_of_a_video_come_together(tmp_path: Path) -> None:
    data = drawn(tmp_path, together=3)
    items = [data.item(epoch, 0) for epoch in range(2)]
    assert all(len(set(item.tokens[:, 0, 0].tolist())) == 3 for item in items)
    assert data.collate(items)["clips"].shape == (6, 3, 8, 2, 2)
    assert data.collate(items)["clips"].is_contiguous(memory_format=torch.channels_last_3d)
    assert drawn(tmp_path, together=99).item(0, 0).pixels.shape[0] == 16


def test_folders_become_sets(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "held.txt").write_text("nothing\n")
    sets = load_clip_sets(ClipData(VideoSource(videos)), RECIPE, TOKENS, tmp_path)
    assert [video.name for video in sets.training.videos] == ["a", "sub/b"]
    assert [video.spoken.tokens.tolist() for video in sets.training.videos] == [
        [[1], [2], [3]],
        [[4], [5], [6]],
    ]
    assert sets.validation is None
    assert sets.notes == ("1 video left out: no subtitles: silent",)
    assert sets.training.item(0, 1).pixels.shape == (1, 8, 64, 64, 3)
    assert len(list(tmp_path.rglob("*.npy"))) == 2


def test_a_manifest_a_json_and_a_cache_of_their_own(videos: Path, tmp_path: Path) -> None:
    table = videos / "pairs.csv"
    table.write_text("video,subtitles\na.mp4,a.vtt\n")
    captions = {
        "b": {"text": ["w7"], "start": [0.5], "end": [1.5]},
        "silent": {"text": ["w8"], "start": [5], "end": [6]},
    }
    (tmp_path / "htm.json").write_text(json.dumps(captions))
    data = ClipData(
        VideoSource(manifest=table),
        validation=VideoSource(videos, tmp_path / "htm.json"),
        cache=tmp_path / "mine",
    )
    sets = load_clip_sets(data, RECIPE, TOKENS, tmp_path / "run")
    assert [video.name for video in sets.training.videos] == ["a"]
    assert sets.validation is not None
    assert [video.spoken.tokens.tolist() for video in sets.validation.videos] == [[[7]]]
    assert set(sets.notes) == {
        "1 video left out: no captions: a",
        "1 video left out: no sentence with a known word begins within the video: silent",
    }
    assert not (tmp_path / "run").exists()
    table.unlink()


def test_a_video_shorter_than_a_clip_is_left_out(videos: Path, tmp_path: Path) -> None:
    write_vtt(tmp_path / "silent.vtt", "w1")
    data = ClipData(VideoSource(videos, tmp_path))
    with pytest.raises(DataError, match="shorter than a clip: silent"):
        load_clip_sets(data, replace(RECIPE, frames=16), TOKENS, tmp_path)


def test_wrong_options_are_refused() -> None:
    for options in ({"candidates": 0}, {"per_video": 0}, {"together": 0}, {"reach": -1.0}):
        with pytest.raises(ConfigError, match=r"must (not )?be"):
            ClipOptions(**options)  # type: ignore[arg-type]
    for source in ({}, {"videos": Path("v"), "manifest": Path("m")}, {"subtitles": Path("s")}):
        with pytest.raises(ConfigError, match="or a manifest"):
            VideoSource(**source)
