"""Folders of features or alignment files become one file, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from vidalign.batch.boundary import attempt
from vidalign.batch.export import find_sources, put
from vidalign.batch.outputs import WAY_OUT
from vidalign.batch.report import ItemResult
from vidalign.errors import OutputMismatchError, UsageError, VidalignError
from vidalign.store.alignments import write_alignment
from vidalign.store.features import write_features
from vidalign.store.kind import Kind
from vidalign.store.pack import Packed, unpacked, write_pack
from vidalign.types import Features

ENDINGS: dict[Kind, str] = {"features": ".h5", "alignment": ".align.h5"}


def merge_files(
    given: Sequence[Path], kind: Kind, output: Path, *, virtual: bool = False, overwrite: bool = False
) -> Iterator[ItemResult]:
    """All or nothing: one unreadable file and there is no merged one. Raises UsageError."""
    if output.is_dir():
        raise UsageError(f"{output} is a folder", hint="the merged file needs a name")
    if output.exists() and not overwrite:
        raise OutputMismatchError(f"{output} is there already", hint=WAY_OUT)
    sources = [source for source in find_sources(given, kind) if source.path.resolve() != output.resolve()]
    if virtual and (json := [source.path for source in sources if source.path.suffix.lower() == ".json"]):
        raise UsageError(f"{json[0]} is JSON, which nothing can point into", hint="merge without --virtual")
    members = [(source.name, source.path) for source in sources]
    outcome = attempt(lambda: write_pack(output, kind, members, virtual=virtual), output)
    if isinstance(outcome, VidalignError):
        yield ItemResult(output.name, "failed", str(output), error=outcome)
    else:
        yield ItemResult(output.name, "done", str(given[0]), str(output), details={"files": outcome})


def split_file(path: Path, folder: Path, *, overwrite: bool = False) -> Iterator[ItemResult]:
    """Every member as the file it was; a file that is there already and differs is refused."""
    members = unpacked(path)
    while (found := attempt(lambda: next(members, None), path)) is not None:
        if isinstance(found, VidalignError):
            yield ItemResult(path.name, "failed", str(path), error=found)
            return
        yield _split(path, found, folder, overwrite)


def _split(path: Path, member: Packed, folder: Path, overwrite: bool) -> ItemResult:
    held = member.held
    kind: Kind = "features" if isinstance(held, Features) else "alignment"
    output = folder / (member.name + ENDINGS[kind])
    if ".." in output.relative_to(folder).parts:
        raise UsageError(f"{path} holds {member.name!r}, which leads out of {folder}")

    def write(temporary: Path) -> None:
        if isinstance(held, Features):
            write_features(temporary, held)
        else:
            write_alignment(temporary, held)

    outcome = attempt(lambda: put(output, write, overwrite=overwrite), path)
    if isinstance(outcome, VidalignError):
        return ItemResult(member.name, "failed", str(path), error=outcome)
    return ItemResult(member.name, "done" if outcome else "skipped", str(path), str(output))
