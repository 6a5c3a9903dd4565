"""`vidalign align --engine ray`: what a run without Ray does, by workers that may die."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tiny import Run, draw_video, made_features, write_vtt
from vidalign.batch import foreign
from vidalign.batch.align import Ended
from vidalign.batch.engines import orders as room
from vidalign.batch.engines.orders import AlignOrders, Terms
from vidalign.batch.engines.ray import Worker
from vidalign.batch.pairs import Unpaired, folder_pairs
from vidalign.batch.settings import AlignRun, Pair
from vidalign.store.features import write_features

RAY = ("--engine", "ray")
HOW = ("--workers", "0", "--deterministic", "--threshold", "0", "--json")
BAD = {"bad.mp4": "failed", "alone.mp4": "failed"}


@pytest.fixture
def films(near: Path, clip_file: Path) -> Path:
    """Two good videos, one that is none, one without subtitles; colliding names."""
    for name in ("a.mp4", "deep/b.mp4", "bad.mp4", "alone.mp4"):
        path = Path("films", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"no video" if name == "bad.mp4" else clip_file.read_bytes())
        if name != "alone.mp4":
            write_vtt(path.with_suffix(".vtt"), "stir the egg", "put water")
    draw_video(Path("films/a.mkv"), 2.0)
    return Path("films")


def ends(told: tuple[int, str, str]) -> dict[str, str]:
    return {record["item"]: record["status"] for record in map(json.loads, told[1].splitlines())}


def files(folder: str) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }


def test_all_that_is_written_is_as_without_ray(films: Path, cli: Run) -> None:
    done = dict.fromkeys(("a.mp4", "a.mkv", "deep/b.mp4"), "done") | BAD
    kept = ("--save-features", "kept-local"), ("--save-features", "kept-ray")
    local = cli("align", "films", "-o", "local", *HOW, *kept[0])
    spread = cli("align", "films", "-o", "spread", *HOW, *kept[1], *RAY)
    assert ends(local) == ends(spread) == done
    assert local[0] == spread[0] == 1
    assert files("local") == files("spread")
    assert files("kept-local") == files("kept-ray")
    assert {"a.mp4.h5", "a.mkv.h5", "deep/b.h5", "run.json"} == files("kept-ray").keys()
    for line in local[2].splitlines():
        assert line in spread[2].splitlines()
    *_, last = map(json.loads, spread[1].splitlines())
    assert last["progress"]["seconds"] == 8.0


def test_again_nothing_is_done_twice(films: Path, cli: Run) -> None:
    line = ("align", "films", "-o", "out", *HOW, *RAY, "--save-features", "kept")
    planned = cli(*line, "--dry-run")
    assert ends(planned) == dict.fromkeys(("a.mp4", "a.mkv", "deep/b.mp4", "bad.mp4"), "planned") | {
        "alone.mp4": "failed"
    }
    assert not Path("out").exists() and not Path("kept").exists()
    cli(*line)
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*.h5")}
    again = cli(*line)
    assert ends(again) == dict.fromkeys(("a.mp4", "a.mkv", "deep/b.mp4"), "skipped") | BAD
    assert again[2].count("--retry-failed tries it again") == 2
    assert {path: path.stat().st_mtime_ns for path in before} == before
    write_vtt(films / "alone.vtt", "put water")
    assert ends(cli(*line, "--retry-failed"))["alone.mp4"] == "done"
    assert json.loads(Path("out/bad.align.error.json").read_bytes())["attempt"] == 2
    refused = cli(*line, "--threshold", "1")
    assert refused[0] == 2 and "threshold: 0.0 / 1.0" in refused[2]
    assert ends(cli(*line, "--threshold", "1", "--overwrite"))["a.mp4"] == "done"


def test_a_pair_that_workers_die_of_is_given_up(films: Path, cli: Run) -> None:
    (films / "a.mkv").rename(films / "deadly.mkv")
    write_vtt(films / "deadly.vtt", "put water")
    line = ("align", "films", "-o", "out", *HOW, *RAY)
    code, _, err = told = cli(*line)
    done = dict.fromkeys(("a.mp4", "deep/b.mp4"), "done") | BAD | {"deadly.mkv": "failed"}
    assert (code, ends(told)) == (1, done)
    record = json.loads(Path("out/deadly.align.error.json").read_bytes())
    assert (record["error"], record["attempt"], len(record["inputs"])) == ("ChildDiedError", 1, 2)
    assert "one worker after the other died of it, the last so: out of memory" in err
    Path("out/deadly.align.error.json").unlink()
    cli(*line, "--dry-run")
    assert not Path("out/deadly.align.error.json").exists()


def test_the_run_file_is_that_of_all_pairs(films: Path, cli: Run) -> None:
    """Also where the first pair done is one that would not say how features are made."""
    write_features(Path("f.h5"), made_features(video="a.mp4"))
    Path("pairs.csv").write_text(
        "video,subtitles,features\nfilms/a.mp4,films/a.vtt,f.h5\nfilms/deep/b.mp4,films/deep/b.vtt,\n"
    )
    for folder, more in (("local", ()), ("spread", RAY)):
        told = cli("align", "--pairs", "pairs.csv", "-o", folder, *HOW, *more)
        assert ends(told) == {"films/a.mp4": "done", "films/deep/b.mp4": "done"}
    assert json.loads(files("spread")["run.json"])["backbone"] == "mini"
    assert files("local") == files("spread")


def test_too_little_confidence_has_its_exit_code_and_no_record(films: Path, cli: Run) -> None:
    for name in ("bad.mp4", "alone.mp4"):
        (films / name).unlink()
    code, _, err = told = cli("align", "films", "-o", "out", *HOW, *RAY, "--min-confidence", "1")
    assert (code, set(ends(told).values())) == (3, {"failed"})
    assert err.count("is below 1") == 3 and not list(Path("out").rglob("*.error.json"))


def test_shards_share_the_work(films: Path, cli: Run) -> None:
    shares = [ends(cli("align", "films", "-o", "out", *HOW, *RAY, "--shard", f"{part}/2")) for part in (1, 2)]
    assert not shares[0].keys() & shares[1].keys()
    assert shares[0] | shares[1] == dict.fromkeys(("a.mp4", "a.mkv", "deep/b.mp4"), "done") | BAD
    assert json.loads(files("out")["run.json"])["shards"]["total"] == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("films/a.mp4", "films/a.vtt", "-o", "-"), "--engine ray goes with many videos"),
        (("films/a.mp4",), "--engine ray goes with many videos"),
        (("gone.mp4", "--features", "films/a.vtt"), "--engine ray goes with many videos"),
        (("gone",), "gone does not exist"),
        (("films",), "many videos need a folder"),
        (("s3://bucket/films", "-o", "out"), "URLs go with --engine local"),
        (("films", "-o", "s3://bucket/out"), "URLs go with --engine local"),
        (("films", "-o", "out", "--save-features", "s3://bucket/kept"), "URLs go with --engine local"),
        (("--pairs", "pairs.csv", "-o", "out"), "URLs go with --engine local"),
        (("films", "-o", "out", "--engine-option", "nodes=2"), "--engine ray has no option 'nodes'"),
        (("films", "-o", "out", "--device", "cuda:0"), "cuda:0"),
        (("films", "-o", "out", "--model", "no-such"), "unknown model"),
        (("films", "-o", "out", "--decoder", "dream"), "dream"),
    ],
)
def test_what_cannot_be_is_one_line(films: Path, cli: Run, given: tuple[str, ...], said: str) -> None:
    Path("pairs.csv").write_text("video,subtitles\nfilms/a.mp4,https://host.example/a.vtt\n")
    code, _, err = cli("align", *given, *RAY)
    assert code == 2
    assert said in err.splitlines()[-1] and "Traceback" not in err
    assert not Path("out").exists()


def orders(films: Path, **how: Any) -> tuple[AlignOrders, list[Pair | Unpaired]]:
    found = folder_pairs(films, None, Path("out"))
    run = AlignRun("mini", device="cpu", threshold=0.0, **how)
    return AlignOrders(Terms(), run, found.folder, words=True, extracts=True), [*found.failed, *found.pairs]


def test_nothing_that_is_loaded_goes_over_the_wire(films: Path) -> None:
    given, tasks = orders(films)
    assert given.run.aligner and given.run.extraction.model
    moved = pickle.loads(pickle.dumps(given))
    assert moved == given and len(pickle.dumps(given)) < 4000
    tasks = pickle.loads(pickle.dumps(tasks))
    worker = Worker(moved)
    assert worker.ready() is None
    answers = {entry.name: worker.do(task) for task in tasks for entry in given.entries(task)}
    worker.close()
    [(result, alignment)] = answers["a.mp4"]
    assert result.status == "done" and alignment is not None
    assert alignment.similarity is None and len(alignment.sentences) == 2
    assert [result.status for result, _ in answers["alone.mp4"]] == ["failed"]


def test_files_of_strangers_are_looked_at_first(films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def noted(*given: Any, **how: Any) -> Iterator[Ended]:
        seen.append(len(foreign._active))
        return iter(())

    monkeypatch.setattr(room, "align_pairs", noted)
    given, tasks = orders(films)
    worker = Worker(given)
    assert worker.ready() is None
    assert worker.do(tasks[0]) == [] and seen == [1]
    worker.close()
    assert not foreign._active


def test_what_breaks_off_the_work_on_a_pair_is_its_failure(
    films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_off(*given: Any, **how: Any) -> Iterator[Ended]:
        raise ZeroDivisionError

    monkeypatch.setattr(room, "align_pairs", broken_off)
    given, tasks = orders(films)
    worker = Worker(given)
    [(result, alignment)] = worker.do(tasks[-1])
    assert (result.status, alignment) == ("failed", None)
    assert result.error is not None and result.error.kind == "InternalError"
