"""Files of strangers are opened by a process that may die of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.alignments import made_alignment
from tests.tiny import Run, cli, draw_video, made_features
from vidalign.batch.foreign import Foreign, looking_first
from vidalign.errors import ChildDiedError, ReadTimeoutError, StoreError, SubtitleError
from vidalign.store.alignments import write_alignment
from vidalign.store.features import read_features, write_features
from vidalign.text.subtitles.container import read_text_track

__all__ = ["cli"]


@pytest.fixture(scope="module")
def foreign() -> Iterator[Foreign]:
    made = Foreign(memory=1 << 28)
    yield made
    made.close()


def test_a_good_file_passes(foreign: Foreign, tmp_path: Path) -> None:
    write_features(tmp_path / "a.h5", made_features(5))
    foreign.check(tmp_path / "a.h5")
    (tmp_path / "a.json").write_text("{}")
    foreign.check(tmp_path / "a.json")


def test_a_damaged_file_is_refused(foreign: Foreign, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_features(path, made_features(5))
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(StoreError, match=r"a\.h5"):
        foreign.check(path)


def test_a_file_that_needs_too_much_memory_is_refused(foreign: Foreign, tmp_path: Path) -> None:
    path = tmp_path / "large.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "a", data=np.zeros((1, 1 << 27), np.float32), compression="gzip", chunks=(1, 1 << 27)
        )
    with pytest.raises((ChildDiedError, StoreError), match=r"large\.h5"):
        foreign.check(path)
    write_features(tmp_path / "next.h5", made_features(5))
    foreign.check(tmp_path / "next.h5")


@pytest.mark.parametrize("virtual", [False, True])
def test_an_array_larger_than_what_may_be_loaded_is_refused(
    virtual: bool, foreign: Foreign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read here in small blocks, and by whoever comes next as a whole."""
    path = tmp_path / "long.h5"
    with h5py.File(path, "w") as file:
        if virtual:
            file.create_virtual_dataset("a", h5py.VirtualLayout((2000, 2), np.float32))
        else:
            file.create_dataset("a", data=np.zeros((2000, 2), np.float32))
    foreign.check(path)
    monkeypatch.setattr("vidalign.batch.foreign.MOST_VALUES", 15999)
    with pytest.raises(StoreError, match=r"long\.h5: 'a' has 16000 bytes, more than 15999"):
        foreign.check(path)


def test_tracks_come_as_they_are_read_here(foreign: Foreign, tmp_path: Path) -> None:
    video = draw_video(tmp_path / "a.mkv", 1.0, tracks={"eng": ["stir the egg", "put water"]})
    assert foreign.only_text_track(video) == 1
    assert foreign.text_track(video, 1) == read_text_track(video, 1)
    with pytest.raises(SubtitleError, match="no track:2"):
        foreign.text_track(video, 2)


@pytest.mark.parametrize(
    ("target", "error", "said"),
    [("kill", ChildDiedError, "SIGSEGV"), ("hang", ReadTimeoutError, "hung for 0.5 s")],
)
def test_a_death_is_one_line_that_names_the_file(
    target: str, error: type[Exception], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidalign.batch.foreign.TARGET", f"tests.batch.test_foreign:{target}")
    write_features(tmp_path / "a.h5", made_features(1))
    made = Foreign(stall=0.5)
    with pytest.raises(error, match=rf"a\.h5: .*{said}"):
        made.check(tmp_path / "a.h5")
    made.close()


def test_a_file_may_take_so_long_and_no_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidalign.batch.foreign.TARGET", "tests.batch.test_foreign:dawdle")
    made = Foreign(stall=60, limit=0.5)
    with pytest.raises(ReadTimeoutError, match=r"a\.mkv: .*more than 0\.5 s"):
        made.only_text_track(tmp_path / "a.mkv")
    made.close()


def test_a_process_that_says_nothing_has_found_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidalign.batch.foreign.TARGET", "tests.batch.test_foreign:say_nothing")
    made = Foreign()
    assert made.only_text_track(tmp_path / "a.mkv") is None
    with pytest.raises(ChildDiedError, match=r"a\.mkv: .*told nonsense"):
        made.text_track(tmp_path / "a.mkv", 1)
    made.close()


def kill(request: Any, beat: Any) -> Iterator[Any]:
    """A child's work that crashes."""
    os.kill(os.getpid(), signal.SIGSEGV)
    yield None


def hang(request: Any, beat: Any) -> Iterator[Any]:
    """A child's work that never ends."""
    signal.pause()
    yield None


def dawdle(request: Any, beat: Any) -> Iterator[Any]:
    """A child's work that is never silent and never ends."""
    while True:
        time.sleep(0.01)
        yield None


def say_nothing(request: Any, beat: Any) -> Iterator[Any]:
    """A child's work without an answer."""
    yield from ()


def test_what_is_untrusted_is_looked_at_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidalign.batch.foreign.TARGET", "tests.batch.test_foreign:kill")
    path = tmp_path / "a.h5"
    write_features(path, made_features(1))
    with looking_first(), pytest.raises(ChildDiedError, match="SIGSEGV"):
        read_features(path)
    assert len(read_features(path).times) == 1


def test_calls_may_end_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidalign.batch.foreign.TARGET", "tests.batch.test_foreign:kill")
    write_features(tmp_path / "a.h5", made_features(1))
    first, second = looking_first(), looking_first()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    with pytest.raises(ChildDiedError):
        read_features(tmp_path / "a.h5")
    second.__exit__(None, None, None)
    assert len(read_features(tmp_path / "a.h5").times) == 1


@pytest.mark.parametrize(
    "command",
    [
        "inspect a.align.h5",
        "view a.align.h5 -o a.html",
        "plot a.align.h5 -o a.svg",
        "export --to csv a.align.h5 -o a.csv",
        "merge a.h5 -o pack.h5",
        "align x.mp4 x.vtt --features a.h5 -o out.json",
    ],
)
def test_commands_that_read_files_take_untrusted(
    command: str, cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidalign.batch.foreign.TARGET", "tests.batch.test_foreign:kill")
    monkeypatch.chdir(tmp_path)
    write_alignment(Path("a.align.h5"), made_alignment())
    write_features(Path("a.h5"), made_features(1))
    Path("x.mp4").write_bytes(b"")
    Path("x.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nstir\n")
    code, _, err = cli(*command.split(), "--untrusted")
    assert code == 1
    assert "SIGSEGV" in err
