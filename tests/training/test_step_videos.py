"""Videos with annotated steps: what is found, how it is split, what stands in an item."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from tests.model_folders import PIECES
from tests.tiny import made_features
from vidalign.aligners.tokens import BertTokens
from vidalign.errors import ConfigError, DataError
from vidalign.evaluation.crosstask import Shown, held_out, learned_from, read_videos
from vidalign.store.features import write_features
from vidalign.training.data.sources import Holding
from vidalign.training.data.step_videos import (
    NOTHING,
    StepData,
    StepSets,
    StepVideos,
    filled,
    load_step_videos,
    whole_seconds,
)

TASKS = "1\nEggs\nu\n3\nput the pan,stir the egg,cut\n\n2\nWater\nu\n1\nwater\n"
TOKENS = BertTokens(PIECES, length=20)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four videos of task 1 and two of task 2, of 10 s."""
    (tmp_path / "tasks.txt").write_text(TASKS)
    (tmp_path / "truth").mkdir()
    for number, name in enumerate(("1_a", "1_b", "1_c", "1_d", "2_e", "2_f")):
        write_features(tmp_path / "f" / f"{name[2:]}.h5", made_features(10, 16, seed=number))
        (tmp_path / "truth" / f"{name}.csv").write_text("1,2.5,4\n1,7,99\n")
    (tmp_path / "truth" / "1_a.csv").write_text("2,6,7.5\n1,0.2,3\n")
    return tmp_path


def load(folder: Path, **changes: object) -> StepVideos:
    given = {"features": folder / "f", "tasks": folder / "tasks.txt", "annotations": folder / "truth"}
    return load_step_videos(StepData(**{**given, **changes}), TOKENS)  # type: ignore[arg-type]


def names(found: StepVideos) -> tuple[list[str], list[str]]:
    return [video.name for video in found.training], [video.name for video in found.validation]


def test_a_share_validates_and_has_every_task(folder: Path) -> None:
    found = load(folder, holding=Holding(validation_share=0.4))
    assert names(found) == (["1_b", "2_f", "1_c", "1_d"], ["1_a", "2_e"])
    first, second = found.validation
    assert (first.task, first.video, second.task) == ("1", "a", "2")
    assert first.shown == ((0, 0, 3), (1, 6, 8)) and second.shown == ((0, 2, 4), (0, 7, 10))
    words = [[PIECES[n] for n in row] for row in first.tokens]
    assert words[0] == ["[CLS]", "put", "the", "pan", "[SEP]"]
    assert words[2] == ["[CLS]", "cut", "[SEP]", "[PAD]", "[PAD]"]
    assert found.origin.width == 16


def test_what_cannot_be_used_is_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "f" / "b.h5").unlink()
    (folder / "truth" / "1_c.csv").write_text("1,10,12\n")
    (folder / "truth" / "2_e.csv").write_text("2,1,2\n")
    (folder / "held.txt").write_text("1_d\n")
    with caplog.at_level(logging.WARNING):
        found = load(folder, holding=Holding(folder / "held.txt", validation_share=0))
    assert names(found) == (["1_a", "2_f"], [])
    for told in ("no features: 1_b", "within the video: 1_c", "no step 2", "held out: 1_d"):
        assert told in caplog.text
    (folder / "held.txt").write_text("a\nd\nf\n")
    with pytest.raises(DataError, match=r"no video annotated in .* can be trained on"):
        load(folder, holding=Holding(folder / "held.txt"))


def test_features_made_in_two_ways_are_refused(folder: Path) -> None:
    write_features(folder / "f" / "e.h5", made_features(10, 12))
    with pytest.raises(ConfigError, match=r"made in different ways \(width: 16 / 12\)"):
        load(folder)


