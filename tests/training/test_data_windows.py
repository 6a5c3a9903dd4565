"""Windows: which sentences they hold, at what times, and that a window is a function of its number alone."""

from __future__ import annotations

import pickle
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch

from vidalign.aligners.tokens import DictionaryTokens
from vidalign.errors import ConfigError, DataError
from vidalign.training.data.rows import HeldRows
from vidalign.training.data.spoken import Captions, make_spoken, read_spoken
from vidalign.training.data.windows import TanVideo, TanWindows, WindowOptions, tan_video

WORDS = [f"w{number}" for number in range(1, 60)]
TOKENS = DictionaryTokens(WORDS, length=32, unknown="keep")


def video(
    sentences: list[tuple[float, float, str]], seconds: int = 200, sampling: str = "corrected"
) -> TanVideo:
    """Features whose value is the second."""
    rows = HeldRows(np.arange(seconds, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32))
    return tan_video("v", rows, make_spoken(sentences, TOKENS), WindowOptions(sampling=sampling))  # type: ignore[arg-type]


def windows(made: TanVideo, **options: object) -> TanWindows:
    return TanWindows([made], WindowOptions(**options), TOKENS)  # type: ignore[arg-type]


def every(count: int, step: float = 5.0, lasting: float = 3.0) -> list[tuple[float, float, str]]:
    """Sentence k says w<k>, one every `step` seconds."""
    return [(k * step, k * step + lasting, f"w{k}") for k in range(1, count + 1)]


def test_a_window_begins_with_a_sentence_and_holds_those_that_follow() -> None:
    data = windows(video(every(30), 160))
    seen = set()
    for epoch in range(40):
        window = data.item(epoch, 0)
        start = int(window.video[0, 0])
        first = int(window.tokens[0, 0])
        seen.add(first)
        assert start == 5 * first
        assert window.video[:, 0].tolist() == list(range(start, start + 64))
        assert window.tokens[:, 0].tolist() == list(range(first, first + 13))
        assert window.times.tolist() == [[5 * k, min(5 * k + 3, 64)] for k in range(13)]
        assert window.position == pytest.approx((window.times + start) / 160)
    assert (
        seen <= set(range(1, 18)) and len(seen) > 10
    )  # start < 153 - 64, so sentence 17 at 85 s is the last


def test_times_are_rounded_and_cut_off_at_the_end() -> None:
    said = [(0.4, 2.6, "w1"), (10.5, 12.5, "w2"), (61.6, 70.0, "w3"), (100.0, 150.0, "w4")]
    made = video(said)
    found = {tuple(map(tuple, windows(made).item(epoch, 0).times.tolist())) for epoch in range(30)}
    assert found == {((0, 3), (10, 12), (62, 64)), ((0, 2), (52, 60)), ((0, 8), (38, 64))}


def both(said: list[tuple[float, float, str]], first: str) -> tuple[list[int], list[int]]:
    """First words in a window that begins with `first`, by the reference's rule and the corrected one."""
    found = []
    for sampling in ("reference", "corrected"):
        data = windows(video(said, sampling=sampling), sampling=sampling)
        drawn = (data.item(epoch, 0).tokens[:, 0].tolist() for epoch in range(60))
        found.append(next(words for words in drawn if words[0] == WORDS.index(first) + 1))
    return found[0], found[1]


@pytest.mark.parametrize("bad", [(20.0, 20.3, "w3"), (20.0, 24.0, "unheard of"), (20.0, 24.0, "!")])
def test_the_reference_stops_where_the_corrected_sampling_skips(bad: tuple[float, float, str]) -> None:
    said = [(10.0, 12.0, "w1"), (15.0, 18.0, "w2"), bad, (30.0, 33.0, "w4"), (150.0, 155.0, "w5")]
    assert both(said, "w1") == ([1, 2], [1, 2, 4])


