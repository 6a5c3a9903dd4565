"""Features and alignment files become files of other tools: what goes where, and what became of each."""

from __future__ import annotations

import filecmp
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidalign.batch.boundary import attempt
from vidalign.batch.outputs import WAY_OUT
from vidalign.batch.report import ItemResult, Status
from vidalign.errors import OutputMismatchError, StoreError, UsageError, VidalignError
from vidalign.store.alignments import read_alignment
from vidalign.store.atomic import atomic_path
from vidalign.store.exports.formats import AlignmentFormat, FeaturesFormat, Format, Kind, Options
from vidalign.store.features import read_features
from vidalign.store.hdf5 import read_start
from vidalign.store.items import name_below
from vidalign.store.kind import kind_of
from vidalign.types import Alignment, Features

log = logging.getLogger(__name__)

SUFFIXES = (".align.h5", ".align.json", ".h5", ".json")
"""What is left off a file to get its name, the longest that fits."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file of vidalign; `name` is its path below the folder given, `/` between, without suffix."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Job:
    """One file to write, and what it is made of."""

    sources: tuple[Source, ...]
    output: Path


def find_sources(given: Iterable[Path], kind: Kind) -> list[Source]:
    """The files given and, below folders, those of `kind`, hidden ones left out; raises UsageError."""
    found: dict[Path, Source] = {}
    for path in given:
        if not path.is_dir():
            found.setdefault(path, Source(path, _stem(path.name)))
            continue
        below = [Source(file, _stem(name_below(file, path))) for file in _walk(path) if _is(file, kind)]
        if not below:
            raise UsageError(f"no {kind} file in the folder {path}", hint="check the folder")
        found |= {source.path: source for source in below}
    sources = list(found.values())
    names = Counter(source.name for source in sources)
    twice = [source for source in sources if names[source.name] > 1]
    if twice:
        raise UsageError(
            f"{twice[0].path} and {twice[1].path} are both called {twice[0].name}",
            hint="export them one by one, or give the folder that holds both",
        )
    return sources


def plan(sources: Sequence[Source], form: Format, output: str | None) -> list[Job]:
    """Where everything goes: one file for formats that gather, else one each. Raises UsageError.

    `output` is a file, or for one each a folder; None: the current folder, names kept.
    """
    if form.gathers:
        return [Job(tuple(sources), _one_file(sources, form, output))]
    given = None if output is None else Path(output)
    if given is not None and len(sources) == 1 and given.suffix and not _names_folder(output):
        return [Job(tuple(sources), given)]
    folder = given or Path()
    return [Job((source,), folder / (source.name + form.suffix)) for source in sources]


def run_jobs(
    jobs: Iterable[Job], form: Format, options: Options, *, overwrite: bool = False
) -> Iterator[ItemResult]:
    """Do each job; a file that cannot be read fails alone.

    An output that is there with the same content is `skipped`, with another content refused with
    OutputMismatchError unless `overwrite`.
    """
    for job in jobs:
        failed: list[ItemResult] = []
        doubts: list[str] = []
        entries = _entries(job.sources, form, failed, doubts)
        outcome = attempt(lambda: _write(job, form, entries, options, overwrite), _about(job))  # noqa: B023
        yield from failed
        if isinstance(outcome, _NothingLeftError):
            continue
        item, source = job.output.name, str(_about(job))
        if isinstance(outcome, VidalignError):
            yield ItemResult(item, "failed", source, error=outcome)
        else:
            status: Status = "done" if outcome else "skipped"
            yield ItemResult(item, status, source, str(job.output), warnings=tuple(doubts))


def put(output: Path, write: Callable[[Path], None], *, overwrite: bool) -> bool:
    """Write a file atomically; False where it is there already and would be the same.

    Raises OutputMismatchError where it is there and would not, unless `overwrite`.
    """
    try:
        with atomic_path(output) as temporary:
            write(temporary)
            if output.exists() and not overwrite:
                if filecmp.cmp(temporary, output, shallow=False):
                    raise _SameError
                raise OutputMismatchError(f"{output} is there already, with other content", hint=WAY_OUT)
    except _SameError:
        return False
    return True


class _SameError(Exception):
    """Leaves a file as it is."""


class _NothingLeftError(StoreError):
    """None of the files that were to go into one could be read."""


def _write(
    job: Job, form: Format, entries: Iterator[tuple[str, Features | Alignment]], options: Options, over: bool
) -> bool:
    first = next(entries, None)
    if first is None:
        raise _NothingLeftError(f"nothing to write to {job.output}")

    def all_entries() -> Iterator[tuple[str, Features | Alignment]]:
        yield first
        yield from entries

    def write(path: Path) -> None:
        if isinstance(form, AlignmentFormat):
            form.write(path, ((n, held) for n, held in all_entries() if isinstance(held, Alignment)), options)
        else:
            form.write(path, ((n, held) for n, held in all_entries() if isinstance(held, Features)), options)

    return put(job.output, write, overwrite=over)


def _entries(
    sources: Sequence[Source], form: Format, failed: list[ItemResult], doubts: list[str]
) -> Iterator[tuple[str, Features | Alignment]]:
    """Name and content of every source that can be read; the others are added to `failed`."""
    for source in sources:
        held = attempt(lambda: _read(source.path, form), source.path)  # noqa: B023
        if isinstance(held, VidalignError):
            failed.append(ItemResult(source.name, "failed", str(source.path), error=held))
            continue
        if isinstance(form, FeaturesFormat) and isinstance(held, Features):
            doubts.extend(f"{source.path}: {doubt}" for doubt in row_doubts(held, source.name, form))
        yield source.name, held


def _read(path: Path, form: Format) -> Features | Alignment:
    return read_features(path) if isinstance(form, FeaturesFormat) else read_alignment(path)


def row_doubts(features: Features, name: str, form: FeaturesFormat) -> Iterator[str]:
    """What the reading tool, which knows rows only by number, would get wrong."""
    if not form.dots and "." in Path(name).name:
        yield f"the tool will call it {Path(name).name.partition('.')[0]!r}: it cuts names at the first dot"
    if not np.isfinite(features.features).all():
        yield "the features hold NaN or infinity"
    starts = features.times[:, 0]
    if not len(starts):
        yield "there are no clips"
        return
    steps = np.diff(starts)
    step = float(np.median(steps)) if len(steps) else None
    if step is not None and np.abs(steps - step).max() > 0.01:
        yield "the clips are not evenly spaced, but the tool knows rows by number only"
    if form.row_seconds is not None and step is not None and abs(step - form.row_seconds) > 1e-3:
        yield f"the tool takes a row to be {form.row_seconds:g} s; here it is {step:g} s"
    if abs(starts[0]) > (step or 1.0) / 2:
        yield f"the first clip begins at {starts[0]:g} s, but the tool takes it for second 0"


def _one_file(sources: Sequence[Source], form: Format, output: str | None) -> Path:
    if output is None:
        if len(sources) > 1:
            raise UsageError(f"{len(sources)} files go into one", hint=f"add -o FILE{form.suffix}")
        return Path(Path(sources[0].name).name + form.suffix)
    if _names_folder(output):
        raise UsageError(f"{output} is a folder, but all goes into one file", hint="add a file name")
    return Path(output)


def _names_folder(output: str | None) -> bool:
    return output is not None and (output.endswith(("/", os.sep)) or Path(output).is_dir())


def _about(job: Job) -> Path:
    return job.sources[0].path if len(job.sources) == 1 else job.output


def _stem(name: str) -> str:
    return next((name[: -len(end)] for end in SUFFIXES if name.lower().endswith(end)), name)


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in (".h5", ".json") and not hidden and path.is_file():
            yield path


def _is(path: Path, kind: Kind) -> bool:
    """Whether a file found in a folder is one of `kind`; broken HDF5 files are, so that they are told of."""
    if path.suffix.lower() == ".json":
        return kind == "alignment" and b'"vidalign.alignment/' in read_start(path, 256)
    try:
        return kind_of(path) == kind
    except StoreError:
        return True
