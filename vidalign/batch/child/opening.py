"""What a child that opens files of strangers does; imported there, it brings along all that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py

from vidalign.errors import StoreError
from vidalign.store import hdf5, plain
from vidalign.text.subtitles.container import only_text_track, read_text_track

BLOCK = 1 << 26
"""Bytes of values that are read at once."""

Beat = Callable[[], None]


def answer(request: dict[str, Any], beat: Beat) -> Iterator[Any]:
    """What the process does with a request; the last message is the answer."""
    path = Path(request["path"])
    match request["what"]:
        case "hdf5":
            _read_all(path, request["most"], beat)
            yield None
        case "tracks":
            yield only_text_track(path)
        case "track":
            yield asdict(read_text_track(path, request["number"], rolling=request["rolling"], beat=beat))


def _read_all(path: Path, most: int, beat: Beat) -> None:
    """Every attribute and value, as whoever reads the file afterwards will; raises StoreError, also at an
    array of more than `most` bytes.
    """
    with plain.opened(path) as file, plain.explained(path, "is damaged"):
        hdf5.read_attributes(file, path)
        plain.check_plain(file, path, virtual=True)
        _read_below(file, path, most, beat)


def _read_below(group: h5py.Group, path: Path, most: int, beat: Beat) -> None:
    for name, node in plain.members(group, path):
        beat()
        if isinstance(node, h5py.Group):
            hdf5.read_attributes(node, path)
            _read_below(node, path, most, beat)
        elif isinstance(node, h5py.Dataset):
            if node.nbytes > most:
                raise StoreError(f"{path}: {name[:60]!r} has {node.nbytes} bytes, more than {most}")
            for block in () if node.is_virtual else _blocks(node):
                node[block]
                beat()


def _blocks(node: h5py.Dataset) -> Iterator[Any]:
    """What to index a dataset by, piece by piece."""
    if not node.shape:
        yield ()
        return
    rows = max(1, BLOCK * node.shape[0] // max(1, node.nbytes))
    for start in range(0, node.shape[0], rows):
        yield slice(start, start + rows)
