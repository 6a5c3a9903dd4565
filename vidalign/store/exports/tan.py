"""TAN on HowTo100M (TengdaHan/TemporalAlignNet): `{vid}.mp4.npy`, one row a second."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from vidalign.store.exports.arrays import read_npy, write_npy
from vidalign.store.exports.formats import FeaturesFormat, Rows


def read(path: Path, name: str, key: str | None) -> Iterator[tuple[str, Rows]]:
    """The rows under the video's name; the file's name says the video's own suffix."""
    suffix = path.with_suffix("").suffix
    for found, rows in read_npy(path, name, key):
        yield found, replace(rows, video=Path(found).name + suffix)


FORMAT = FeaturesFormat(
    summary="TAN / HowTo100M, {vid}.mp4.npy, one row a second",
    suffix=".mp4.npy",
    write=write_npy(),
    row_seconds=1.0,
    read=read,
    reads=(".mp4.npy", ".webm.npy"),
)
