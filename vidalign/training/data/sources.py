"""Where training data lie: features or videos matched with what is said in them, by name or by a table."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Generic, Protocol, TypeVar

from vidalign.aligners.tokens import Tokenizer
from vidalign.errors import ConfigError, DataError, StoreError, SubtitleError, VidalignError, VideoError
from vidalign.store.atomic import NO_ROOM
from vidalign.store.items import VIDEO_SUFFIXES, walk
from vidalign.text.sentences import Segmentation
from vidalign.text.subtitles import Rolling
from vidalign.text.subtitles.beside import SubtitleFolder
from vidalign.training.data.rows import SUFFIXES
from vidalign.training.data.spoken import Captions, Spoken, make_spoken, read_spoken

log = logging.getLogger("vidalign.training")

SHOWN_NAMES, SHOWN_REASONS = 3, 8
"""How much is told of the videos that are left out: names for a reason, and reasons."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How subtitles become sentences, as for `vidalign align`."""

    segment: Segmentation = "cue"
    rolling: Rolling = "auto"
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Holding:
    """Which videos are used, and which of them only to validate.

    `hold_out` is a list of names, one a line, that are not used at all. Without a validation source of its
    own, the first `validation_share` of the sorted names, at most `validation_limit`, validates (Han et al.,
    CVPR 2022: 5 %, at most 1000).
    """

    hold_out: Path | None = None
    validation_share: float = 0.05
    validation_limit: int = 1000

    def __post_init__(self) -> None:
        if not 0 <= self.validation_share < 1:
            raise ConfigError(f"validation_share is {self.validation_share:g}", hint="from 0 to below 1")
        if self.validation_limit < 0:
            raise ConfigError(f"validation_limit is {self.validation_limit}", hint="0 or more")


class Named(Protocol):
    """Whatever has the name of a video."""

    @property
    def name(self) -> str:
        """Its path below the folder it lies in, without suffix."""
        ...


Video = TypeVar("Video", bound=Named)


@dataclass(slots=True)
class Gathered(Generic[Video]):
    """The videos that can be used, by name, and the names of the others by reason."""

    videos: list[Video] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def leave_out(self, reason: str, name: str) -> None:
        """Note that a video cannot be used."""
        self.left_out.setdefault(reason, []).append(name)

    def fail(self, error: VidalignError, name: str) -> None:
        """Leave a video out for an error; raise one that says nothing of it, as the disk is full."""
        if isinstance(error, StoreError) and error.errno in NO_ROOM:
            raise error
        self.leave_out(error.message, name)

    def lines(self) -> list[str]:
        """For people: how many videos are left out, and why, the commonest reasons first."""
        reasons = sorted(self.left_out.items(), key=lambda entry: -len(entry[1]))
        told = [_told(reason, names) for reason, names in reasons[:SHOWN_REASONS]]
        if rest := sum(len(names) for _, names in reasons[SHOWN_REASONS:]):
            told.append(f"{_videos(rest)} left out for other reasons")
        return told


@dataclass(frozen=True, slots=True)
class Match:
    """A file of features or pictures, and how to get the sentences that belong to it."""

    name: str
    file: Path
    spoken: Callable[[], Spoken]


def folder_matches(
    files: Mapping[str, Path],
    subtitles: Path,
    tokenizer: Tokenizer,
    reading: Reading,
    gathered: Gathered[Video],
) -> Iterator[Match]:
    """Each of the named files with the subtitles of its name: in a folder, or in a JSON of many videos.

    What has none is left out. Raises SubtitleError where `subtitles` is neither.
    """
    if subtitles.is_file():
        captions = Captions(subtitles)
        for name, file in files.items():
            key = PurePosixPath(name).name
            if key in captions:
                yield Match(name, file, _from_captions(captions, key, tokenizer))
            else:
                gathered.leave_out("no captions", name)
        return
    folder = SubtitleFolder(subtitles)
    for name, file in files.items():
        try:
            path = folder.find(_video_path(name, file))
        except SubtitleError as error:
            gathered.leave_out(error.message, name)
            continue
        if path is None:
            gathered.leave_out("no subtitles", name)
        else:
            yield Match(name, file, _from_file(path, tokenizer, reading))


def table_matches(table: Path, column: str, tokenizer: Tokenizer, reading: Reading) -> Iterator[Match]:
    """The rows of a CSV with the columns `column` and subtitles; paths count from its folder.

    A name is the path as it stands there, without suffix. Raises ConfigError.
    """
    named: set[str] = set()
    for row in _table_rows(table, (column, "subtitles")):
        name = PurePosixPath(row[column]).with_suffix("").as_posix()
        if name in named:
            raise ConfigError(f"{table}: {row[column]} stands there twice", hint="one row a video")
        named.add(name)
        spoken = _from_file(table.parent / row["subtitles"], tokenizer, reading, PurePosixPath(name).name)
        yield Match(name, table.parent / row[column], spoken)


