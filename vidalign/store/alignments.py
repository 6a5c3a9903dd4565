"""Alignment files: schema `vidalign.alignment/1`, as HDF5 or, saying the same, as JSON; times in seconds."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vidalign.errors import StoreError
from vidalign.store import hdf5, jsonfile, plain
from vidalign.store.atomic import write_text
from vidalign.types import Alignment, Cue, Sentence

SCHEMA = "vidalign.alignment/1"
_MATRIX = ("similarity", "times")
_ARRAYS = ("similarity", "alignability", "confidence", "aligned", "segments", "times")
_ATTRIBUTES = tuple(f.name for f in fields(Alignment) if f.name not in (*_ARRAYS, "sentences", "cues"))


def write_alignment(path: Path, alignment: Alignment, *, matrix: bool = True) -> None:
    """Write an alignment as JSON where `path` ends in .json, else as HDF5; raises StoreError.

    `matrix=False` leaves `times` and `similarity` out. The same content gives the same bytes.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        _check(alignment, path)
        write_text(path, jsonfile.dumps(alignment_to_json(alignment, matrix=matrix)))
        return
    with hdf5.create(path, SCHEMA) as file:
        fill(file, alignment, path, matrix=matrix)


def read_alignment(path: Path) -> Alignment:
    """Read an alignment file, HDF5 or JSON by its content; unknown attributes are None. Raises StoreError.

    The files keep a cue's id, times and text; its `plain` is read back as its text.
    """
    path = Path(path)
    if _is_json(path):
        alignment = _read_json(path)
        _check(alignment, path)
        return alignment
    with hdf5.open_schema(path, SCHEMA) as file:
        return taken(file, path)


def alignment_to_json(alignment: Alignment, *, matrix: bool = True) -> dict[str, Any]:
    """The alignment as JSON values: no NaN or Infinity, null for unknown."""
    document: dict[str, Any] = {"schema": SCHEMA}
    document.update({name: jsonfile.value(getattr(alignment, name)) for name in _ATTRIBUTES})
    document["windowing"] = dict(alignment.windowing)
    if matrix and alignment.times is not None and alignment.similarity is not None:
        document["times"] = jsonfile.rows(alignment.times)
        document["similarity"] = jsonfile.rows(alignment.similarity)
    document["sentences"] = [_sentence_to_json(alignment, k) for k in range(len(alignment.sentences))]
    document["cues"] = [
        {"id": cue.id, "start": _seconds(cue.start), "end": _seconds(cue.end), "text": cue.text}
        for cue in alignment.cues
    ]
    document["complete"] = True
    return document


def _sentence_to_json(alignment: Alignment, k: int) -> dict[str, Any]:
    sentence = alignment.sentences[k]
    start, end = jsonfile.rows(alignment.segments[k])
    return {
        "id": sentence.id,
        "start": jsonfile.value(sentence.start),
        "end": jsonfile.value(sentence.end),
        "text": sentence.text,
        "first_cue": sentence.first_cue,
        "last_cue": sentence.last_cue,
        "aligned": bool(alignment.aligned[k]),
        "alignability": jsonfile.value(alignment.alignability[k]),
        "confidence": jsonfile.value(alignment.confidence[k]),
        "segment": None if start is None or end is None else [start, end],
    }


def fill(file: h5py.Group, alignment: Alignment, path: Path, *, matrix: bool = True) -> None:
    """Write an alignment into a group of the file `path`, `matrix` as in `write_alignment`."""
    _check(alignment, path)
    if matrix and alignment.similarity is not None and alignment.times is not None:
        hdf5.write_array(file, "similarity", np.asarray(alignment.similarity, dtype=np.float32))
        hdf5.write_array(file, "times", np.asarray(alignment.times, dtype=np.float64))
    hdf5.write_array(file, "alignability", np.asarray(alignment.alignability, dtype=np.float32))
    hdf5.write_array(file, "confidence", np.asarray(alignment.confidence, dtype=np.float32))
    hdf5.write_array(file, "aligned", np.asarray(alignment.aligned, dtype=np.bool_))
    hdf5.write_array(file, "segments", np.asarray(alignment.segments, dtype=np.float64))
    sentences, cues = alignment.sentences, alignment.cues
    group = file.create_group("sentences")
    hdf5.write_array(group, "start", _numbers([s.start for s in sentences]))
    hdf5.write_array(group, "end", _numbers([s.end for s in sentences]))
    hdf5.write_texts(group, "text", [s.text for s in sentences])
    hdf5.write_texts(group, "id", [s.id for s in sentences])
    hdf5.write_array(group, "first_cue", np.array([s.first_cue for s in sentences], dtype=np.int32))
    hdf5.write_array(group, "last_cue", np.array([s.last_cue for s in sentences], dtype=np.int32))
    group = file.create_group("cues")
    hdf5.write_array(group, "start", _numbers([_seconds(c.start) for c in cues]))
    hdf5.write_array(group, "end", _numbers([_seconds(c.end) for c in cues]))
    hdf5.write_texts(group, "text", [c.text for c in cues])
    hdf5.write_texts(group, "id", [c.id for c in cues])
    for name in _ATTRIBUTES:
        hdf5.write_attribute(file, name, getattr(alignment, name))


