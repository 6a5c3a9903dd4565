"""What `inspect` says: lines that fit, and values that are JSON."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidalign.store.alignments import alignment_to_json
from vidalign.types import Alignment, Cue, Features, Recipe, Sentence
from vidalign.viewer.describe import (
    alignment_values,
    describe_alignment,
    describe_features,
    features_values,
    shorten,
)

RECIPE = Recipe("r", 8, 8, 1.0, 64, 64, "mixed_5c")
FEATURES = Features(
    features=np.zeros((2, 3), np.float16),
    times=np.array([[0.0, 1.0], [1.0, 2.0]]),
    backbone="mini",
    recipe=RECIPE,
    precision="float32",
    reader="pyav 18",
    video="a.mp4",
    duration=2.0,
    truncated=False,
    decoded_until=2.0,
)
TEXTS = ("whisk the eggs", "卵を混ぜて、フライパンに流し込みます", "ring\x07 the \x1b[31mbell", "é" * 90, "")


def aligned(count: int = 5, clips: int = 7) -> Alignment:
    labels = np.arange(count) % 2 == 0
    segments = np.full((count, 2), np.nan)
    segments[labels] = (1.0, 3.0)
    sentences = tuple(
        Sentence(TEXTS[k % len(TEXTS)], None if k == 1 else -0.5, 4000.0, k, k) for k in range(count)
    )
    return Alignment(
        similarity=np.random.default_rng(0).random((count, clips), dtype=np.float32),
        alignability=np.linspace(0, 1, count, dtype=np.float32),
        confidence=np.zeros(count, np.float32),
        aligned=labels,
        segments=segments,
        times=np.stack([np.arange(clips), np.arange(clips) + 1.0], axis=1),
        sentences=sentences,
        cues=tuple(Cue(0, 1, s.text, s.text) for s in sentences),
        model="mini",
        notice="mini knows: a drawn world",
        video="a.mp4",
        subtitles="a.vtt",
        threshold=0.5,
    )


def columns(text: str) -> int:
    """How wide a terminal shows it."""
    shown = (c for c in text if not unicodedata.combining(c))
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in shown)


@given(st.text(max_size=60), st.integers(0, 40))
def test_shortened_text_fits_and_drives_no_terminal(text: str, width: int) -> None:
    short = shorten(text, width)
    assert columns(short) <= width
    assert short.isprintable()
    if short and not short.endswith("…"):
        assert len(short) == len(text)


def test_what_fits_is_left_alone() -> None:
    assert shorten("卵を混ぜる", 10) == "卵を混ぜる"
    assert shorten("卵を混ぜる", 9) == "卵を混ぜ…"
    assert shorten("卵を混ぜる", 8) == "卵を混…"


@pytest.mark.parametrize("width", [20, 33, 80, 200])
@pytest.mark.parametrize(("count", "clips"), [(1, 1), (5, 7), (300, 4000)])
def test_every_line_of_an_alignment_fits(width: int, count: int, clips: int) -> None:
    lines = describe_alignment(aligned(count, clips), width)
    assert max(columns(line) for line in lines) <= width
    assert len(lines) <= 3 + 1 + 24 + 1 + 1 + count


def test_every_sentence_has_its_label_and_time() -> None:
    lines = describe_alignment(aligned(), 120)
    assert lines[0] == "alignment of a.mp4 with a.vtt"
    assert "3 of 5 sentences aligned (threshold 0.5" in lines[1]
    assert "mini knows: a drawn world" in lines[2]
    assert lines[-5].split() == ["aligned", "0.00", "0:00-1:06:40", "->", "0:01-0:03", *TEXTS[0].split()]
    assert lines[-4].split() == ["unaligned", "0.25", "no", "time", TEXTS[1]]


def test_the_label_alone_is_painted() -> None:
    lines = describe_alignment(aligned(), 120, lambda text, yes: f"<{text}>" if yes else f"({text})")
    assert [line.split()[0] for line in lines[-5:]] == [
        "<aligned>",
        "(unaligned)",
        "<aligned>",
        "(unaligned)",
        "<aligned>",
    ]


def test_an_alignment_without_its_matrix() -> None:
    lines = describe_alignment(replace(aligned(), similarity=None, times=None), 80)
    assert len(lines) == 3 + 1 + 5


def test_values_of_an_alignment_are_json() -> None:
    held = aligned()
    values = alignment_values(held, alignment_to_json(held, matrix=False))
    text = json.dumps(values, allow_nan=False)
    assert "similarity" not in json.loads(text)
    assert (values["kind"], values["clips"], values["aligned_sentences"]) == ("alignment", 7, 3)


def test_features_in_words() -> None:
    lines = describe_features(FEATURES)
    assert lines[0] == "features of a.mp4"
    assert "2 clips of 3 numbers (float16), from 0:00 to 0:02" in lines[1]
    assert lines[3] == (
        "  a clip: 8 frames at 8 a second, one every 1 s, 64 pixels square, tail drop, layer mixed_5c"
    )
    assert not any("breaks off" in line for line in lines)
    broken = describe_features(replace(FEATURES, truncated=True, decoded_until=1.25))
    assert broken[-1] == "  the video breaks off at 1.25 s"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"fps": "native", "step": 4, "stride": 16, "stride_unit": "frames"},
            "a clip: 8 frames of the stream, one of 4 taken, one every 16 frames, "
            "64 pixels square, tail drop",
        ),
        (
            {"sampling": "dense", "views": 10, "crop": "three"},
            "one row a video: the mean of 10 dense clips of 8 frames at 8 a second, "
            "64 pixels square, three crops",
        ),
        (
            {"size": (128, 171), "resize": "exact", "crop": "none"},
            "a clip: 8 frames at 8 a second, one every 1 s, 171x128 pixels, tail drop",
        ),
    ],
)
def test_recipes_in_words(changes: dict[str, Any], said: str) -> None:
    lines = describe_features(replace(FEATURES, recipe=replace(RECIPE, **changes)))
    assert lines[3] == f"  {said}, layer mixed_5c"


def test_features_of_which_nothing_is_known() -> None:
    bare = Features(np.zeros((0, 3), np.float32), np.zeros((0, 2)))
    assert describe_features(bare)[:2] == [
        "features of an unnamed video",
        "  0 clips of 3 numbers (float32), empty",
    ]
    assert features_values(bare)["start"] is None


def test_values_of_features_are_json() -> None:
    strange = replace(FEATURES, times=np.array([[np.nan, 1.0], [1.0, np.inf]]))
    values = json.loads(json.dumps(features_values(strange), allow_nan=False))
    assert (values["start"], values["end"], values["dtype"]) == (None, None, "float16")
    assert values["recipe"]["layer"] == "mixed_5c"
