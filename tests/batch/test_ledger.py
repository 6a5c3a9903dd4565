"""Nothing lost, nothing done twice: run files, locks between processes, records of failures."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.tiny import draw_video, made_features, start
from vidalign.batch import extract, rounds
from vidalign.batch.extract import Planned, extract_items
from vidalign.batch.extraction import Extraction
from vidalign.batch.failures import Failure, read_failure, record_failure, state_of
from vidalign.batch.locks import RunLocks
from vidalign.batch.pipeline import Made, Work
from vidalign.batch.report import ItemResult
from vidalign.batch.runfile import Wanted, check_run, find_run, open_run, recorded_dealing
from vidalign.batch.shards import Dealing
from vidalign.errors import OutputMismatchError, ReadTimeoutError, StoreError, UsageError, VideoError
from vidalign.store.features import write_features
from vidalign.store.items import Item, find_items
from vidalign.store.records import is_record


def items(folder: Path, *sources: Path) -> list[Item]:
    return find_items(sources, folder)


def run(found: Sequence[Item], extraction: Extraction | None = None, **how: Any) -> Iterator[ItemResult]:
    return extract_items([Planned(extraction or Extraction("mini"), found)], **how)


def statuses(results: Iterator[ItemResult]) -> list[str]:
    return [result.status for result in results]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting takes no time."""
    monkeypatch.setattr(rounds, "BACK_OFF", (0.0, 0.0, 0.0))
    monkeypatch.setattr(rounds, "LOOK_AGAIN_SECONDS", 0.05)


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The videos that are worked on, each time."""
    seen: list[str] = []
    once = extract.extract_many

    def noted(works: Iterator[Work], **how: Any) -> Iterator[Made]:
        def passed() -> Iterator[Work]:
            for work in works:
                seen.append(work.video.name)
                yield work

        return once(passed(), **how)

    monkeypatch.setattr(extract, "extract_many", noted)
    return seen


def failing(monkeypatch: pytest.MonkeyPatch, *errors: Exception | None) -> list[str]:
    """Reading fails with these errors, one after the other; None and what comes after succeeds."""
    left, seen, once = list(errors), [], extract.extract_many

    def made(works: Iterator[Work], **how: Any) -> Iterator[Made]:
        for work in works:
            seen.append(work.video.name)
            error = left.pop(0) if left else None
            yield Made(work.key, [error], 0.1) if error else next(once(iter([work])))

    monkeypatch.setattr(extract, "extract_many", made)
    return seen


# The run file


def test_the_run_file_holds_how_outputs_are_made(tiny: Path, clip_file: Path, tmp_path: Path) -> None:
    extraction = Extraction("mini")
    assert statuses(run(items(tmp_path, clip_file), extraction, dealing=Dealing(4))) == ["done"]
    told = json.loads((tmp_path / "run.json").read_text())
    assert told["schema"] == "vidalign.run/1"
    assert (told["task"], told["backbone"], told["precision"]) == ("extract", "mini", "float32")
    assert (told["dtype"], told["gvf"], told["recipe"]["name"]) == ("float16", None, "mini-8fps")
    assert told["weights_sha256"] == extraction.weights_sha256
    assert told["shards"] == {"total": 4, "first": 1, "step": 1}
    assert recorded_dealing(tmp_path, "extract") == Dealing(4)


def test_a_different_run_is_refused_with_the_difference(tiny: Path, clip_file: Path, tmp_path: Path) -> None:
    other = draw_video(tmp_path / "other.mp4", 1.0)
    out = tmp_path / "out"
    assert statuses(run(items(out, clip_file))) == ["done"]
    for dry in (True, False):
        with pytest.raises(OutputMismatchError, match=r"run.json .*there / now: dtype: float16 / float32"):
            run(items(out, other), Extraction("mini", dtype="float32"), dry_run=dry)
    with pytest.raises(OutputMismatchError, match="gvf: none / max"):
        run(items(out, other), Extraction("mini", gvf="max"))
    assert not (out / "other.h5").exists()
    again = run(items(out, other), Extraction("mini", dtype="float32"), overwrite=True)
    assert statuses(again) == ["done"]
    assert json.loads((out / "run.json").read_text())["dtype"] == "float32"


def test_a_missing_run_file_is_taken_from_the_first_output(
    tiny: Path, clip_file: Path, tmp_path: Path
) -> None:
    other = draw_video(tmp_path / "other.mp4", 1.0)
    out = tmp_path / "out"
    assert statuses(run(items(out, clip_file))) == ["done"]
    (out / "run.json").unlink()
    with pytest.raises(OutputMismatchError, match=r"clip.h5 says otherwise .*dtype: float16 / float32"):
        run(items(out, other), Extraction("mini", dtype="float32"))
    assert not (out / "run.json").exists()
    assert statuses(run(items(out, other))) == ["done"]
    assert json.loads((out / "run.json").read_text())["dtype"] == "float16"


def test_what_needs_no_work_writes_no_run_file(tiny: Path, clip_file: Path, tmp_path: Path) -> None:
    found = items(tmp_path, clip_file)
    assert statuses(run(found)) == ["done"]
    (tmp_path / "run.json").unlink()
    assert statuses(run(found)) == ["skipped"]
    assert statuses(run(items(tmp_path / "new", clip_file), dry_run=True)) == ["planned"]
    assert not (tmp_path / "run.json").exists()
    assert not (tmp_path / "new").exists()


def test_another_program_s_run_file_is_in_the_way(tiny: Path, clip_file: Path, tmp_path: Path) -> None:
    for text in ('{"schema": "npm"}', "words", "[]"):
        (tmp_path / "run.json").write_text(text)
        for overwrite in (False, True):
            with pytest.raises(OutputMismatchError, match=r"run.json") as refused:
                run(items(tmp_path, clip_file), overwrite=overwrite)
            assert refused.value.hint == "remove it, or choose another folder"
        assert (tmp_path / "run.json").read_text() == text


def wanted(folder: Path, dealing: Dealing | None = None, task: Any = "extract", **settings: Any) -> Wanted:
    return Wanted(folder, task, lambda: settings, dealing)


def test_of_many_that_begin_at_once_one_writes_the_run_file(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from vidalign.batch.runfile import Wanted, open_run\n"
        "sys.stdin.readline()\n"
        "try: open_run(Wanted(Path(sys.argv[1]), 'extract', lambda: {'dtype': sys.argv[2]})); print('in')\n"
        "except Exception as error: print(type(error).__name__)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    started = [subprocess.Popen([*command, dtype], **pipes) for dtype in ("a", "b", "a", "b")]
    said = [process.communicate("\n")[0].strip() for process in started]
    dtype = json.loads((tmp_path / "run.json").read_text())["dtype"]
    assert said == ["in" if each == dtype else "OutputMismatchError" for each in "abab"]
    assert os.listdir(tmp_path) == ["run.json"]  # noqa: PTH208


def test_both_tasks_may_fill_one_folder(tmp_path: Path) -> None:
    open_run(wanted(tmp_path, dtype="float16")).close()
    open_run(wanted(tmp_path, task="align", model="mini")).close()
    assert find_run(tmp_path, "extract")[0].name == "run.json"
    path, told = find_run(tmp_path, "align")
    assert (path.name, told and told["model"]) == ("run-align.json", "mini")
    with pytest.raises(OutputMismatchError, match=r"run-align.json says otherwise .*model: mini / tan"):
        check_run(wanted(tmp_path, task="align", model="tan"))


def test_a_run_that_was_not_dealt_may_be_dealt_once(tmp_path: Path) -> None:
    open_run(wanted(tmp_path, dtype="float16")).close()
    assert recorded_dealing(tmp_path, "extract") is None
    open_run(wanted(tmp_path, Dealing(3), dtype="float16")).close()
    open_run(wanted(tmp_path, dtype="float16")).close()
    assert recorded_dealing(tmp_path, "extract") == Dealing(3)
    with pytest.raises(OutputMismatchError, match="dealt into 3 shards, not 4"):
        open_run(wanted(tmp_path, Dealing(4), dtype="float16"))


def test_nobody_overwrites_under_others_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidalign.batch.runfile.PATIENCE_SECONDS", 0.2)
    first = open_run(wanted(tmp_path, dtype="float16"))
    with pytest.raises(UsageError, match="another process is at work in"):
        open_run(wanted(tmp_path, dtype="float32"), overwrite=True)
    first.close()
    open_run(wanted(tmp_path, dtype="float32"), overwrite=True).close()
    assert json.loads((tmp_path / "run.json").read_text())["dtype"] == "float32"


def test_notes_are_told_from_outputs_by_name() -> None:
    assert all(map(is_record, ("run.json", "run-align.json", "a.error.json", "a.mp4.align.error.json")))
    assert not any(map(is_record, ("a.json", "a.align.json", "run.h5", "run.align.h5", "rerun.json")))


def test_a_runtime_left_open_is_that_of_the_folder(tiny: Path, clip_file: Path, tmp_path: Path) -> None:
    planned = Planned(Extraction("mini"), items(tmp_path, clip_file))
    assert extract._as_recorded(planned, steady=False).runtime == "auto"
    open_run(wanted(tmp_path, runtime="openvino")).close()
    assert extract._as_recorded(planned, steady=False).runtime == "openvino"
    asked = planned._replace(extraction=Extraction("mini", runtime="torch"))
    with pytest.raises(OutputMismatchError, match="runtime: openvino / torch"):
        extract_items([asked])
    (tmp_path / "run.json").unlink()
    write_features(tmp_path / "a.h5", made_features(runtime="openvino 2026.4"))
    assert extract._as_recorded(planned, steady=False).runtime == "openvino"


# Locks

HOLDER = """
import sys, time
from pathlib import Path
from vidalign.batch.locks import RunLocks
locks = RunLocks(Path(sys.argv[1]))
print(locks.take(sys.argv[2]), flush=True)
sys.stdin.readline()
"""


def holder(folder: Path, name: str) -> subprocess.Popen[str]:
    """Another process that has an item until it dies or reads a line."""
    command = [sys.executable, "-c", HOLDER, str(folder / "run.json"), name]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    return process


def test_an_item_is_one_process_s_until_it_dies(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    other = holder(tmp_path, "a.h5")
    locks = RunLocks(tmp_path / "run.json")
    assert not locks.take("a.h5")
    assert locks.take("b.h5")
    assert not locks.take("b.h5")
    assert not RunLocks(tmp_path / "run.json").take("b.h5")
    other.kill()
    other.communicate()
    assert locks.take("a.h5")
    locks.give_back("b.h5")
    assert RunLocks(tmp_path / "run.json").take("b.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_where_locks_do_not_work_everybody_gets_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*asked: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.fcntl", refuse)
    monkeypatch.setattr("fcntl.lockf", refuse)
    (tmp_path / "run.json").write_text("{}")
    one, two = RunLocks(tmp_path / "run.json"), RunLocks(tmp_path / "run.json")
    assert one.join(alone=True) and two.join() and one.take("a") and two.take("a")
    one.give_back("a")


def test_what_another_process_has_is_waited_for_and_done_after_its_death(
    tiny: Path,
    clip_file: Path,
    tmp_path: Path,
    quick: None,
    tries: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = draw_video(tmp_path / "other.mp4", 1.0)
    out = tmp_path / "out"
    found = items(out, clip_file, other)
    assert statuses(run(found[1:])) == ["done"]
    (out / "other.h5").unlink()
    process = holder(out, "clip.h5")
    results = run(found)
    assert next(results).item == "other.mp4"
    process.kill()
    process.communicate()
    assert [result.item for result in results] == ["clip.mp4"]
    assert tries == ["other.mp4", "other.mp4", "clip.mp4"]
    assert "another process is at work in the same folder" in caplog.text


def test_what_another_process_has_done_meanwhile_is_not_done_again(
    tiny: Path, clip_file: Path, tmp_path: Path, tries: list[str]
) -> None:
    other = draw_video(tmp_path / "other.mp4", 1.0)
    found = items(tmp_path / "out", clip_file, other)
    results = run(found)
    assert statuses(run(found[1:])) == ["done"]
    assert sorted(statuses(results)) == ["done", "skipped"]
    assert tries == ["other.mp4", "clip.mp4"]


def test_two_processes_share_a_folder(tiny_files: Path, clip_file: Path, tmp_path: Path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    for number in range(6):
        (films / f"{number}.mp4").write_bytes(clip_file.read_bytes())
    weights = tiny_files / "mini-s3d.safetensors"
    how = ("--backbone", "mini", "--weights", weights, "--device", "cpu", "--json", "-q")
    started = [start("extract", films, "-o", tmp_path / "out", *how) for _ in "ab"]
    said = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    ends = [[json.loads(line) for line in lines.splitlines()] for lines in said]
    assert [len(each) for each in ends] == [6, 6]
    done = [record["item"] for each in ends for record in each if record["status"] == "done"]
    assert sorted(done) == [f"{number}.mp4" for number in range(6)]
    made = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert made == [*(f"{number}.h5" for number in range(6)), "run.json"]


# Failures


def test_a_failure_is_recorded_and_not_tried_again(tiny: Path, tmp_path: Path, tries: list[str]) -> None:
    (tmp_path / "bad.mp4").write_text("these are words")
    found = items(tmp_path / "out", tmp_path / "bad.mp4")
    [first] = run(found)
    told = json.loads((tmp_path / "out" / "bad.error.json").read_text())
    assert first.error is not None
    assert told["schema"] == "vidalign.error/1"
    assert (told["item"], told["source"]) == ("bad.mp4", str(tmp_path / "bad.mp4"))
    assert (told["error"], told["message"]) == ("VideoError", first.error.message)
    assert (told["attempt"], told["permanent"], told["source_size"], told["reader"]) == (1, True, 15, "auto")
    [second] = run(found)
    assert second.status == "failed"
    assert second.error is not None
    assert (second.error.kind, second.error.message) == ("VideoError", first.error.message)
    assert "bad.error.json; --retry-failed tries it again" in second.error.hint
    assert tries == ["bad.mp4"]
    assert statuses(run(found, retry_failed=True)) == ["failed"]
    assert json.loads((tmp_path / "out" / "bad.error.json").read_text())["attempt"] == 2
    assert tries == ["bad.mp4"] * 2


def test_a_changed_input_is_tried_again_and_success_removes_the_record(
    tiny: Path, clip_file: Path, tmp_path: Path
) -> None:
    source = tmp_path / "a.mp4"
    source.write_text("these are words")
    found = items(tmp_path / "out", source)
    assert statuses(run(found)) == ["failed"]
    source.write_bytes(clip_file.read_bytes())
    assert statuses(run(found)) == ["done"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.h5", "run.json"]


def test_what_passes_is_tried_again_in_the_next_run(
    tiny: Path, clip_file: Path, tmp_path: Path, tries: list[str]
) -> None:
    source = tmp_path / "a.mp4"
    found = items(tmp_path / "out", source)
    for attempt in (1, 2):
        assert statuses(run(found)) == ["failed"]
        failure = read_failure(tmp_path / "out" / "a.error.json")
        assert failure is not None
        assert (failure.permanent, failure.attempt, failure.inputs) == (False, attempt, (None,))
    source.write_bytes(clip_file.read_bytes())
    assert statuses(run(found)) == ["done"]
    assert tries == ["a.mp4"] * 3


def test_a_time_out_is_tried_once_more(
    tiny: Path, clip_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = failing(monkeypatch, *[ReadTimeoutError(f"{clip_file}: too slow") for _ in range(3)])
    found = items(tmp_path, clip_file)
    assert [statuses(run(found)) for _ in range(4)] == [["failed"]] * 4
    assert len(seen) == 2
    failure = read_failure(tmp_path / "clip.error.json")
    assert failure is not None
    assert (failure.kind, failure.attempt, failure.permanent) == ("ReadTimeoutError", 2, True)


def test_a_disk_that_stutters_is_given_time(
    tiny: Path, clip_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    stutter = VideoError(f"{clip_file} cannot be read: Input/output error", errno=errno.EIO)
    seen = failing(monkeypatch, stutter, None, stutter)
    other = draw_video(tmp_path / "other.mp4", 1.0)
    results = list(run(items(tmp_path / "out", clip_file, other)))
    assert [(result.item, result.status) for result in results] == [
        ("other.mp4", "done"),
        ("clip.mp4", "done"),
    ]
    assert seen == ["clip.mp4", "other.mp4", "clip.mp4", "clip.mp4"]
    assert not list((tmp_path / "out").glob("*.error.json"))


def test_a_disk_that_stays_broken_is_given_up(
    tiny: Path, clip_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    stutter = VideoError(f"{clip_file} cannot be read: Input/output error", errno=errno.EIO)
    seen = failing(monkeypatch, *[stutter] * 9)
    assert statuses(run(items(tmp_path, clip_file))) == ["failed"]
    assert len(seen) == 4
    failure = read_failure(tmp_path / "clip.error.json")
    assert failure is not None
    assert not failure.permanent


def test_a_full_disk_ends_the_run_with_nothing_half_written(
    tiny: Path, clip_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, features: object) -> None:
        raise StoreError(f"cannot write {path}: No space left on device", errno=errno.ENOSPC)

    other = draw_video(tmp_path / "other.mp4", 1.0)
    with monkeypatch.context() as patch:
        patch.setattr("vidalign.store.features.write_features", full)
        results = run(items(tmp_path / "out", clip_file, other))
        assert next(results).status == "failed"
        with pytest.raises(StoreError, match="its disk takes no more outputs") as ended:
            next(results)
    assert ended.value.exit_code == 1
    assert not list((tmp_path / "out").glob("*.h5"))
    assert statuses(run(items(tmp_path / "out", clip_file, other))) == ["done", "done"]


def test_writing_is_tried_again(
    tiny: Path, clip_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    from vidalign.store import features

    once, left = features.write_features, [errno.ESTALE, errno.EIO]

    def stutter(path: Path, made: Any) -> None:
        if left:
            raise StoreError(f"cannot write {path}", errno=left.pop())
        once(path, made)

    monkeypatch.setattr(features, "write_features", stutter)
    assert statuses(run(items(tmp_path, clip_file))) == ["done"]


def test_a_record_that_cannot_be_read_does_not_count(tiny: Path, tmp_path: Path, tries: list[str]) -> None:
    (tmp_path / "bad.mp4").write_text("these are words")
    found = items(tmp_path / "out", tmp_path / "bad.mp4")
    for text in (
        "",
        "{",
        "[1]",
        '{"schema": "vidalign.error/1"}',
        '{"schema": "vidalign.error/1", "inputs": 3}',
    ):
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / "bad.error.json").write_text(text)
        assert statuses(run(found)) == ["failed"]
    assert len(tries) == 5


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    source = tmp_path / "a.mp4"
    source.write_text("x")
    path, error = tmp_path / "a.error.json", VideoError("bad", hint="mend it")
    error.reader = "pyav 18"
    record_failure(path, "a.mp4", str(source), [state_of(source)], error, "auto")
    failure = read_failure(path)
    assert failure == Failure(
        "a.mp4", str(source), "VideoError", "bad", "mend it", "pyav 18", 1, True, (state_of(source),)
    )
    assert failure.stands([state_of(source)])
    os.utime(source, ns=(1, 1))
    assert not failure.stands([state_of(source)])


# What killed processes leave


def test_what_killed_processes_left_is_cleared(tiny: Path, clip_file: Path, tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from vidalign.store.atomic import atomic_path\n"
        "with atomic_path(Path(sys.argv[1])) as path: path.write_text('half'); os._exit(9)\n"
    )
    for name in ("clip.h5", "gone.h5"):
        subprocess.run([sys.executable, "-c", script, str(tmp_path / name)], check=False)
    assert len(list(tmp_path.iterdir())) == 2
    mine = tmp_path / ".mine.tmp-2024"
    mine.touch()
    assert statuses(run(items(tmp_path, clip_file), tidy=False)) == ["done"]
    assert len(list(tmp_path.iterdir())) == 5
    assert statuses(run(items(tmp_path, clip_file), dry_run=True)) == ["skipped"]
    assert len(list(tmp_path.iterdir())) == 5
    assert statuses(run(items(tmp_path, clip_file))) == ["skipped"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [mine.name, "clip.h5", "run.json"]
