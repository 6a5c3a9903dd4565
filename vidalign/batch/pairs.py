"""Which video goes with which subtitles: one pair, two folders, or a CSV."""

from __future__ import annotations

import csv
import io
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from vidalign.batch.files import HERE, Files, Given, Subtitles, urls_here_only
from vidalign.batch.foreign import only_text_track
from vidalign.batch.settings import Pair
from vidalign.errors import SubtitleError, UsageError
from vidalign.store.items import Item, place
from vidalign.text.subtitles.beside import track_number

log = logging.getLogger(__name__)

OUTPUTS = (".h5", ".json", ".vtt", ".srt")
COLUMNS = ("video", "subtitles", "features", "text_features")


class Unpaired(NamedTuple):
    """A video that has failed already, as no subtitles fit it, or several."""

    item: Item
    error: SubtitleError
    files: Files = HERE


@dataclass(frozen=True, slots=True)
class Found:
    """Pairs, and the videos that are in none; `folder`: that of many outputs."""

    pairs: tuple[Pair, ...]
    failed: tuple[Unpaired, ...] = ()
    folder: Path | None = None


def without_urls(found: Found) -> Found:
    """The same for other machines, which see the paths of this one; raises UsageError for a URL's."""
    looked = [(pair.files, pair.inputs) for pair in found.pairs]
    looked += [(alone.files, (alone.item.source,)) for alone in found.failed]
    if any(files.url(path) for files, paths in looked for path in paths):
        raise urls_here_only()
    pairs = tuple(replace(pair, files=HERE) for pair in found.pairs)
    return replace(found, pairs=pairs, failed=tuple(each._replace(files=HERE) for each in found.failed))


def single_pair(
    video: Given,
    subtitles: str | None,
    output: str | None,
    features: Given | None = None,
    texts: Given | None = None,
    files: Files = HERE,
) -> Pair:
    """One video; raises UsageError on a wrong output or missing subtitles, SubtitleError on doubtful ones."""
    source = files.single(video)
    out = _output(source, output)
    given = None if subtitles is None else _given(source, subtitles, "", files)
    path, track = given or _searched(source, files)
    if files.lacks(path):
        raise UsageError(f"{path} does not exist", hint="check the name of the subtitles")
    others = [None if each is None else files.at(each) for each in (features, texts)]
    inputs = {each.resolve() for each in (source, path, *others) if each is not None}
    if out is not None and out.resolve() in inputs:
        raise UsageError(f"{out} would be written over itself", hint="choose another output")
    return Pair(source.name, source, path, out, track, others[0], texts=others[1], files=files)


def folder_pairs(
    folder: Given, subtitles: str | None, output: Path, root: Given | None = None, files: Files = HERE
) -> Found:
    """Every video below `folder` with the file of the same relative stem below `subtitles`, else beside or
    inside it. Raises UsageError where a folder is none.
    """
    items = files.items(folder, output, ".align.h5", root)
    if subtitles is not None and not files.is_folder(subtitles):
        raise UsageError(f"{folder} is a folder, {subtitles} is not", hint="give the folder of the subtitles")
    elsewhere = None if subtitles is None else files.subtitles(subtitles)
    pairs, failed = [], []
    for item in items:
        try:
            if elsewhere is None:
                path, track = _with_it(item.source, files)
            else:
                path, track = _of_its_name(item.source, folder, elsewhere, str(subtitles), files), None
        except SubtitleError as error:
            failed.append(Unpaired(item, error, files))
        else:
            pairs.append(Pair(item.name, item.source, path, item.output, track, files=files))
    return Found(tuple(pairs), tuple(failed), output)


def csv_pairs(table: Given, output: Path, root: Given | None, files: Files = HERE) -> Found:
    """The rows of a CSV with the columns video, subtitles and, if wanted, features, text_features; paths are
    its folder's.

    Raises UsageError on a table that cannot be read, an unknown or missing column, an empty cell, or a video
    that stands there twice.
    """
    with files.opened(files.at(table)) as path:
        rows = _rows(path, str(table))
    above = files.above(table)
    videos = [files.video(row["video"], above, root) for row in rows]
    twice = [path for path, count in Counter(path for path, _ in videos).items() if count > 1]
    if twice:
        raise UsageError(
            f"{table}: {files.url(twice[0]) or twice[0]} stands there twice", hint="one row a video"
        )
    items = place(videos, output, ".align.h5")
    pairs = tuple(_row_pair(above, row, item, files) for row, item in zip(rows, items, strict=True))
    return Found(pairs, folder=output)


def _row_pair(above: Given, row: dict[str, str], item: Item, files: Files) -> Pair:
    subtitles, track = _given(item.source, row["subtitles"], above, files)
    features, texts = (files.at(row[name], above) if row.get(name) else None for name in COLUMNS[2:])
    return Pair(item.name, item.source, subtitles, item.output, track, features, texts=texts, files=files)


def _rows(path: Path, table: str) -> list[dict[str, str]]:
    """The cells by column, stripped; `table` is what messages call it."""
    try:
        reader = csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline=""), strict=True)
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


def _check_columns(table: str, names: Iterable[str]) -> None:
    unknown = [name for name in names if name not in COLUMNS]
    missing = [name for name in COLUMNS[:2] if name not in names]
    if unknown or missing:
        wrong = f"unknown column {unknown[0]!r}" if unknown else f"no column {missing[0]!r}"
        raise UsageError(f"{table}: {wrong}", hint="the header is video,subtitles[,features][,text_features]")


def _given(video: Path, subtitles: str, above: Given, files: Files) -> tuple[Path, int | None]:
    """A file counted from the folder `above`, or the video itself with the number of `track:N`."""
    try:
        track = track_number(subtitles)
    except SubtitleError as error:
        raise UsageError(error.message, hint=error.hint) from None
    return (files.at(subtitles, above), None) if track is None else (video, track)


def _searched(video: Path, files: Files) -> tuple[Path, int | None]:
    found = _beside_or_inside(video, files)
    if found is None:
        named = files.url(video) or video
        raise UsageError(
            f"no subtitles given, none beside {named}{_inside(video, files)}",
            hint="vidalign align VIDEO SUBTITLES",
        )
    path, track = found
    taken = files.told(str(path), [path])
    log.warning("no subtitles given; taking %s", taken if track is None else f"track:{track} of {taken}")
    return path, track


def _of_its_name(video: Path, folder: Given, elsewhere: Subtitles, named: str, files: Files) -> Path:
    found = elsewhere.find(files.relative(video, folder))
    if found is None:
        raise _none(video, f"the folder {named} holds none of this name", files)
    return found


def _with_it(video: Path, files: Files) -> tuple[Path, int | None]:
    found = _beside_or_inside(video, files)
    if found is None:
        raise _none(video, "none beside" + (" it" if files.url(video) else " or inside it"), files)
    return found


def _none(video: Path, where: str, files: Files) -> SubtitleError:
    return SubtitleError(
        f"{files.url(video) or video}: no subtitles: {where}", hint="name them in a --pairs CSV"
    )


def _inside(video: Path, files: Files) -> str:
    """What is said of the inside of a video, into which nobody looks where it is not on this machine."""
    return "" if files.url(video) else " and none inside"


def _beside_or_inside(video: Path, files: Files) -> tuple[Path, int | None] | None:
    """A subtitle file beside the video, else the one text track inside it with its number."""
    beside = files.beside(video)
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