def taken(file: h5py.Group, path: Path) -> Alignment:
    """Inverse of `fill`."""
    arrays: dict[str, Any] = {name: file[name][()] if name in file else None for name in _MATRIX}
    arrays |= {name: file[name][()] for name in _ARRAYS if name not in _MATRIX}
    group = file["sentences"]
    columns = [
        hdf5.read_texts(group, "text"),
        *([_known_time(t) for t in group[name][()].tolist()] for name in ("start", "end")),
        *(group[name][()].tolist() for name in ("first_cue", "last_cue")),
        hdf5.read_texts(group, "id"),
    ]
    sentences = tuple(Sentence(*row) for row in zip(*columns, strict=True))
    group = file["cues"]
    starts, ends = (group[name][()].tolist() for name in ("start", "end"))
    texts, ids = (hdf5.read_texts(group, name) for name in ("text", "id"))
    cues = tuple(_cue(*row) for row in zip(starts, ends, texts, ids, strict=True))
    known = _known(hdf5.read_attributes(file, path), path)
    alignment = Alignment(**arrays, sentences=sentences, cues=cues, **_without_schema(known))
    _check(alignment, path)
    return alignment


def _read_json(path: Path) -> Alignment:
    document = jsonfile.load(path, SCHEMA)
    known = _without_schema(_known(document, path))
    with jsonfile.explained(path):
        entries = document["sentences"]
        times = similarity = None
        if "similarity" in document:
            times = np.array(document["times"], dtype=np.float64).reshape(-1, 2)
            similarity = np.array(document["similarity"], dtype=np.float32).reshape(len(entries), len(times))
        segments = [e["segment"] or (np.nan, np.nan) for e in entries]
        return Alignment(
            similarity=similarity,
            alignability=np.array([jsonfile.number(e, "alignability") for e in entries], dtype=np.float32),
            confidence=np.array([jsonfile.number(e, "confidence") for e in entries], dtype=np.float32),
            aligned=np.array([jsonfile.integer(e, "aligned") for e in entries], dtype=np.bool_),
            segments=np.array(segments, dtype=np.float64).reshape(-1, 2),
            times=times,
            sentences=tuple(_sentence_from_json(e) for e in entries),
            cues=tuple(_cue_from_json(c) for c in document["cues"]),
            **known,
        )


def _sentence_from_json(entry: dict[str, Any]) -> Sentence:
    return Sentence(
        text=jsonfile.text(entry, "text"),
        start=jsonfile.number(entry, "start"),
        end=jsonfile.number(entry, "end"),
        first_cue=jsonfile.integer(entry, "first_cue"),
        last_cue=jsonfile.integer(entry, "last_cue"),
        id=jsonfile.text(entry, "id"),
    )


def _cue_from_json(entry: dict[str, Any]) -> Cue:
    times = jsonfile.number(entry, "start"), jsonfile.number(entry, "end")
    return _cue(*times, jsonfile.text(entry, "text"), jsonfile.text(entry, "id"))


def _known(found: dict[str, Any], path: Path) -> dict[str, Any]:
    known = {"schema": found["schema"], **{name: found.get(name) for name in _ATTRIBUTES}}
    known["features_recipe"] = hdf5.recipe_of(known["features_recipe"], path)
    known["windowing"] = jsonfile.mapping(known["windowing"], "windowing", path)
    plain.check_types(known, Alignment, path)
    return known


def _without_schema(known: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in known.items() if name != "schema"}


def _is_json(path: Path) -> bool:
    start = hdf5.read_start(path, 256)
    if start.startswith(hdf5.SIGNATURE):
        return False
    if path.suffix.lower() == ".json" or start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        return True
    raise StoreError(
        f"{path} is neither an HDF5 nor a JSON alignment", hint="alignment files come from `vidalign align`"
    )


def _cue(start: float | None, end: float | None, text: str, name: str) -> Cue:
    return Cue(_milliseconds(start), _milliseconds(end), text, text, name)


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _milliseconds(seconds: float | None) -> int | None:
    known = _known_time(seconds)
    return None if known is None else round(known * 1000)


def _known_time(seconds: float | None) -> float | None:
    return None if seconds is None or math.isnan(seconds) else float(seconds)


def _numbers(values: list[float | None]) -> np.ndarray[Any, Any]:
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


def _check(alignment: Alignment, path: Path) -> None:
    count = len(alignment.sentences)
    expected: dict[str, tuple[int, ...]] = {
        "alignability": (count,),
        "confidence": (count,),
        "aligned": (count,),
        "segments": (count, 2),
    }
    if alignment.similarity is not None and alignment.times is not None:
        expected["similarity"] = (count, len(alignment.times))
        expected["times"] = (len(alignment.times), 2)
    for name, shape in expected.items():
        found = getattr(alignment, name).shape
        if found != shape:
            raise StoreError(f"{path}: {name} of {count} sentences has shape {found}; expected {shape}")
    for k, sentence in enumerate(alignment.sentences):
        if not 0 <= sentence.first_cue <= sentence.last_cue < len(alignment.cues):
            raise StoreError(
                f"{path}: sentence {k} is made of cues {sentence.first_cue} to {sentence.last_cue}, "
                f"but there are {len(alignment.cues)} cues"
            )
