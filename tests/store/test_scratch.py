from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slow_servers import slow_server
from vidalign.errors import ReadTimeoutError, StoreError, UsageError
from vidalign.store import remote
from vidalign.store.atomic import own_name
from vidalign.store.remote import RemotePlace
from vidalign.store.scratch import Scratch


@pytest.fixture
def memory() -> Iterator[RemotePlace]:
    place = RemotePlace("memory://films")
    for name in ("a.mp4", "b.mp4"):
        place.below(name).write(b"1234567890")
    yield place
    for name in ("a.mp4", "b.mp4"):
        place.below(name).remove()


def test_a_file_is_there_and_gone(memory: RemotePlace, tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        with scratch.fetched(memory.below("a.mp4"), scratch.folder / "deep" / "a.mp4") as local:
            assert local.read_bytes() == b"1234567890"
        assert not local.exists()
    assert list(tmp_path.iterdir()) == []


PROCESS = """
import sys
from pathlib import Path
from vidalign.store.scratch import Scratch
scratch = Scratch(Path(sys.argv[1]))
(scratch.folder / "fetched").touch()
print(scratch.folder, flush=True)
sys.stdin.read()
"""


def test_folders_of_killed_processes_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROCESS, str(tmp_path)]
    with contextlib.ExitStack() as stack:
        places, processes = [], []
        for _ in range(2):
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            processes.append(stack.enter_context(process))
            stack.callback(process.kill)
            assert process.stdout is not None
            places.append(Path(process.stdout.readline().strip()))
        (tmp_path / "vidalign-of-the-user").mkdir()
        own = stack.enter_context(Scratch(tmp_path)).folder
        assert own.stat().st_mode & 0o777 == 0o700
        assert all((place / "fetched").exists() for place in places)
        processes[0].kill()
        processes[0].wait()
        another = stack.enter_context(Scratch(tmp_path)).folder
        found = {path.name for path in tmp_path.iterdir()}
        assert found == {"vidalign-of-the-user", places[1].name, own.name, another.name}