def test_the_published_split(folder: Path) -> None:
    lists, validation = folder / "videos.csv", folder / "val.csv"
    lists.write_text("1,a,u\n1,b,u\n1,c,u\n1,d,u\n2,e,u\n2,f,u\n2,g,u\n9,h,u\n")
    validation.write_text("1,b,u\n2,e,u\n")
    known, held = read_videos(lists), read_videos(validation)
    test = held_out(known, {"1", "2"}, train=2, validation=held)
    learned = learned_from(known, {"1", "2"}, train=2, validation=held)
    assert len(test) == 1 and len(learned) == 4 and not test & learned
    assert test | learned == {("1", "a"), ("1", "c"), ("1", "d"), ("2", "f"), ("2", "g")}
    found = load(folder, videos=lists, validation_videos=validation, train=2)
    assert names(found)[1] == ["1_b", "2_e"]
    assert {(video.task, video.video) for video in found.training} == learned - {("2", "g")}
    shared = load(folder, videos=lists, train=2, holding=Holding(validation_share=0.5))
    every = learned_from(known, {"1", "2"}, train=2, validation={}) - {("2", "g")}
    assert {(video.task, video.video) for video in (*shared.training, *shared.validation)} == every
    assert len(shared.validation) == len(every) // 2
    with pytest.raises(ConfigError, match="validation_videos goes with videos"):
        load(folder, validation_videos=validation)
    with pytest.raises(ConfigError, match="train must be above 0"):
        load(folder, train=0)


def test_an_item_is_the_whole_video_in_windows(folder: Path) -> None:
    found = load(folder, holding=Holding(validation_share=0))
    data = StepSets(found.training, size=4, frames=2, seed=3)
    item = data.item(0, 0)
    assert [len(window) for window in item.windows] == [4] * 4 and item.starts == (0, 2, 4, 6)
    whole = found.training[0].rows.read(0, 10)
    np.testing.assert_array_equal(item.windows[2], whole[4:8])
    assert item.truth.shape == (10, 3) and item.truth.sum(0).tolist() == [3, 2, 0]
    assert item.sequence.tolist() == [0, 1] and item.stretch.tolist() == [0, 0, 1, 1]
    assert item.frames[2:].tolist() == [6, 7] and sorted({0, 1, 2} | set(item.frames[:2].tolist())) == [
        0,
        1,
        2,
    ]
    draws = {tuple(data.item(epoch, 0).frames.tolist()) for epoch in range(9)}
    assert len(draws) > 1 and tuple(item.frames.tolist()) == tuple(data.item(0, 0).frames.tolist())
    short = StepSets(found.training, size=32, frames=2).item(0, 0)
    assert [len(window) for window in short.windows] == [10]


def test_a_batch_is_filled_up(folder: Path) -> None:
    write_features(folder / "f" / "e.h5", made_features(5, 16))
    found = load(folder, holding=Holding(validation_share=0))
    data = StepSets(found.training[:2], size=4, frames=9)
    made = data.collate([data.item(0, 0), data.item(0, 1)])
    assert made["video"].shape == (2, 4, 4, 16) and made["truth"].shape == (2, 10, 3)
    assert made["seconds"][1].tolist() == [[0, 1, 2, 3], [2, 3, 4, NOTHING], [NOTHING] * 4, [NOTHING] * 4]
    assert not made["video"][1, 2:].any() and not made["tokens"][1, 1:].any()
    assert made["sequence"].tolist() == [[0, 1], [0, NOTHING]]
    assert made["frames"].tolist() == [[0, 1, 2, 6, 7], [2, 3, *[NOTHING] * 3]]


def test_seconds_are_whole_and_within_the_video() -> None:
    shown = (Shown(1, 3.2, 4.1), Shown(0, 0.9, 1), Shown(2, 8, 20), Shown(0, 9.5, 9.6), Shown(1, 2, 2))
    assert whole_seconds(shown, 9) == ((0, 0, 1), (1, 3, 5), (2, 8, 9))


def test_filling_up_any_number_of_dimensions() -> None:
    found = filled([np.ones((1, 2), np.int64), np.ones((2, 1), np.int64)], NOTHING)
    assert found.tolist() == [[[1, 1], [-1, -1]], [[1, -1], [1, -1]]]
