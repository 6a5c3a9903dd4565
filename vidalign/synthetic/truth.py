"""The truth of generated videos in HTM-Align's form: name -> [alignable, start, end, text], one a cue."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from vidalign.store.atomic import write_text
from vidalign.synthetic.narration import Spoken, in_place
from vidalign.synthetic.world import Plan

SENTENCE_COLUMNS = (
    "video",
    "cue",
    "alignable",
    "start",
    "end",
    "spoken_start",
    "spoken_end",
    "well_timed",
    "step",
    "colour",
    "shape",
    "action",
    "veil",
    "again",
    "text",
)


class TruthRow(NamedTuple):
    """One cue: whether it can be seen, when in seconds (its own times if it cannot), and its text."""

    alignable: int
    start: float
    end: float
    text: str


Truth = dict[str, list[TruthRow]]


def truth_rows(plan: Plan, narration: Sequence[Spoken]) -> list[TruthRow]:
    """The rows of one video in cue order."""
    rows = []
    for cue in narration:
        if cue.step is None:
            start, end = cue.start / 1000, cue.end / 1000
        else:
            start, end = plan.interval(cue.step)
        rows.append(TruthRow(int(cue.step is not None), round(start, 3), round(end, 3), cue.text))
    return rows


def write_truth(path: Path, truth: Mapping[str, Sequence[TruthRow]]) -> None:
    """Write atomically, one cue a line."""
    videos = []
    for name, rows in truth.items():
        lines = ",\n".join(f"  {json.dumps(list(row), ensure_ascii=False)}" for row in rows)
        videos.append(f"{json.dumps(name, ensure_ascii=False)}: [\n{lines}\n]")
    write_text(path, "{\n" + ",\n".join(videos) + "\n}\n")


def write_sentences(path: Path, videos: Iterable[tuple[Plan, Sequence[Spoken]]]) -> None:
    """Write, atomically, a CSV table with what is known about every sentence."""
    table = StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(SENTENCE_COLUMNS)
    for plan, narration in videos:
        for index, (cue, row) in enumerate(zip(narration, truth_rows(plan, narration), strict=True)):
            said = in_place((cue.start + cue.end) / 2000, row.start, row.end) if row.alignable else ""
            step = plan.steps[cue.step] if cue.step is not None else None
            shown = ("", *[""] * 5) if step is None else (cue.step, *step.kind, step.veil, step.again)
            times = (row.start, row.end, cue.start / 1000, cue.end / 1000)
            writer.writerow((plan.name, index, row.alignable, *times, said, *shown, cue.text))
    write_text(path, table.getvalue())
