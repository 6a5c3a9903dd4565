"""Clips and their captions: what is joined and what overlaps; a set is a function of its number alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vidalign.aligners.tokens import BertTokens
from vidalign.errors import ConfigError, DataError
from vidalign.training.data.clip_sets import ClipOptions, ClipSets, _with_words, apart_from
from vidalign.training.data.rows import HeldRows
from vidalign.training.data.spoken import make_spoken
from vidalign.training.data.windows import TanVideo

WORDS = [f"w{number}" for number in range(60)]
TOKENS = BertTokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS], length=20)
FIRST, LAST, OFFSET = 2, 3, 4
Said = list[tuple[float, float, str]]


def video(said: Said, seconds: int = 60) -> TanVideo:
    """Features whose value is the second."""
    rows = HeldRows(np.arange(seconds, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32))
    return _with_words("v", rows, make_spoken(said, TOKENS))


def every(count: int, step: float = 5.0, lasting: float = 3.0) -> Said:
    """Sentence k says w<k>, one every `step` seconds."""
    return [(k * step, k * step + lasting, f"w{k}") for k in range(count)]


def sets(made: TanVideo, **options: object) -> ClipSets:
    return ClipSets([made], ClipOptions(**options), seed=3)  # type: ignore[arg-type]


def test_a_caption_is_a_sentence_with_those_that_follow_it() -> None:
    data = sets(video([(0, 2, "w0 w1"), (4, 6, "w2"), (8, 9, "w3 w4 w5")]), per_video=3, pieces=(3, 4))
    captions = {tuple(ids) for epoch in range(20) for ids in data.item(epoch, 0).tokens}
    joined = {(0, 1, 2), (0, 1, 2, 3), (2, 3, 4, 5), (3, 4, 5)}
    assert captions == {(FIRST, *(OFFSET + n for n in words), LAST) for words in joined}


def test_a_clip_lies_around_its_caption_and_inside_the_video() -> None:
    data = sets(video(every(12)), per_video=4, seconds=(4, 8), pieces=(1, 1))
    for epoch in range(30):
        item = data.item(epoch, 0)
        for clip, ids, span in zip(item.clips, item.tokens, item.spans, strict=True):
            start, end, begin, stop = span
            assert (start, end) == (5 * (ids[1] - OFFSET), 5 * (ids[1] - OFFSET) + 3)
            assert clip[:, 0].tolist() == list(range(int(begin), int(stop)))
            assert 4 <= stop - begin <= 8 and begin < end + 1 and stop > start - 1
        assert (np.diff(item.spans[:, 0]) > 0).all()


def test_a_video_shorter_than_a_clip_is_seen_whole_and_sentences_come_again_only_where_they_must() -> None:
    item = sets(video(every(3, 1.0, 1.0), 4), per_video=7, seconds=(6, 6)).item(0, 0)
    assert [len(clip) for clip in item.clips] == [4] * 7
    starts, counts = np.unique(item.spans[:, 0], return_counts=True)
    assert len(starts) == 3 and counts.max() == 3 and counts.min() == 2


def test_a_set_is_a_function_of_seed_epoch_and_number() -> None:
    data = sets(video(every(12)))
    again, other = data.item(4, 0), data.item(5, 0)
    np.testing.assert_equal(data.item(4, 0).spans, again.spans)
    assert not np.array_equal(again.spans, other.spans)


def test_clips_that_are_apart() -> None:
    spans = np.array(
        [
            [0, 4, 0, 6],
            [5, 8, 5, 9],  # its clip begins before 6
            [5.5, 8, 6, 9],
            [7, 12, 10, 14],  # its caption begins before 8
            [8, 9, 9, 12],
        ]
    )
    assert apart_from(spans).tolist() == [True, False, True, False, True]


def test_a_batch_is_filled_up_with_zeros() -> None:
    data = ClipSets([video(every(12)), video(every(2), 5)], ClipOptions(per_video=3, seconds=(3, 7)), 0)
    items = [data.item(0, index) for index in range(2)]
    batch = data.collate(items)
    assert batch["video"].shape[:2] == batch["tokens"].shape[:2] == batch["apart"].shape == (2, 3)
    for b, item in enumerate(items):
        for c in range(3):
            real, said = batch["video_mask"][b, c], batch["text_mask"][b, c]
            np.testing.assert_equal(batch["video"][b, c][real].numpy(), item.clips[c])
            np.testing.assert_equal(batch["tokens"][b, c][said].numpy(), item.tokens[c])
            assert not batch["video"][b, c][~real].any() and not batch["tokens"][b, c][~said].any()
    assert batch["tokens"].dtype == torch.int64
    assert batch["apart"][0].tolist() == apart_from(items[0].spans).tolist()


def test_sentences_without_a_word_or_behind_the_end_are_no_captions() -> None:
    made = video([(1, 2, "w1"), (3, 4, ""), (70, 72, "w2")])
    assert len(made.spoken) == 1
    with pytest.raises(DataError, match="no sentence within the video has a word"):
        video([(3, 4, ""), (70, 72, "w2")])


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"per_video": 0}, "per_video must be above 0"),
        ({"seconds": (5, 3)}, r"seconds must be two rising numbers from 1 on, not \[5, 3\]"),
        ({"pieces": (1, 2, 3)}, "pieces must be two"),
        ({"seconds": (0, 3)}, "seconds must be two"),
    ],
)
def test_options_that_cannot_be(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        ClipOptions(**options)  # type: ignore[arg-type]
