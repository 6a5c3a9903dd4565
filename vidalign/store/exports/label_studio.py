"""Label Studio: tasks with predictions on a video's timeline, to be imported as JSON.

The project's labelling configuration is `examples/label_studio.xml`. Ranges count frames from 1, both ends
included, at the rate in `data.fps`, which the configuration hands to the player.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import ceil, floor
from pathlib import Path
from typing import Any

from vidalign.store.exports.formats import AlignmentFormat, Options
from vidalign.store.exports.values import media_of, printable, shown_segments, write_utf8
from vidalign.store.jsonfile import value
from vidalign.types import Alignment

SPOKEN, SEEN = "spoken", "seen"
_CONTROL, _OBJECT = "timeline", "video"


def write(path: Path, named: Iterable[tuple[str, Alignment]], options: Options) -> None:
    """A list of tasks, one a video; a sentence's text stands in `meta` of its regions."""
    tasks = [_task(name, alignment, options) for name, alignment in named]
    write_utf8(path, json.dumps(tasks, ensure_ascii=False, allow_nan=False, indent=1) + "\n")


def _task(name: str, alignment: Alignment, options: Options) -> dict[str, Any]:
    spoken = (
        (k, sentence.start, sentence.end)
        for k, sentence in enumerate(alignment.sentences)
        if sentence.start is not None and sentence.end is not None
    )
    rate = options.frame_rate
    regions = [_region(alignment, *span, SPOKEN, rate) for span in spoken]
    regions += [_region(alignment, *span, SEEN, rate) for span in shown_segments(alignment)]
    return {
        "data": {"video": printable(media_of(name, alignment, options)), "fps": rate},
        "meta": {"name": printable(name), "subtitles": printable(alignment.subtitles or "")},
        "predictions": [{"model_version": f"vidalign {alignment.model or 'unknown'}", "result": regions}],
    }


def _region(
    alignment: Alignment, k: int, start: float, end: float, label: str, rate: float
) -> dict[str, Any]:
    first = max(floor(start * rate + 1e-6), 0) + 1
    last = max(ceil(end * rate - 1e-6), first)
    region = {
        "id": f"{label}-{k + 1}",
        "type": "timelinelabels",
        "from_name": _CONTROL,
        "to_name": _OBJECT,
        "value": {"ranges": [{"start": first, "end": last}], "timelinelabels": [label]},
        "meta": {"text": [printable(alignment.sentences[k].text)]},
    }
    score = value(alignment.alignability[k])
    return region | ({"score": score} if label == SEEN and score is not None else {})


FORMAT = AlignmentFormat(
    summary="Label Studio tasks with timeline predictions",
    suffix=".json",
    write=write,
    gathers=True,
    takes=frozenset({"media", "frame_rate"}),
)
