"""Which video goes with which subtitles: one pair, two folders, or a CSV."""

from __future__ import annotations

import csv
import io
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from vidalign.batch.foreign import only_text_track
from vidalign.batch.settings import Pair
from vidalign.errors import SubtitleError, UsageError
from vidalign.store.items import Item, find_items, name_below, place
from vidalign.text.subtitles.beside import SubtitleFolder, find_subtitles, track_number

log = logging.getLogger(__name__)

OUTPUTS = (".h5", ".json", ".vtt", ".srt")
COLUMNS = ("video", "subtitles", "features", "text_features")


class Unpaired(NamedTuple):
    """A video that has failed already, as no subtitles fit it, or several."""

    item: Item
    error: SubtitleError


@dataclass(frozen=True, slots=True)
class Found:
    """Pairs, and the videos that are in none; `folder`: that of many outputs."""

    pairs: tuple[Pair, ...]
    failed: tuple[Unpaired, ...] = ()
    folder: Path | None = None


def single_pair(
    video: Path,
    subtitles: str | None,
    output: str | None,
    features: Path | None,
    texts: Path | None = None,
) -> Pair:
    """One video; raises UsageError on a wrong output or missing subtitles, SubtitleError on doubtful ones."""
    out = _output(video, output)
    path, track = _given(video, subtitles) if subtitles is not None else _searched(video)
    if not path.exists():
        raise UsageError(f"{path} does not exist", hint="check the name of the subtitles")
    inputs = {source.resolve() for source in (video, path, features, texts) if source is not None}
    if out is not None and out.resolve() in inputs:
        raise UsageError(f"{out} would be written over itself", hint="choose another output")
    return Pair(video.name, video, path, out, track, features, texts=texts)


def folder_pairs(folder: Path, subtitles: str | None, output: Path, root: Path | None = None) -> Found:
    """Every video below `folder` with the file of the same relative stem below `subtitles`, else beside or
    inside it. Raises UsageError where a folder is none.
    """
    items = find_items([folder], output, suffix=".align.h5", root=root)
    if subtitles is not None and not Path(subtitles).is_dir():
        raise UsageError(f"{folder} is a folder, {subtitles} is not", hint="give the folder of the subtitles")
    elsewhere = None if subtitles is None else SubtitleFolder(subtitles)
    pairs, failed = [], []
    for item in items:
        try:
            path, track = _for_item(item, folder, elsewhere)
        except SubtitleError as error:
            failed.append(Unpaired(item, error))
        else:
            pairs.append(Pair(item.name, item.source, path, item.output, track))
    return Found(tuple(pairs), tuple(failed), output)


def csv_pairs(table: Path, output: Path, root: Path | None) -> Found:
    """The rows of a CSV with the columns video, subtitles and, if wanted, features, text_features; paths are
    its folder's.

    Raises UsageError on a table that cannot be read, an unknown or missing column, an empty cell, or a video
    that stands there twice.
    """
    rows = _rows(table)
    videos = [table.parent / row["video"] for row in rows]
    twice = [video for video, count in Counter(videos).items() if count > 1]
    if twice:
        raise UsageError(f"{table}: {twice[0]} stands there twice", hint="one row a video")
    base = root or Path.cwd()
    items = place([(video, name_below(video, base)) for video in videos], output, ".align.h5")
    pairs = tuple(_row_pair(table, row, item) for row, item in zip(rows, items, strict=True))
    return Found(pairs, folder=output)


def _row_pair(table: Path, row: dict[str, str], item: Item) -> Pair:
    subtitles, track = _given(item.source, row["subtitles"], table.parent)
    features, texts = (table.parent / row[name] if row.get(name) else None for name in COLUMNS[2:])
    return Pair(item.name, item.source, subtitles, item.output, track, features, texts=texts)


def _rows(table: Path) -> list[dict[str, str]]:
    """The cells by column, stripped."""
    try:
        reader = csv.DictReader(io.StringIO(table.read_text("utf-8-sig"), newline=""), strict=True)
        _check_columns(table, reader.fieldnames or ())
        rows: list[dict[str, str]] = []
        for row in reader:
            if None in row or not all((row[name] or "").strip() for name in COLUMNS[:2]):
                wrong = "more cells than columns" if None in row else "a video or its subtitles are missing"
                raise UsageError(f"{table}:{reader.line_num}: {wrong}", hint="mend the row")
            rows.append({name: (cell or "").strip() for name, cell in row.items()})
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
        raise UsageError(f"{table} is no CSV table: {reason}", hint="columns: video,subtitles") from None
    if not rows:
        raise UsageError(f"{table}: no pairs", hint="one row a video, under the header video,subtitles")
    return rows


def _check_columns(table: Path, names: Iterable[str]) -> None:
    unknown = [name for name in names if name not in COLUMNS]
    missing = [name for name in COLUMNS[:2] if name not in names]
    if unknown or missing:
        wrong = f"unknown column {unknown[0]!r}" if unknown else f"no column {missing[0]!r}"
        raise UsageError(f"{table}: {wrong}", hint="the header is video,subtitles[,features][,text_features]")


def _given(video: Path, subtitles: str, folder: Path = Path()) -> tuple[Path, int | None]:
    """A path counted from `folder`, or the video itself with the number of `track:N`."""
    try:
        track = track_number(subtitles)
    except SubtitleError as error:
        raise UsageError(error.message, hint=error.hint) from None
    return (folder / subtitles, None) if track is None else (video, track)


def _searched(video: Path) -> tuple[Path, int | None]:
    found = _beside_or_inside(video)
    if found is None:
        raise UsageError(
            f"no subtitles given, none beside {video} and none inside", hint="vidalign align VIDEO SUBTITLES"
        )
    path, track = found
    log.warning("no subtitles given; taking %s", path if track is None else f"track:{track} of {path}")
    return path, track


def _for_item(item: Item, folder: Path, elsewhere: SubtitleFolder | None) -> tuple[Path, int | None]:
    if elsewhere is None:
        found = _beside_or_inside(item.source)
        where = "none beside or inside it"
    else:
        path = elsewhere.find(item.source.relative_to(folder))
        found = None if path is None else (path, None)
        where = f"the folder {elsewhere.folder} holds none of this name"
    if found is None:
        raise SubtitleError(f"{item.source}: no subtitles: {where}", hint="name them in a --pairs CSV")
    return found


def _beside_or_inside(video: Path) -> tuple[Path, int | None] | None:
    """A subtitle file beside the video, else the one text track inside it with its number."""
    beside = find_subtitles(video)
    if beside is not None:
        return beside, None
    track = only_text_track(video) if video.is_file() else None
    return None if track is None else (video, track)


def _output(video: Path, given: str | None) -> Path | None:
    if given == "-":
        return None
    own_name = Path(video.name).with_suffix(".align.h5")
    path = own_name if given is None else Path(given)
    if path.is_dir():
        path /= own_name
    if path.suffix.lower() not in OUTPUTS:
        raise UsageError(
            f"{given}: the output's suffix says its format", hint=f"one of {' '.join(OUTPUTS)}, or - for JSON"
        )
    return path
