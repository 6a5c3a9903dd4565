"""Alignment files: HDF5 and JSON say the same, come back equal, and anything else is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from vidalign.errors import StoreError
from vidalign.store.alignments import (
    alignment_to_json,
    read_alignment,
    write_alignment,
)
from vidalign.store.features import read_features, write_features
from vidalign.types import Alignment, Cue, Features, Recipe, Sentence

ARRAYS = ("similarity", "alignability", "confidence", "aligned", "segments", "times")
ATTRIBUTES = [f.name for f in fields(Alignment) if f.name not in (*ARRAYS, "sentences", "cues")]
SMALL = Alignment(
    similarity=np.array([[0.1, np.nan, -1], [0.25, 1, 0.5]], dtype=np.float32),
    alignability=np.array([0.9, 0.1], dtype=np.float32),
    confidence=np.array([0.7, 0], dtype=np.float32),
    aligned=np.array([True, False]),
    segments=np.array([[1.5, 3.25], [np.nan, np.nan]]),
    times=np.array([[0, 1], [1, 2], [2, 3.0]]),
    sentences=(Sentence("Cut the dough.", 0.5, 2.0, 0, 1, "1"), Sentence("Untimed ☃", None, None, 1, 1)),
    cues=(Cue(500, 1234, "<i>Cut", "<i>Cut", "1"), Cue(None, None, "the dough.", "the dough.")),
    scorer="tan",
    decoder="peak",
    model="mini",
    score="cosine",
    temperature=0.07,
    windowing={"how": "windows", "seconds": 64.0},
    text_model="word2vec",
    features_recipe=Recipe("s3d-16fps", 16, 16, 1.0, 224, 224, "mixed_5c"),
    features_weights_sha256="ef" * 32,
    features_sha256="01" * 32,
    text_features_sha256="12" * 32,
    video_size=4711,
    weights_sha256="cd" * 32,
    threshold=0.5,
    alignability_kind="calibrated",
    notice="knows the drawn world only",
    video="a.mp4",
    subtitles="a.vtt",
    vidalign_version="0.1.0",
)
BOTH = pytest.mark.parametrize("name", ["a.align.h5", "a.json"])

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
unit = st.floats(0, 1, width=32)
seconds = st.none() | st.floats(-1e5, 1e7)
milliseconds = st.none() | st.integers(-(10**6), 10**10)


@st.composite
def alignments(draw: st.DrawFn) -> Alignment:
    texts_of_cues = draw(st.lists(texts, max_size=4))
    cues = tuple(Cue(draw(milliseconds), draw(milliseconds), t, t, draw(texts)) for t in texts_of_cues)
    count = draw(st.integers(0, 4)) if cues else 0
    clips = draw(st.integers(0, 4))
    sentences = []
    for _ in range(count):
        last = draw(st.integers(0, len(cues) - 1))
        first = draw(st.integers(0, last))
        sentences.append(Sentence(draw(texts), draw(seconds), draw(seconds), first, last, draw(texts)))
    cells = st.one_of(st.just(float("nan")), st.floats(width=32, allow_infinity=False))
    aligned = draw(npst.arrays(np.bool_, count))
    segments = draw(npst.arrays(np.float64, (count, 2), elements=st.floats(0, 1e6)))
    return replace(
        SMALL,
        similarity=draw(npst.arrays(np.float32, (count, clips), elements=cells)),
        alignability=draw(npst.arrays(np.float32, count, elements=unit)),
        confidence=draw(npst.arrays(np.float32, count, elements=unit)),
        aligned=aligned,
        segments=np.where(aligned[:, None], segments, np.nan),
        times=draw(npst.arrays(np.float64, (clips, 2), elements=st.floats(0, 1e6))),
        sentences=tuple(sentences),
        cues=cues,
        video=draw(st.none() | texts),
        threshold=draw(st.none() | st.floats(0, 1)),
    )


def assert_equal(read: Alignment, given_alignment: Alignment) -> None:
    for name in ARRAYS:
        one, two = getattr(read, name), getattr(given_alignment, name)
        assert one.dtype == two.dtype, name
        np.testing.assert_array_equal(one, two, strict=True)
    for name in ("sentences", "cues", *ATTRIBUTES):
        assert getattr(read, name) == getattr(given_alignment, name), name


@BOTH
def test_everything_comes_back(tmp_path: Path, name: str) -> None:
    write_alignment(tmp_path / name, SMALL)
    assert_equal(read_alignment(tmp_path / name), SMALL)


@BOTH
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_alignment=alignments())
def test_any_alignment_comes_back(tmp_path: Path, name: str, given_alignment: Alignment) -> None:
    write_alignment(tmp_path / name, given_alignment)
    assert_equal(read_alignment(tmp_path / name), given_alignment)


@BOTH
def test_same_content_same_bytes(tmp_path: Path, name: str) -> None:
    write_alignment(tmp_path / name, SMALL)
    first = (tmp_path / name).read_bytes()
    write_alignment(tmp_path / name, read_alignment(tmp_path / name))
    assert (tmp_path / name).read_bytes() == first


@BOTH
def test_without_the_matrix(tmp_path: Path, name: str) -> None:
    write_alignment(tmp_path / name, SMALL, matrix=False)
    read = read_alignment(tmp_path / name)
    assert read.similarity is None
    assert read.times is None
    assert read.sentences == SMALL.sentences


@BOTH
def test_nothing_to_align(tmp_path: Path, name: str) -> None:
    none = np.zeros(0, np.float32)
    empty = Alignment(
        similarity=np.zeros((0, 0), np.float32),
        alignability=none,
        confidence=none,
        aligned=np.zeros(0, np.bool_),
        segments=np.zeros((0, 2)),
        times=np.zeros((0, 2)),
        sentences=(),
        cues=(),
    )
    write_alignment(tmp_path / name, empty)
    assert_equal(read_alignment(tmp_path / name), empty)


def test_the_hdf5_layout_other_programs_rely_on(tmp_path: Path) -> None:
    write_alignment(tmp_path / "a.h5", SMALL)
    with h5py.File(tmp_path / "a.h5") as file:
        assert set(file) == {*ARRAYS, "sentences", "cues"}
        assert set(file["sentences"]) == {"start", "end", "text", "id", "first_cue", "last_cue"}
        assert set(file["cues"]) == {"start", "end", "text", "id"}
        assert set(file.attrs) == {"schema", "complete", *ATTRIBUTES}
        types = {name: file[name].dtype for name in ARRAYS}
        assert types == {
            "similarity": np.float32,
            "alignability": np.float32,
            "confidence": np.float32,
            "aligned": np.bool_,
            "segments": np.float64,
            "times": np.float64,
        }
        assert file["sentences/first_cue"].dtype == np.int32
        assert file["cues/end"][0] == 1.234
        assert np.isnan(file["cues/start"][1])
        assert file["sentences/text"].asstr()[1] == "Untimed ☃"
        assert json.loads(file.attrs["windowing"]) == SMALL.windowing


def test_the_json_layout_other_programs_rely_on(tmp_path: Path) -> None:
    write_alignment(tmp_path / "a.json", SMALL)
    text = (tmp_path / "a.json").read_text("utf-8")
    document = json.loads(text)
    assert set(document) == {"schema", "complete", *ATTRIBUTES, "times", "similarity", "sentences", "cues"}
    assert document["similarity"] == [[0.1, None, -1.0], [0.25, 1.0, 0.5]]
    assert document["times"] == [[0, 1], [1, 2], [2, 3]]
    assert document["sentences"] == [
        {
            "id": "1",
            "start": 0.5,
            "end": 2.0,
            "text": "Cut the dough.",
            "first_cue": 0,
            "last_cue": 1,
            "aligned": True,
            "alignability": 0.9,
            "confidence": 0.7,
            "segment": [1.5, 3.25],
        },
        {
            "id": "",
            "start": None,
            "end": None,
            "text": "Untimed ☃",
            "first_cue": 1,
            "last_cue": 1,
            "aligned": False,
            "alignability": 0.1,
            "confidence": 0.0,
            "segment": None,
        },
    ]
    assert document["cues"][0] == {"id": "1", "start": 0.5, "end": 1.234, "text": "<i>Cut"}
    assert document["windowing"] == SMALL.windowing
    assert document["features_recipe"]["layer"] == "mixed_5c"
    assert "☃" in text


def test_json_holds_neither_nan_nor_infinity() -> None:
    odd = replace(SMALL, similarity=np.full((2, 3), np.inf, np.float32), temperature=float("nan"))
    text = json.dumps(alignment_to_json(odd), allow_nan=False)
    assert not re.search("NaN|Infinity", text)
    assert alignment_to_json(odd)["temperature"] is None


@BOTH
def test_an_undecodable_file_name_comes_back(tmp_path: Path, name: str) -> None:
    write_alignment(tmp_path / name, replace(SMALL, video="caf\udce9.mp4"))
    assert read_alignment(tmp_path / name).video == "caf\udce9.mp4"


def test_text_that_hdf5_cannot_hold_is_refused(tmp_path: Path) -> None:
    for text in ("a\0b", "half \ud83d"):
        cues = (replace(SMALL.cues[0], text=text), SMALL.cues[1])
        with pytest.raises(StoreError, match="text: "):
            write_alignment(tmp_path / "a.h5", replace(SMALL, cues=cues))
    assert not list(tmp_path.iterdir())


def test_the_kind_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    write_alignment(tmp_path / "a.json", SMALL)
    (tmp_path / "a.json").rename(tmp_path / "b.txt")
    assert_equal(read_alignment(tmp_path / "b.txt"), SMALL)


@pytest.mark.parametrize(
    "change",
    [
        {"aligned": np.zeros(3, np.bool_)},
        {"segments": np.zeros((2, 3))},
        {"similarity": np.zeros((2, 4), np.float32)},
        {"sentences": SMALL.sentences[:1]},
    ],
)
def test_shapes_that_do_not_fit_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match="has shape"):
        write_alignment(tmp_path / "a.h5", replace(SMALL, **change))


def test_a_sentence_made_of_cues_that_are_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cues 0 to 1, but there are 1 cues"):
        write_alignment(tmp_path / "a.h5", replace(SMALL, cues=SMALL.cues[:1]))


def change_json(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))

    return spoil


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.unlink(), "cannot read .*No such file"),
        (lambda path: path.write_bytes(b""), "not valid JSON"),
        (lambda path: path.write_text(path.read_text()[:-9]), ":1: not valid JSON"),
        (lambda path: path.write_text(path.read_text().replace("null", "NaN")), "NaN is not JSON"),
        (lambda path: path.write_bytes(b'{"a": "\xff"}'), "cannot read .* as JSON"),
        (lambda path: path.write_text("[" * 100_000), "as JSON|not valid JSON"),
        (lambda path: path.write_text("[]"), "no JSON object"),
        (lambda path: path.write_text("{}"), "names no schema"),
        (change_json(lambda d: d.update(schema="vidalign.alignment/2")), "newer than"),
        (change_json(lambda d: d.update(schema="vidalign.features/1")), "is expected here"),
        (change_json(lambda d: d.pop("complete")), "not written to its end"),
        (change_json(lambda d: d.pop("sentences")), "'sentences' is missing"),
        (change_json(lambda d: d["sentences"][0].pop("text")), "'text' is missing"),
        (change_json(lambda d: d["sentences"][0].update(text=3)), "text is 3, not text"),
        (change_json(lambda d: d["sentences"][0].update(start="1")), "start is '1', not a number"),
        (change_json(lambda d: d["sentences"][0].update(first_cue=0.5)), "first_cue is 0.5, not a whole"),
        (change_json(lambda d: d["sentences"][0].update(last_cue=9)), "but there are 2 cues"),
        (change_json(lambda d: d["sentences"][0].update(segment=[1, 2, 3])), "does not hold what its schema"),
        (change_json(lambda d: d["similarity"].pop()), "does not hold what its schema"),
        (change_json(lambda d: d.pop("times")), "'times' is missing"),
        (change_json(lambda d: d.update(windowing=[1])), "windowing is"),
        (change_json(lambda d: d.update(features_recipe={"fps": "x"})), "recipe cannot be understood"),
        (change_json(lambda d: d.update(sentences=4)), "does not hold what its schema"),
    ],
)
def test_what_is_no_whole_json_alignment_is_refused(
    tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    path = tmp_path / "a.json"
    write_alignment(path, SMALL)
    spoil(path)
    with pytest.raises(StoreError, match=said):
        read_alignment(path)


def test_features_and_alignments_are_not_taken_for_each_other(tmp_path: Path) -> None:
    write_features(tmp_path / "f.h5", Features(np.zeros((1, 2), np.float16), np.zeros((1, 2))))
    write_alignment(tmp_path / "a.h5", SMALL)
    with pytest.raises(StoreError, match=r"holds vidalign\.features/1") as caught:
        read_alignment(tmp_path / "f.h5")
    assert "vidalign align" in caught.value.hint
    with pytest.raises(StoreError, match=r"holds vidalign\.alignment/1"):
        read_features(tmp_path / "a.h5")


def test_neither_hdf5_nor_json(tmp_path: Path) -> None:
    (tmp_path / "a.vtt").write_text("WEBVTT\n")
    with pytest.raises(StoreError, match="neither an HDF5 nor a JSON"):
        read_alignment(tmp_path / "a.vtt")