def gather(
    matches: Iterable[Match],
    make: Callable[[str, Path, Callable[[], Spoken]], Video],
    gathered: Gathered[Video],
    held_out: frozenset[str] = frozenset(),
) -> Gathered[Video]:
    """Read every match that is not held out; what cannot be read or used is left out and told.

    Videos are sorted by name. Raises DataError where none is left.
    """
    for match in matches:
        if match.name in held_out or PurePosixPath(match.name).name in held_out:
            gathered.leave_out("held out", match.name)
            continue
        try:
            gathered.videos.append(make(match.name, match.file, match.spoken))
        except (StoreError, DataError, SubtitleError, VideoError) as error:
            gathered.fail(error, match.name)
    gathered.videos.sort(key=lambda video: video.name)
    for line in gathered.lines():
        log.warning("%s", line)
    if not gathered.videos:
        why = "; ".join(gathered.lines()) or "none was found"
        raise DataError(f"no video to train on: {why}", hint="see the paths in the configuration")
    return gathered


def split(videos: Sequence[Video], holding: Holding) -> tuple[list[Video], list[Video]]:
    """(training, validation) of videos that are sorted by name."""
    count = min(int(holding.validation_share * len(videos)), holding.validation_limit)
    return list(videos[count:]), list(videos[:count])


def read_names(path: Path | None) -> frozenset[str]:
    """The names of a list, one a line; none without a list. Raises ConfigError."""
    if path is None:
        return frozenset()
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the list of names cannot be read: {error}") from None
    return frozenset(line.strip() for line in lines if line.strip())


def features_below(folder: Path) -> dict[str, Path]:
    """Features files by name: `sub/a` for `sub/a.h5`, `sub/a.mp4.h5` and `sub/a.mp4.npy`.

    Raises ConfigError where there is none, or where two have one name.
    """
    files = (
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and not _is_alignment(path)
    )
    found = _by_name(folder, files)
    if not found:
        raise ConfigError(f"no features in {folder}", hint="make them with `vidalign extract`")
    return found


def videos_below(folder: Path) -> dict[str, Path]:
    """Videos by name, `sub/a` for `sub/a.mp4`; raises ConfigError as `features_below` does."""
    found = _by_name(folder, walk(folder) if folder.is_dir() else ())
    if not found:
        raise ConfigError(f"no videos in {folder}", hint=f"known suffixes: {' '.join(VIDEO_SUFFIXES)}")
    return found


def _by_name(folder: Path, files: Iterable[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in files:
        name = PurePosixPath(path.relative_to(folder).with_suffix("").as_posix())
        if name.suffix.lower() in VIDEO_SUFFIXES:
            name = name.with_suffix("")
        other = found.setdefault(str(name), path)
        if other != path:
            raise ConfigError(f"{other} and {path} have the same name {name}", hint="keep one of them")
    return found


def _video_path(name: str, file: Path) -> PurePosixPath:
    """What the video is called below its folder, as far as a features file tells."""
    own = next((n for n in (file.name, file.stem) if PurePosixPath(n).suffix.lower() in VIDEO_SUFFIXES), None)
    return PurePosixPath(name).parent / own if own is not None else PurePosixPath(f"{name}.mp4")


def _is_alignment(path: Path) -> bool:
    return path.name.lower().endswith(".align.h5")


def _from_captions(captions: Captions, video: str, tokenizer: Tokenizer) -> Callable[[], Spoken]:
    return lambda: make_spoken(captions.of(video), tokenizer)


def _from_file(path: Path, tokenizer: Tokenizer, reading: Reading, video: str = "") -> Callable[[], Spoken]:
    return lambda: read_spoken(
        path,
        tokenizer,
        video=video,
        segment=reading.segment,
        rolling=reading.rolling,
        encoding=reading.encoding,
    )


def _table_rows(table: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    header = ",".join(columns)
    try:
        reader = csv.DictReader(io.StringIO(table.read_text("utf-8-sig"), newline=""), strict=True)
        if sorted(reader.fieldnames or ()) != sorted(columns):
            raise ConfigError(f"{table}: the header is not {header}", hint="one row a video below it")
        rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{table} is no CSV table: {error}", hint=f"columns: {header}") from None
    for line, row in rows:
        cells = {name: (row[name] or "").strip() for name in columns}
        if None in row or not all(cells.values()):
            raise ConfigError(f"{table}:{line}: not one cell a column", hint=f"columns: {header}")
        yield cells


def _told(reason: str, names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN_NAMES]) + (", ..." if len(names) > SHOWN_NAMES else "")
    return f"{_videos(len(names))} left out: {reason}: {shown}"


def _videos(count: int) -> str:
    return f"{count} video{'' if count == 1 else 's'}"
