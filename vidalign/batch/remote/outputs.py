"""Outputs by URL: made in a folder of this machine, sent away one by one as they are finished."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from vidalign.batch.boundary import attempt
from vidalign.batch.report import ItemResult
from vidalign.batch.rounds import patiently
from vidalign.errors import UsageError, VidalignError
from vidalign.store.items import Item
from vidalign.store.records import RUNS, failure_path
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

    def announce(self) -> None:
        """Send the run files."""
        for path in (path for path in self.folder.rglob("run*.json") if path.name in RUNS):
            place, content = self._place.below(self._name(path)), path.read_bytes()
            if not place.create(content) and place.read() != content:
                place.write(content)

    def sent(self, items: Sequence[Item], results: Iterable[ItemResult]) -> Iterator[ItemResult]:
        """The results, each after its output or record is there and gone from here."""
        outputs: dict[str, list[Path]] = {}
        for item in items:
            outputs.setdefault(item.name, []).append(item.output)
        for result in results:
            if result.error is not None:
                result.error.message, result.error.hint = map(
                    self._by_url, (result.error.message, result.error.hint)
                )
            made = [Path(result.output)] if result.output else outputs[result.item]
            error = patiently(partial(self._settled, made))
            if error is not None:
                yield replace(result, status="failed", output="", error=error)
            elif result.output:
                yield replace(result, output=f"{self._place.url}/{self._name(made[0])}")
            else:
                yield result

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

    def _by_url(self, text: str) -> str:
        return text.replace(str(self.folder), self._place.url)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()
