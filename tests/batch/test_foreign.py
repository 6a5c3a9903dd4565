"""Files of strangers are opened by a process that may die of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.tiny import broken_file, draw_video, made_features
from vidalign.batch.foreign import Foreign
from vidalign.errors import ChildDiedError, ReadTimeoutError, StoreError, SubtitleError
from vidalign.store.features import write_features
from vidalign.text.subtitles.container import read_text_track

__all__ = ["broken_file"]


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


def kill(request: Any, beat: Any) -> Iterator[Any]:
    """A child's work that crashes."""
    os.kill(os.getpid(), signal.SIGSEGV)
    yield None


def hang(request: Any, beat: Any) -> Iterator[Any]:
    """A child's work that never ends."""
    signal.pause()
    yield None
