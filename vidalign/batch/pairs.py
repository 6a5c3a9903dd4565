"""Which video goes with which subtitles: one pair, two folders, or a CSV."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidalign.batch.align import Pair
from vidalign.batch.report import ItemResult
from vidalign.errors import SubtitleError, UsageError
from vidalign.store.items import Item, find_items, name_below, place
from vidalign.text.subtitles.beside import find_subtitles, match_pairs
from vidalign.text.subtitles.container import text_tracks

log = logging.getLogger(__name__)

OUTPUTS = (".h5", ".json", ".vtt", ".srt")
COLUMNS = ("video", "subtitles", "features")


@dataclass(frozen=True, slots=True)
class Found:
    """Pairs, and the videos that failed already because nothing fits them."""

    pairs: tuple[Pair, ...]
    failed: tuple[ItemResult, ...] = ()


def single_pair(video: Path, subtitles: str | None, output: str | None, features: Path | None) -> Pair:
    """One video; raises UsageError on a wrong output, SubtitleError where no subtitles can be found."""
    path, track = _subtitles(video, subtitles)
    return Pair(video.name, video, path, _output(video, output), track, features)


def folder_pairs(folder: Path, subtitles: str | None, output: Path) -> Found:
    """Every video below `folder` with the file of the same relative stem below `subtitles` or beside it."""
    items = find_items([folder], output, suffix=".align.h5")
    if subtitles is not None and not Path(subtitles).is_dir():
        raise UsageError(f"{folder} is a folder and {subtitles} is not", hint="give the folder of subtitles")
    pairs, failed = [], []
    for item in items:
        try:
            found = match_pairs([item.name], subtitles or folder)[0]
            if found is None:
                raise SubtitleError("no subtitles with this name", path=str(item.source), hint="see --pairs")
        except SubtitleError as error:
            failed.append(ItemResult(item.name, "failed", str(item.source), error=error))
            continue
        pairs.append(Pair(item.name, item.source, found, item.output))
    return Found(tuple(pairs), tuple(failed))


def csv_pairs(table: Path, output: Path, root: Path | None) -> Found:
    """The rows of a CSV with the columns video, subtitles and, if wanted, features; paths are its folder's.

    Raises UsageError on a table that cannot be read, an unknown or missing column, or an empty cell.
    """
    rows = _rows(table)
    videos = [_below(table, row["video"]) for row in rows]
    base = root or Path.cwd()
    items = place([(video, name_below(video, base)) for video in videos], output, ".align.h5")
    return Found(tuple(_row_pair(table, row, item) for row, item in zip(rows, items, strict=True)))


def _row_pair(table: Path, row: dict[str, str], item: Item) -> Pair:
    features = row.get("features") or None
    return Pair(
        item.name,
        item.source,
        _below(table, row["subtitles"]),
        item.output,
        features=None if features is None else _below(table, features),
    )


def _rows(table: Path) -> list[dict[str, str]]:
    try:
        text = table.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(f"{table}: {reason}", hint="give a CSV with the columns video,subtitles") from None
    reader = csv.DictReader(text.splitlines())
    _check_columns(table, reader.fieldnames or ())
    rows = []
    for row in reader:
        if None in row or not row["video"] or not row["subtitles"]:
            raise UsageError(
                f"{table}:{reader.line_num}: needs a video and its subtitles", hint="mend the row"
            )
        rows.append({key: value or "" for key, value in row.items()})
    if not rows:
        raise UsageError(f"{table}: no pairs", hint="one row a video, under the header video,subtitles")
    return rows


def _check_columns(table: Path, names: Iterable[str]) -> None:
    unknown = [name for name in names if name not in COLUMNS]
    missing = [name for name in COLUMNS[:2] if name not in names]
    if unknown or missing:
        wrong = f"unknown column {unknown[0]!r}" if unknown else f"no column {missing[0]!r}"
        raise UsageError(
            f"{table}: {wrong}", hint="the header is video,subtitles or video,subtitles,features"
        )


def _below(table: Path, value: str) -> Path:
    return table.parent / value


def _subtitles(video: Path, given: str | None) -> tuple[Path, int | None]:
    if given is not None and given.startswith("track:"):
        number = given.removeprefix("track:")
        if not number.isdecimal():
            raise UsageError(f"{given!r} names no text track", hint="write track:0, track:1, ...")
        return video, int(number)
    if given is not None:
        return Path(given), None
    beside = find_subtitles(video)
    if beside is not None:
        log.warning("taking the subtitles beside the video: %s", beside)
        return beside, None
    tracks: Sequence[object] = text_tracks(video)
    if len(tracks) == 1:
        log.warning("taking the text track inside %s", video)
        return video, 0
    if tracks:
        listed = "; ".join(str(track) for track in tracks)
        raise UsageError(f"{video} holds {len(tracks)} text tracks: {listed}", hint="pick one with track:N")
    raise UsageError(
        f"no subtitles given, none beside {video} and none inside", hint="vidalign align VIDEO SUBTITLES"
    )


def _output(video: Path, given: str | None) -> Path | None:
    if given == "-":
        return None
    if given is None:
        return Path(video.name).with_suffix(".align.h5")
    path = Path(given)
    if path.is_dir():
        return path / Path(video.name).with_suffix(".align.h5")
    if path.suffix.lower() not in OUTPUTS:
        raise UsageError(
            f"{given}: the output's suffix says its format", hint=f"one of {' '.join(OUTPUTS)}, or - for JSON"
        )
    return path
