"""Outputs by URL: made in a folder of this machine, sent away one by one as they are finished."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from vidalign.batch.boundary import attempt
from vidalign.batch.outputs import WAY_OUT
from vidalign.batch.report import ItemResult
from vidalign.batch.rounds import patiently
from vidalign.batch.runfile import SCHEMA, SHARED, Task, differences, find_run
from vidalign.errors import OutputMismatchError, StoreError, UsageError, VidalignError
from vidalign.store.records import RUNS, failure_path, parse_record, write_record
from vidalign.store.remote import WEB, RemotePlace


class RemoteOutputs:
    """The folder `url`, and `folder`, which stands for it here.

    What lies there is asked once, at the beginning (not `listed`: never): an output that is there under the
    same run file is done. Machines that work on one item at the same time both do it, and the later output
    stays. Raises UsageError for a place that nothing can be written to, StoreError where it is not reached.
    """

    def __init__(self, url: str, folder: Path, *, listed: bool = True) -> None:
        if url.partition(":")[0].lower() in WEB:
            raise UsageError(
                f"nothing can be written to {url}", hint="give a folder, or a URL like s3://BUCKET"
            )
        self.url, self.folder = url.rstrip("/"), folder
        self._place = RemotePlace(url)
        self._brought: set[Path] = set()
        self._there = frozenset(file.name for file in self._place.files()) if listed else frozenset()
        for name in sorted(self._there):
            if PurePosixPath(name).name in RUNS:
                self._bring(name)

    def known(self, outputs: Sequence[Path], folder: Path, task: Task) -> frozenset[Path]:
        """Those of a run's outputs in `folder` that are there; what was recorded of the failure of others is
        brought.

        Without a run file one output is brought, so that another run's are refused.
        """
        found: dict[Path, None] = {}
        for output in outputs:
            record = self._name(failure_path(output))
            if self._name(output) in self._there:
                found[output] = None
            elif record in self._there:
                self._bring(record)
        if found and find_run(folder, task)[1] is None:
            self.bring(next(iter(found)))
        return frozenset(found)

    def bring(self, output: Path) -> None:
        """Have here what lies there under an output's name, if anything."""
        if self._bring(self._name(output)):
            self._brought.add(output)

    def url_of(self, path: Path) -> str:
        """Where a file goes."""
        return f"{self.url}/{self._name(path)}"

    def announce(self, *, overwrite: bool = False) -> None:
        """Send the run files; raises OutputMismatchError where one of other settings came first.

        `overwrite` replaces it. One of the same settings is followed: the file here says what it says.
        """
        for path in (path for path in self.folder.rglob("run*.json") if path.name in RUNS):
            place, content = self._place.below(self._name(path)), path.read_bytes()
            there = None if place.create(content) else place.read() or b""
            if there is None or there == content:
                continue
            if overwrite:
                place.write(content)
                continue
            joined, is_new = _joined(content, there, path, place.url)
            write_record(path, joined)
            if is_new:
                place.write(path.read_bytes())

    def told(self, error: VidalignError) -> None:
        """Put the URL into an error, in place of the folder here."""
        error.message = error.message.replace(str(self.folder), self._place.url)
        error.hint = error.hint.replace(str(self.folder), self._place.url)

    def sent(self, result: ItemResult, outputs: Sequence[Path]) -> ItemResult:
        """The result, after those of its outputs that are here, or their records, are there and gone from
        here.
        """
        if result.error is not None:
            self.told(result.error)
        made = [Path(result.output)] if result.output else outputs
        error = self.send(made)
        if error is not None:
            return replace(result, status="failed", output="", error=error)
        return replace(result, output=self.url_of(made[0])) if result.output else result

    def send(self, outputs: Sequence[Path]) -> VidalignError | None:
        """Send what is here of these outputs, or of their records; why that could not be."""

        def settle() -> None:
            for output in outputs:
                self._settle(output)

        return patiently(lambda: attempt(settle, outputs[0])) if outputs else None

    def _settle(self, output: Path) -> None:
        """Send an output, or the record of its failure, whichever is here; drop the record of one made."""
        record = failure_path(output)
        if output.exists() and output not in self._brought:
            self._send(output)
            if self._name(record) in self._there:
                self._place.below(self._name(record)).remove()
        elif record.exists():
            self._send(record)

    def _send(self, path: Path) -> None:
        self._place.below(self._name(path)).upload(str(path))
        with contextlib.suppress(OSError):
            path.unlink()

    def _bring(self, name: str) -> bool:
        """Have a file here; whether there is one."""
        content = self._place.below(name).read()
        if content is not None:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return content is not None

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


def _joined(ours: bytes, there: bytes, path: Path, url: str) -> tuple[dict[str, Any], bool]:
    """The run file there, with what only ours says of how the run is shared; whether that is anything.

    Raises OutputMismatchError where the one there is of other settings.
    """
    own, found = parse_record(ours, path, SCHEMA), dict[str, Any]()
    with contextlib.suppress(StoreError):
        found = parse_record(there, path, SCHEMA)
    wanted, dealt = own.get("shards"), found.get("shards")
    dealt_otherwise = None not in (wanted, dealt) and wanted != dealt
    if found.get("task") != own["task"] or any(differences(found, own)) or dealt_otherwise:
        raise OutputMismatchError(f"{url} was begun meanwhile by a run of other settings", hint=WAY_OUT)
    more = {key: own[key] for key in SHARED if found.get(key) is None and own.get(key) is not None}
    return {**found, **more}, bool(more)
