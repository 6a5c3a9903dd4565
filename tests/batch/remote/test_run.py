from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from vidalign.batch.extract import Planned
from vidalign.batch.extraction import Extraction
from vidalign.batch.pipeline import Settings
from vidalign.batch.remote.inputs import RemoteInputs
from vidalign.batch.remote.run import RemoteRun
from vidalign.store.items import find_items
from vidalign.store.remote import RemotePlace
from vidalign.store.scratch import Scratch


def test_an_early_end_does_not_wait_for_what_is_fetched(
    tiny: Path, clip_file: Path, bucket: RemotePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.mp4", "b.mp4"):
        bucket.below(name).upload(str(clip_file))
    chunks, begun, waited_for = RemotePlace.chunks, threading.Event(), threading.Event()

    def slow(self: RemotePlace) -> Iterator[bytes]:
        while self.url.endswith("b.mp4") and not waited_for.is_set():
            begun.set()
            yield b""
        yield from chunks(self)

    monkeypatch.setattr(RemotePlace, "chunks", slow)
    with Scratch(tmp_path) as scratch:
        inputs = RemoteInputs(scratch)
        more = list(inputs.named(["memory://bucket"], [], None))
        plan = [Planned(Extraction("mini"), find_items([], tmp_path / "out", more=more))]
        results = RemoteRun(inputs, None).extract(plan, settings=Settings(workers=0))
        assert next(results).item == "a.mp4"
        assert begun.wait(60)
        timer = threading.Timer(60, waited_for.set)
        timer.start()
        results.close()
        assert not waited_for.is_set()
        timer.cancel()
        timer.join()
