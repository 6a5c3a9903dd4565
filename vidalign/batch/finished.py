"""Whether an output is there already, and made as it would be made now."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from vidalign.batch.extraction import Extraction
from vidalign.batch.outputs import check_same, in_the_way
from vidalign.store.items import Item


def finished(item: Item, extraction: Extraction) -> dict[str, Any] | None:
    """The attributes of the output made from this video with these settings, None where there is none.

    Raises OutputMismatchError, saying the differences, where the output came from other settings, StaleError
    where only the video is another.
    """
    from vidalign.store.features import read_features_attributes

    if not os.path.lexists(item.output):
        return None
    with in_the_way():
        found = read_features_attributes(item.output)
    wanted: dict[str, object] = {
        "backbone": extraction.card.name,
        "weights_sha256": extraction.weights_sha256,
        "precision": extraction.place.precision,
        "dtype": extraction.dtype,
    }
    differences = [
        f"{key}: {found[key]} / {value}"
        for key, value in wanted.items()
        if found[key] is not None and found[key] != value
    ]
    family = str(found["runtime"] or extraction.runtime_family).partition(" ")[0]
    if family != extraction.runtime_family:
        differences.append(f"runtime: {family} / {extraction.runtime_family}")
    if found["pooling"] != extraction.gvf:
        differences.append(f"gvf: {found['pooling'] or 'none'} / {extraction.gvf or 'none'}")
    if found["recipe"] is not None:
        differences += [f"recipe {line}" for line in found["recipe"].differences(extraction.resolved_recipe)]
    size = size_of(item.source)
    changed = None not in (found["video_size"], size) and found["video_size"] != size
    check_same(item.output, differences, [f"video_size: {found['video_size']} / {size}"] if changed else [])
    return found


def size_of(path: Path) -> int | None:
    """The size of a file in bytes, None where there is no file that can be looked at."""
    try:
        return path.stat().st_size if path.is_file() else None
    except (OSError, ValueError):
        return None