def test_the_reference_without_a_usable_sentence_says_something_unknown_all_the_time() -> None:
    short_talk = [(10.0, 12.0, "w1"), (20.0, 22.0, "w2")]
    window = windows(video(short_talk, sampling="reference"), sampling="reference").item(0, 0)
    assert window.video[:, 0].tolist() == list(range(64))
    assert window.times.tolist() == [[0, 64]]
    assert not window.tokens.any()
    assert window.position == pytest.approx(np.array([[0, 64 / 200]]))
    window = windows(video(short_talk)).item(0, 0)
    assert {1, 2} >= set(window.tokens[:, 0].tolist())


def test_the_reference_says_something_unknown_where_the_first_sentence_is_too_short() -> None:
    said = [(10.0, 10.2, "w1"), (20.0, 22.0, "w2"), (74.1, 80.0, "w3")]
    window = windows(video(said, sampling="reference"), sampling="reference").item(0, 0)
    assert window.times.tolist() == [[0, 64]]
    assert windows(video(said)).item(0, 0).tokens[0, 0] in (2, 3)


def test_a_video_shorter_than_a_window_is_taken_whole() -> None:
    window = windows(video([(3.0, 5.0, "w1"), (20.0, 24.6, "w2")], 30)).item(0, 0)
    assert window.video[:, 0].tolist() == list(range(30))
    assert window.times.tolist() == [[3, 5], [20, 25]]


def test_a_window_stays_inside_the_video() -> None:
    window = windows(video([(90.0, 95.0, "w1")], 100)).item(0, 0)
    assert window.video[:, 0].tolist() == list(range(36, 100))
    assert window.times.tolist() == [[54, 59]]


def test_jitter_moves_the_beginning_back() -> None:
    def offsets(jitter: int) -> set[int]:
        data = windows(video(every(30), 160), jitter=jitter)
        return {int(data.item(epoch, 0).times[0, 0]) for epoch in range(60)}

    assert offsets(0) == {0}
    assert offsets(10) == {0, 1, 2, 5}  # second 0 is spoken, 1 or 2 s before a sentence, or the video's
    with pytest.raises(ConfigError, match="jitter"):
        WindowOptions(sampling="reference", jitter=3)
    with pytest.raises(ConfigError, match="jitter 64"):
        WindowOptions(jitter=64)


def test_sentences_that_end_after_the_video_are_dropped() -> None:
    made = video([(10.0, 12.0, "w1"), (95.0, 100.0, "w2")], 100)
    assert made.spoken.tokens[:, 0].tolist() == [1]
    with pytest.raises(DataError, match="no sentence within the video"):
        video([(95.0, 100.0, "w2"), (5.0, 5.2, "w3"), (7.0, 9.0, "what")], 100)


def test_sentences_that_nothing_shows_have_no_positive_second(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    path.write_text('{"v": [[1, 3, 6, "w1"], [0, 4.0, 8.0, "w2"], [1, 9, 12, "w3"]]}')
    said = Captions(path).of("v")
    rows = HeldRows(np.zeros((30, 3), np.float32))
    made = tan_video("v", rows, make_spoken(said, TOKENS), WindowOptions())
    drawn = windows(made).item(0, 0)
    assert drawn.tokens[:, 0].tolist() == [1, 2, 3]
    assert drawn.times.tolist() == [[3, 6], [4, 4], [9, 12]]
    again = windows(made).item(0, 0)
    assert again.times.tolist() == drawn.times.tolist()


def test_items_are_functions_of_seed_epoch_and_index() -> None:
    made = [video(every(30), 160), video(every(38, lasting=4), 200)]
    data = TanWindows(made, WindowOptions(per_video=3), TOKENS, seed=5)
    other = pickle.loads(pickle.dumps(TanWindows(made, WindowOptions(per_video=3), TOKENS, seed=5)))
    assert len(data) == 6
    Random(1).random()
    np.random.seed(3)
    first = [data.item(epoch, index) for epoch in range(3) for index in range(6)]
    again = [other.item(e, i) for e in reversed(range(3)) for i in reversed(range(6))][::-1]
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a.video, b.video) and np.array_equal(a.tokens, b.tokens)
    starts = {(index, int(window.video[0, 0])) for index, window in enumerate(first)}
    assert len(starts) > 10
    reseeded = TanWindows(made, WindowOptions(per_video=3), TOKENS, seed=6)
    assert any(reseeded.item(0, index).video[0, 0] != first[index].video[0, 0] for index in range(6))


