"""Audacity's label track: what its importer splits by tabs."""

from __future__ import annotations

from tests.alignments import empty_alignment, hostile_alignment, made_alignment
from tests.store.exports.conftest import Export


def labels(text: str) -> list[tuple[float, float, str]]:
    return [(float(a), float(b), label) for a, b, label in (line.split("\t") for line in text.splitlines())]


def test_aligned_sentences_in_order(export: Export) -> None:
    held = made_alignment(["late", "early"], [(0, 1), (1, 2)], [(7.5, 8), (2, 3.25)])
    assert labels(export("audacity", held).read_text("utf-8")) == [(2, 3.25, "early"), (7.5, 8, "late")]


def test_hostile_texts_stay_on_their_line(export: Export) -> None:
    found = labels(export("audacity", hostile_alignment()).read_text("utf-8"))
    assert len(found) == 5
    assert {"two lines and a tab, a comma; \\frac{1}{2 $", "x" * 10_000} <= {text for _, _, text in found}


def test_nothing(export: Export) -> None:
    assert export("audacity", empty_alignment()).read_bytes() == b""
