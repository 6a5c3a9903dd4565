"""`--truth FILE`: what is known of when each sentence can be seen, for commands that draw it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vidalign.errors import DataError

if TYPE_CHECKING:
    from vidalign.types import Alignment

truth_option = click.option(
    "--truth",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Truth in HTM-Align's form, {NAME: [[can be seen, start, end, text], ...]}, to draw as well.",
)

Intervals = list[tuple[float, float] | None]
"""One entry a sentence: seconds in which it can be seen, None where it cannot."""


def true_intervals(path: Path, alignment: Alignment) -> Intervals:
    """The entry of the alignment's video (its name without suffix, or the only one); raises DataError."""
    from vidalign.evaluation.annotations import read_annotations

    videos = read_annotations(path)
    name = Path(alignment.video or "").stem
    if name not in videos and len(videos) == 1:
        (name,) = videos
    if name not in videos:
        known = ", ".join(list(videos)[:5]) or "nothing"
        raise DataError(f"{path} has no truth for {name or 'a video without a name'}", hint=f"it has {known}")
    rows, count = videos[name], len(alignment.sentences)
    if len(rows) != count:
        raise DataError(f"{path} has {len(rows)} rows for the {count} sentences of {name}")
    return [(row.start, row.end) if row.alignable else None for row in rows]
