from __future__ import annotations

import json
from pathlib import Path

import pytest

from vidalign.batch.remote.outputs import RemoteOutputs
from vidalign.batch.report import ItemResult
from vidalign.batch.runfile import SCHEMA
from vidalign.errors import OutputMismatchError, StoreError, UsageError, VideoError
from vidalign.store.items import Item
from vidalign.store.remote import RemotePlace


def item(folder: Path, name: str) -> Item:
    return Item(Path("videos") / name, name, folder / Path(name).with_suffix(".h5"))


def test_nothing_is_written_to_the_web(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing can be written"):
        RemoteOutputs("https://host.example/out", tmp_path)


def test_what_is_there_is_known(bucket: RemotePlace, tmp_path: Path) -> None:
    bucket.below("out/run.json").write(run_file())
    bucket.below("out/a.h5").write(b"features")
    bucket.below("out/b.error.json").write(b"[]")
    outputs = RemoteOutputs("memory://bucket/out", tmp_path)
    named = [tmp_path / name for name in ("a.h5", "b.h5", "c.h5")]
    assert outputs.known(named, tmp_path, "extract") == {tmp_path / "a.h5"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.error.json", "run.json"]


def test_without_a_run_file_an_output_comes(bucket: RemotePlace, tmp_path: Path) -> None:
    bucket.below("out/a.h5").write(b"features")
    outputs = RemoteOutputs("memory://bucket/out", tmp_path)
    outputs.known([tmp_path / "a.h5"], tmp_path, "extract")
    assert (tmp_path / "a.h5").read_bytes() == b"features"
    assert outputs.send([tmp_path / "a.h5"]) is None
    assert (tmp_path / "a.h5").exists()


def run_file(shards: object = None, **settings: object) -> bytes:
    return json.dumps({"schema": SCHEMA, "task": "extract", **settings, "shards": shards}).encode()


def test_run_files_are_sent_once(bucket: RemotePlace, tmp_path: Path) -> None:
    outputs, there = RemoteOutputs("memory://bucket/out", tmp_path), bucket.below("out/card/run.json")
    ours = tmp_path / "card" / "run.json"
    ours.parent.mkdir()
    ours.write_bytes(run_file(dtype="float16"))
    outputs.announce()
    assert there.read() == ours.read_bytes()
    for content in (run_file(dtype="float32"), b"no run file"):
        there.write(content)
        with pytest.raises(OutputMismatchError, match="was begun meanwhile"):
            outputs.announce()
        assert there.read() == content
    outputs.announce(overwrite=True)
    assert there.read() == ours.read_bytes()


def test_how_items_are_dealt_is_said_once(bucket: RemotePlace, tmp_path: Path) -> None:
    outputs, there = RemoteOutputs("memory://bucket/out", tmp_path), bucket.below("out/run.json")
    ours = tmp_path / "run.json"
    there.write(run_file())
    ours.write_bytes(run_file(shards=[2]))
    outputs.announce()
    assert json.loads(there.read() or b"") == json.loads(run_file(shards=[2]))
    ours.write_bytes(run_file())
    outputs.announce()
    assert json.loads(there.read() or b"") == json.loads(run_file(shards=[2]))
    assert json.loads(ours.read_bytes()) == json.loads(run_file(shards=[2]))
    ours.write_bytes(run_file(shards=[3]))
    with pytest.raises(OutputMismatchError):
        outputs.announce()


def test_outputs_go_away_and_records_follow(bucket: RemotePlace, tmp_path: Path) -> None:
    bucket.below("out/a.error.json").write(b"old")
    outputs = RemoteOutputs("memory://bucket/out", tmp_path)
    items = [item(tmp_path, name) for name in ("a.mp4", "b.mp4")]
    outputs.known([each.output for each in items], tmp_path, "extract")
    (tmp_path / "a.error.json").unlink()
    (tmp_path / "a.h5").write_bytes(b"features")
    (tmp_path / "b.error.json").write_bytes(b"why")
    error = VideoError("b is broken")
    results = [
        ItemResult("a.mp4", "done", str(items[0].source), str(items[0].output)),
        ItemResult("b.mp4", "failed", str(items[1].source), error=error),
    ]
    done, failed = (outputs.sent(result, [each.output]) for result, each in zip(results, items, strict=True))
    assert done.output == "memory://bucket/out/a.h5"
    assert failed.error is error
    assert [file.name for file in bucket.below("out").files()] == ["a.h5", "b.error.json"]
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_sent_has_failed(
    bucket: RemotePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = RemoteOutputs("memory://bucket/out", tmp_path)

    def refuse(self: RemotePlace, local: str) -> None:
        raise StoreError("no permission")

    monkeypatch.setattr(RemotePlace, "upload", refuse)
    made = item(tmp_path, "a.mp4")
    made.output.write_bytes(b"features")
    result = outputs.sent(ItemResult("a.mp4", "done", "a.mp4", str(made.output)), [made.output])
    assert result.status == "failed" and "no permission" in str(result.error)
