"""One line on what an alignment is worth; one on a model that does not know the words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vidalign.batch import verdict
from vidalign.batch.verdict import summarise, vocabulary_warning
from vidalign.types import Alignment, Cue, Sentence
from vidalign.weights.cards import get_card


def alignment(
    labels: list[bool], segments: list[tuple[float, float]], confidence: list[float], *, timed: bool = True
) -> Alignment:
    count = len(labels)
    sentences = tuple(
        Sentence(f"s{k}", 10.0 * k if timed else None, 10.0 * k + 2 if timed else None, k, k)
        for k in range(count)
    )
    return Alignment(
        similarity=None,
        alignability=np.zeros(count, np.float32),
        confidence=np.array(confidence, np.float32),
        aligned=np.array(labels),
        segments=np.array(segments, np.float64).reshape(-1, 2),
        times=None,
        sentences=sentences,
        cues=tuple(Cue(0, 1, "", "") for _ in sentences),
    )


NAN = (np.nan, np.nan)


def test_the_numbers() -> None:
    made = alignment([True, False, True, True], [(2, 4), NAN, (20, 22), (25, 27)], [0.5, 0, 0.75, 0.9])
    summary = summarise(made)
    assert summary.as_json() == {"sentences": 4, "aligned": 3, "median_shift": 0.0, "confidence": 0.75}
    assert str(summary) == "aligned 3 of 4 sentences, median shift +0.0 s, confidence 0.75"


def test_a_shift_to_the_front() -> None:
    assert "median shift -3.5 s" in str(summarise(alignment([True], [(-3.5, -1.5)], [1.0])))


def test_nothing_aligned() -> None:
    summary = summarise(alignment([False, False], [NAN, NAN], [0, 0]))
    assert str(summary) == "aligned 0 of 2 sentences, median shift unknown, confidence 0.00"


def test_no_times_no_shift() -> None:
    assert summarise(alignment([True], [(2, 4)], [0.5], timed=False)).median_shift is None


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the cache."""
    monkeypatch.setenv("VIDALIGN_CACHE", str(tmp_path))


def test_the_way_to_a_model_that_knows_more(bare: None) -> None:
    text = vocabulary_warning(0.123, get_card("mini"))
    assert text.startswith("88% of the words are outside the dictionary of mini")
    first, second = "`vidalign models fetch clip-vit-b32`, then `--model", "`vidalign models add tan-htm370k "
    assert 0 < text.index(first) < text.index(second)


def test_the_way_names_the_extra_where_it_is_missing(bare: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidalign.weights.plugins.find_spec", lambda name: None)
    text = vocabulary_warning(0.123, get_card("mini"))
    assert "for real footage: `pip install 'vidalign[clip]'`, then `vidalign models fetch clip-vit" in text
    monkeypatch.setattr(verdict, "missing_roles", lambda card: ())
    told = vocabulary_warning(0.0, get_card("mini"))
    assert "clip-vit" not in told, "nothing without its extra is of use"
    assert "tan-htm370k" in told and "nsva" not in told, "nor what reads no words"


def test_an_installed_model_that_knows_more(bare: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def all_but_tan(card: object) -> tuple[str, ...]:
        return () if getattr(card, "name", card) == "s3d-howto100m" else ("aligner",)

    monkeypatch.setattr(verdict, "missing_roles", all_but_tan)
    text = vocabulary_warning(0.0, get_card("mini"))
    assert text.endswith("installed models that know more: --model s3d-howto100m")
    monkeypatch.setattr(verdict, "missing_roles", lambda card: ())
    every = vocabulary_warning(0.0, get_card("mini"))
    assert "more: --model clip-vit-b32, --model " in every and every.endswith("--model xclip-b32")


def test_a_model_is_of_use_only_with_its_backbone(bare: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def all_but_s3d(card: object) -> tuple[str, ...]:
        return () if getattr(card, "name", card) == "tan-htm370k" else ("backbone",)

    monkeypatch.setattr(verdict, "missing_roles", all_but_s3d)
    assert "installed models" not in vocabulary_warning(0.0, get_card("mini"))


def test_a_big_model_recommends_no_other(bare: None) -> None:
    text = vocabulary_warning(0.25, get_card("tan-htm370k"))
    assert text == "75% of the words are outside the dictionary of tan-htm370k: its result means little"
