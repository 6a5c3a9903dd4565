"""Outputs by URL: made in a folder of this machine, sent away one by one as they are finished."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from vidalign.batch.boundary import attempt
from vidalign.batch.outputs import WAY_OUT
from vidalign.batch.report import ItemResult
from vidalign.batch.rounds import patiently
from vidalign.batch.runfile import SCHEMA, differences
from vidalign.errors import OutputMismatchError, StoreError, UsageError, VidalignError
from vidalign.store.items import Item
from vidalign.store.records import RUNS, failure_path, parse_record
from vidalign.store.remote import WEB, RemotePlace


class RemoteOutputs:
    """The folder `url`, and `folder`, which stands for it here.

    What lies there is asked once, at the beginning: an output that is there under the same run file is done.
    Machines that work on one item at the same time both do it, and the later output stays. Raises UsageError
    for a place that nothing can be written to, StoreError where it cannot be reached.
    """

    def __init__(self, url: str, folder: Path) -> None:
        if url.partition(":")[0].lower() in WEB:
            raise UsageError(
                f"nothing can be written to {url}", hint="give a folder, or a URL like s3://BUCKET"
            )
        self.folder = folder
        self._place = RemotePlace(url)
        self._there = {file.name for file in self._place.files()}
        for name in sorted(self._there):
            if PurePosixPath(name).name in RUNS:
                self._bring(name)

    def known(self, items: Sequence[Item]) -> frozenset[Path]:
        """Outputs that are there; what was recorded of the failure of others is brought.

        Without a run file one output is brought, so that another run's are refused.
        """
        found: dict[Path, None] = {}
        for item in items:
            record = self._name(failure_path(item.output))
            if self._name(item.output) in self._there:
                found[item.output] = None
            elif record in self._there:
                self._bring(record)
        if found and not any((items[0].folder / name).exists() for name in RUNS):
            self._bring(self._name(next(iter(found))))
        return frozenset(found)

    def announce(self, *, overwrite: bool = False) -> None:
        """Send the run files; raises OutputMismatchError where one of other settings came first.

        `overwrite` replaces it.
        """
        for path in (path for path in self.folder.rglob("run*.json") if path.name in RUNS):
            place, content = self._place.below(self._name(path)), path.read_bytes()
            there = None if place.create(content) else place.read() or b""
            if there is None or there == content:
                continue
            if overwrite or _says_more(content, there, path, place.url):
                place.write(content)

    def told(self, error: VidalignError) -> None:
        """Put the URL into an error, in place of the folder here."""
        error.message = error.message.replace(str(self.folder), self._place.url)
        error.hint = error.hint.replace(str(self.folder), self._place.url)

    def sent(
        self, items: Sequence[Item], results: Generator[ItemResult, None, None]
    ) -> Generator[ItemResult, None, None]:
        """The results, each after its output or record is there and gone from here."""
        outputs: dict[str, list[Path]] = {}
        for item in items:
            outputs.setdefault(item.name, []).append(item.output)
        with closing(results):
            for result in results:
                if result.error is not None:
                    self.told(result.error)
                yield self._sent(result, [Path(result.output)] if result.output else outputs[result.item])

    def _sent(self, result: ItemResult, made: Sequence[Path]) -> ItemResult:
        error = patiently(partial(self._settled, made))
        if error is not None:
            return replace(result, status="failed", output="", error=error)
        return replace(result, output=f"{self._place.url}/{self._name(made[0])}") if result.output else result

    def _settled(self, outputs: Sequence[Path]) -> VidalignError | None:
        def settle() -> None:
            for output in outputs:
                self._settle(output)

        return attempt(settle, outputs[0])

    def _settle(self, output: Path) -> None:
        """Send an output, or the record of its failure, whichever is here; drop the record of one made."""
        record = failure_path(output)
        if output.exists():
            self._send(output)
            if self._name(record) in self._there:
                self._place.below(self._name(record)).remove()
        elif record.exists():
            self._send(record)

    def _send(self, path: Path) -> None:
        self._place.below(self._name(path)).upload(str(path))
        with contextlib.suppress(OSError):
            path.unlink()

    def _bring(self, name: str) -> None:
        content = self._place.below(name).read()
        if content is not None:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


def _says_more(ours: bytes, there: bytes, path: Path, url: str) -> bool:
    """Whether a run file says how the items are dealt, and the one there does not.

    Raises OutputMismatchError where the one there is of other settings.
    """
    own, found = parse_record(ours, path, SCHEMA), dict[str, Any]()
    with contextlib.suppress(StoreError):
        found = parse_record(there, path, SCHEMA)
    wanted, dealt = own.get("shards"), found.get("shards")
    dealt_otherwise = None not in (wanted, dealt) and wanted != dealt
    if found.get("task") != own["task"] or any(differences(found, own)) or dealt_otherwise:
        raise OutputMismatchError(f"{url} was begun meanwhile by a run of other settings", hint=WAY_OUT)
    return dealt is None and wanted is not None