def test_a_batch_is_padded_by_repeating() -> None:
    long, short = video(every(30), 160), video([(3.0, 5.0, "w7 w8 w9"), (9.0, 12.0, "w2")], 30)
    data = TanWindows([long, short], WindowOptions(), TOKENS)
    batch = data.collate([data.item(0, 0), data.item(0, 1)])
    assert {key: (tuple(value.shape), value.dtype) for key, value in batch.items()} == {
        "video": ((2, 64, 3), torch.float32),
        "video_padding": ((2, 64), torch.bool),
        "tokens": ((2, 13, 3), torch.int64),
        "text_padding": ((2, 13), torch.bool),
        "start": ((2, 13), torch.int64),
        "end": ((2, 13), torch.int64),
        "position": ((2, 13, 2), torch.float32),
    }
    assert batch["video_padding"][0].sum() == 0
    assert batch["video_padding"][1].tolist() == [False] * 30 + [True] * 34
    assert (batch["video"][1, 29:] == 29).all()
    assert batch["text_padding"][1].tolist() == [False] * 2 + [True] * 11
    assert batch["tokens"][1, 0].tolist() == [7, 8, 9]
    assert (batch["tokens"][1, 1:] == torch.tensor([2, 0, 0])).all()
    assert batch["start"][1].tolist() == [3] + [9] * 12
    assert batch["end"][1].tolist() == [5] + [12] * 12
    assert batch["position"][1, 0].tolist() == pytest.approx([0.1, 5 / 30])


def test_sentences_are_sorted_and_their_tokens_cut() -> None:
    spoken = make_spoken([(5.0, 6.0, "w2"), (1.0, 2.0, "w1 what " + "w3 " * 40)], TOKENS)
    assert spoken.times.tolist() == [[1, 2], [5, 6]]
    assert spoken.tokens.shape == (2, 32)
    assert spoken.tokens[0, :3].tolist() == [1, 0, 3]
    assert make_spoken([(0.0, 1.0, "?")], TOKENS).tokens.tolist() == [[0]]


def test_subtitle_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.vtt"
    path.write_text("WEBVTT\n\n00:05.000 --> 00:07.500\nw3 w4\n\n00:09.000 --> 00:10.000\nw5\n", "utf-8")
    spoken = read_spoken(path, TOKENS)
    assert spoken.times.tolist() == [[5, 7.5], [9, 10]]
    assert spoken.tokens.tolist() == [[3, 4], [5, 0]]
    assert len(read_spoken(path, TOKENS, segment="sentence")) == 2


def test_captions_of_many_videos_are_read_once(tmp_path: Path) -> None:
    path = tmp_path / "htm.json"
    path.write_text(
        '{"a": {"text": ["x", "y"], "start": [1, 2.5], "end": [2, 3]},'
        ' "b": {"text": [], "start": [], "end": []}}'
    )
    captions = Captions(path)
    assert [said[:3] for said in captions.of("a")] == [(1.0, 2.0, "x"), (2.5, 3.0, "y")]
    assert captions.of("b") == []
    assert "c" not in captions


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "holds no videos"),
        ('{"a": 3}', "a: int, not an object"),
        ('{"a": {"text": ["x"], "start": [1]}}', "'end' is missing"),
        ('{"a": {"text": ["x"], "start": [1], "end": []}}', "a: zip"),
        ('{"a": {"text": ["x"], "start": [NaN], "end": [1]}}', "NaN"),
        ('{"a": {"text": ["x"], "start": ["soon"], "end": [1]}}', "soon"),
    ],
)
def test_other_captions_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "htm.json"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        Captions(path).of("a")