def test_a_folder_that_somebody_holds_stays_whatever_its_name_says(tmp_path: Path) -> None:
    """As on another machine that is called like this one."""
    machine = own_name().partition("-")[0]
    held = tmp_path / f"vidalign-{machine}-9999999999-held"
    elsewhere = tmp_path / "vidalign-00000000-9999999999-elsewhere"
    for folder in (held, elsewhere):
        folder.mkdir()
    handle = os.open(held, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with Scratch(tmp_path) as scratch:
        assert {scratch.folder, held, elsewhere} == set(tmp_path.iterdir())
    os.close(handle)
    with Scratch(tmp_path) as scratch:
        assert {scratch.folder, elsewhere} == set(tmp_path.iterdir())


def test_gone_after_an_error(memory: RemotePlace, tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        local = scratch.folder / "a.mp4"
        with pytest.raises(KeyError), scratch.fetched(memory.below("a.mp4"), local):
            raise KeyError
        assert not local.exists()


def test_never_more_than_the_limit(memory: RemotePlace, tmp_path: Path) -> None:
    with Scratch(tmp_path, limit=15) as scratch:
        entered = threading.Event()

        def second() -> None:
            with scratch.fetched(memory.below("b.mp4"), scratch.folder / "b.mp4"):
                entered.set()

        thread = threading.Thread(target=second)
        with scratch.fetched(memory.below("a.mp4"), scratch.folder / "a.mp4"):
            thread.start()
            assert not entered.wait(0.2)
        assert entered.wait(10)
        thread.join()


def test_stopped_while_it_waits_for_room(memory: RemotePlace, tmp_path: Path) -> None:
    caught: list[StoreError] = []
    with Scratch(tmp_path, limit=15) as scratch:

        def second() -> None:
            try:
                with scratch.fetched(memory.below("b.mp4"), scratch.folder / "b.mp4"):
                    pass
            except StoreError as error:
                caught.append(error)

        thread = threading.Thread(target=second)
        with scratch.fetched(memory.below("a.mp4"), scratch.folder / "a.mp4"):
            thread.start()
            with scratch.stopped():
                thread.join(10)
            assert [error.errno for error in caught] == [errno.EINTR]
        with scratch.fetched(memory.below("b.mp4"), scratch.folder / "b.mp4") as local:
            assert local.exists()


def test_stopped_while_it_comes(memory: RemotePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def chunks(self: RemotePlace) -> Iterator[bytes]:
        yield b"12345"
        with scratch.stopped():
            yield b"67890"

    monkeypatch.setattr(RemotePlace, "chunks", chunks)
    with (
        Scratch(tmp_path) as scratch,
        pytest.raises(StoreError, match="the run ends"),
        scratch.fetched(memory.below("a.mp4"), scratch.folder / "a.mp4"),
    ):
        pass


def test_no_scratch_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="no scratch folder can be made in"):
        _ = Scratch(tmp_path / "file").folder


def test_what_the_disk_says_is_kept(
    memory: RemotePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, mode: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "open", full)
    with (
        Scratch(tmp_path) as scratch,
        pytest.raises(StoreError, match=r"^memory://films/a.mp4 cannot be written") as caught,
        scratch.fetched(memory.below("a.mp4"), scratch.folder / "a.mp4"),
    ):
        pass
    assert caught.value.errno == errno.ENOSPC


def test_larger_than_the_area(memory: RemotePlace, tmp_path: Path) -> None:
    with (
        Scratch(tmp_path, limit=5) as scratch,
        pytest.raises(StoreError, match="larger than the scratch area") as caught,
        scratch.fetched(memory.below("a.mp4"), scratch.folder / "a.mp4"),
    ):
        pass
    assert caught.value.errno == errno.EFBIG


@pytest.mark.parametrize("claimed", [4, 40])
def test_an_incomplete_file_is_refused(
    memory: RemotePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, claimed: int
) -> None:
    monkeypatch.setattr(RemotePlace, "size", lambda self, *_: claimed)
    with (
        Scratch(tmp_path) as scratch,
        pytest.raises(StoreError, match=rf"bytes came of {claimed}") as caught,
        scratch.fetched(memory.below("a.mp4"), scratch.folder / "a.mp4"),
    ):
        pass
    assert caught.value.errno == errno.ESTALE


def test_size_unknown_and_too_large(
    memory: RemotePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RemotePlace, "size", lambda self, *_: None)
    with Scratch(tmp_path, limit=5) as scratch:
        local = scratch.folder / "a.mp4"
        with (
            pytest.raises(StoreError, match="larger than the scratch area"),
            scratch.fetched(memory.below("a.mp4"), local),
        ):
            pass
        assert not local.exists()


@pytest.mark.parametrize("name", ["mute", "deaf", "trickle"])
def test_a_server_that_takes_too_long(tmp_path: Path, name: str) -> None:
    with slow_server(b"x" * 1000) as url, Scratch(tmp_path, limit=1000) as scratch:
        local = scratch.folder / "a.mp4"
        with (
            pytest.raises(ReadTimeoutError, match=rf"^{url}/{name}: fetching it took more than 0.3 s"),
            scratch.fetched(RemotePlace(f"{url}/{name}"), local, 0.3),
        ):
            pass
        assert not local.exists()
        with scratch.fetched(RemotePlace(f"{url}/good"), local, 30):
            assert local.read_bytes() == b"x" * 1000


@pytest.mark.parametrize("name", ["mute", "deaf"])
def test_a_silent_server_is_given_up_without_a_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(remote, "SILENT_SECONDS", 0.3)
    with slow_server(b"x" * 1000) as url, Scratch(tmp_path) as scratch:
        place = RemotePlace(f"{url}/{name}")
        with (
            pytest.raises(StoreError, match=r"no answer in 0.3 s|silent for 0.3 s") as caught,
            scratch.fetched(place, scratch.folder / "a.mp4"),
        ):
            pass
        assert caught.value.errno == errno.ETIMEDOUT


@pytest.mark.parametrize("name", ["mute", "deaf"])
def test_a_hanging_server_does_not_hold_up_the_end(tmp_path: Path, name: str) -> None:
    with slow_server(b"x" * 1000) as url, Scratch(tmp_path) as scratch:
        place, begun = RemotePlace(f"{url}/{name}"), threading.Event()
        caught: list[StoreError] = []

        def fetch() -> None:
            begun.set()
            try:
                with scratch.fetched(place, scratch.folder / "a.mp4"):
                    pass
            except StoreError as error:
                caught.append(error)

        thread = threading.Thread(target=fetch)
        thread.start()
        assert begun.wait(10)
        with scratch.stopped():
            thread.join(30)
        assert [error.errno for error in caught] == [errno.EINTR]
