"""Downloads against a server of our own that can cut, lie and fail."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from vidalign.errors import ModelError
from vidalign.weights.download import Wanted, download

DATA = bytes(range(256)) * 9000
SHA256 = hashlib.sha256(DATA).hexdigest()


@dataclass
class Server:
    """What the server does with the next requests, and what it was asked."""

    url: str = ""
    data: bytes = DATA
    etag: str = '"one"'
    ranges: bool = True
    cut: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    redirect: str = ""
    html: bool = False
    asked: list[tuple[str, str | None]] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    state: Server

    def do_GET(self) -> None:
        state = self.state
        asked = self.headers.get("Range")
        state.asked.append((self.path, asked))
        if self.path == "/gone" or state.statuses:
            self.send_error(404 if self.path == "/gone" else state.statuses.pop(0))
            return
        if state.redirect and self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", state.redirect)
            self.end_headers()
            return
        begin = int(asked[6:-1]) if asked else 0
        if not state.ranges or self.headers.get("If-Range") not in (None, state.etag):
            begin = 0
        if begin >= len(state.data) and asked:
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(state.data) - 1}/{len(state.data)}")
        self.send_header("Content-Length", str(len(state.data) - begin))
        self.send_header("Content-Type", "text/html" if state.html else "application/octet-stream")
        self.send_header("ETag", state.etag)
        self.end_headers()
        end = state.cut.pop(0) if state.cut else len(state.data)
        self.wfile.write(state.data[begin:end])
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


class Quiet(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up early is what some tests want."""


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()
    handler = type("Bound", (Handler,), {"state": state})
    with Quiet(("127.0.0.1", 0), handler) as listening:
        state.url = f"http://127.0.0.1:{listening.server_address[1]}"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        listening.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "file.pth"


def _left(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def test_a_plain_download(server: Server, target: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    got = download([server.url + "/f"], Wanted(target), progress=lambda *args: seen.append(args))
    assert target.read_bytes() == DATA
    assert (got.sha256, got.size, got.source) == (SHA256, len(DATA), server.url + "/f")
    assert seen[-1] == ("file.pth", len(DATA), len(DATA))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert len(seen) > 1
    assert _left(target) == ["file.pth"]


def test_a_cut_connection_is_resumed_at_once(server: Server, target: Path) -> None:
    server.cut = [1_000_000, 1_500_000]
    waits: list[float] = []
    got = download([server.url + "/f"], Wanted(target, len(DATA), SHA256), wait=waits.append)
    assert (got.sha256, target.read_bytes()) == (SHA256, DATA)
    assert [asked for _, asked in server.asked] == [None, "bytes=1000000-", "bytes=1500000-"]
    assert waits == [1, 1], "progress was made between the cuts"


def test_an_interrupted_download_is_resumed_by_the_next_call(server: Server, target: Path) -> None:
    server.cut = [700_000]
    with pytest.raises(ModelError, match=r"broke after 700000 of 2304000 bytes"):
        download([server.url + "/f"], Wanted(target), attempts=1)
    assert not target.exists()
    assert _left(target) == ["file.pth.part", "file.pth.part.json"]
    got = download([server.url + "/f"], Wanted(target))
    assert (got.sha256, server.asked[-1][1]) == (SHA256, "bytes=700000-")
    assert _left(target) == ["file.pth"]


def test_a_changed_file_is_not_glued_to_the_old_half(server: Server, target: Path) -> None:
    server.cut = [700_000]
    with pytest.raises(ModelError):
        download([server.url + "/f"], Wanted(target), attempts=1)
    server.data, server.etag = DATA[::-1], '"two"'
    download([server.url + "/f"], Wanted(target))
    assert target.read_bytes() == DATA[::-1]


def test_a_server_that_cannot_resume_starts_over(server: Server, target: Path) -> None:
    server.ranges, server.cut = False, [700_000]
    got = download([server.url + "/f"], Wanted(target), wait=lambda _: None)
    assert (got.sha256, len(server.asked)) == (SHA256, 2)


def test_without_a_validator_nothing_is_resumed(server: Server, target: Path) -> None:
    server.etag, server.cut = 'W/"weak"', [700_000]
    download([server.url + "/f"], Wanted(target, sha256=SHA256), wait=lambda _: None)
    assert [asked for _, asked in server.asked] == [None, None]


def test_the_half_of_another_source_is_not_continued(server: Server, target: Path) -> None:
    server.cut = [700_000]
    with pytest.raises(ModelError):
        download([server.url + "/a"], Wanted(target), attempts=1)
    download([server.url + "/b"], Wanted(target, sha256=SHA256))
    assert server.asked[-1] == ("/b", None)


def test_a_part_longer_than_the_file_starts_over(server: Server, target: Path) -> None:
    server.cut = [700_000]
    with pytest.raises(ModelError):
        download([server.url + "/f"], Wanted(target), attempts=1)
    server.data = DATA[:500_000]
    download([server.url + "/f"], Wanted(target), wait=lambda _: None)
    assert target.read_bytes() == DATA[:500_000]


def test_two_processes_at_one_file_do_not_mix(server: Server, target: Path) -> None:
    def meddle(name: str, done: int, total: int | None) -> None:
        if len(server.asked) == 1:
            target.with_name("file.pth.part").write_bytes(b"of another process")

    waits: list[float] = []
    got = download([server.url + "/f"], Wanted(target), progress=meddle, wait=waits.append)
    assert (got.sha256, target.read_bytes() == DATA, len(waits)) == (SHA256, True, 1)


def test_the_next_source_after_404(server: Server, target: Path) -> None:
    got = download([server.url + "/gone", server.url + "/f"], Wanted(target))
    assert got.source == server.url + "/f"
    assert [path for path, _ in server.asked] == ["/gone", "/f"]


def test_a_wrong_hash_is_refused_and_the_next_source_tried(server: Server, target: Path) -> None:
    local = target.parent / "mirror.bin"
    local.parent.mkdir()
    local.write_bytes(DATA)
    server.data = DATA[:-1] + b"x"
    got = download([server.url + "/f", local.as_uri()], Wanted(target, sha256=SHA256))
    assert (got.source, target.read_bytes()) == (local.as_uri(), DATA)
    target.unlink()
    with pytest.raises(ModelError, match=f"another file: sha256 .* instead of {SHA256[:12]}..."):
        download([server.url + "/f"], Wanted(target, sha256=SHA256))
    assert _left(target) == ["mirror.bin"]


def test_a_wrong_size_is_refused_before_it_is_transferred(server: Server, target: Path) -> None:
    with pytest.raises(ModelError, match="offers 2304000 bytes instead of 5"):
        download([server.url + "/f"], Wanted(target, size=5))
    assert _left(target) == []


def test_passing_errors_are_retried_with_growing_waits(server: Server, target: Path) -> None:
    server.statuses = [503, 429, 500]
    waits: list[float] = []
    assert download([server.url + "/f"], Wanted(target), attempts=4, wait=waits.append).sha256 == SHA256
    assert waits == [1, 2, 4]


@pytest.mark.parametrize("debug", ["0", "1"])
def test_every_source_is_told_with_its_error(
    debug: str, server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first by its address without what may be a secret, others by their host; all when debugging."""
    monkeypatch.setenv("VIDALIGN_DEBUG", debug)
    server.statuses = [503, 503]
    sources = [
        server.url + "/busy?key=secret",
        server.url + "/gone",
        "http://127.0.0.1:9/x",
        "ftp://a/b",
        "file:///no/x",
    ]
    with pytest.raises(ModelError) as caught:
        download(sources, Wanted(target), attempts=2, wait=lambda _: None, hint="do this")
    told = caught.value.message
    assert told.startswith(
        f"file.pth could not be downloaded: {server.url}/busy?...: 503 Service Unavailable"
    )
    brief = "; 127.0.0.1: 404 Not Found; 127.0.0.1: [Errno 111]"
    assert "secret" not in told and ((len(told) <= 300 and brief in told) or debug == "1")
    for part in (
        ()
        if debug == "0"
        else (
            "(tried 2 times)",
            "/gone: 404 Not Found",
            "127.0.0.1:9/x: ",
            "ftp://a/b: only http, https and file addresses",
            "file:///no/x: No such file",
        )
    ):
        assert part in told
    assert caught.value.hint == "do this"


def test_a_long_address_leaves_room_for_the_reason(server: Server, target: Path) -> None:
    server.statuses = [403]
    with pytest.raises(ModelError) as caught:
        download([f"{server.url}/{'long/' * 30}f"], Wanted(target))
    assert caught.value.message == "file.pth could not be downloaded: 127.0.0.1: 403 Forbidden"


def test_a_web_page_is_not_a_file(server: Server, target: Path) -> None:
    server.html = True
    with pytest.raises(ModelError, match="a web page instead of the file"):
        download([server.url + "/f"], Wanted(target))


def test_redirects_stay_on_the_web(server: Server, target: Path) -> None:
    server.redirect = server.url + "/f"
    assert download([server.url + "/moved"], Wanted(target)).sha256 == SHA256
    for address in ("file:///etc/passwd", "ftp://127.0.0.1/f"):
        server.redirect = address
        with pytest.raises(ModelError, match=r"not allowed|unsafe address"):
            download([server.url + "/moved"], Wanted(target))


def test_a_folder_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("in the way")
    with pytest.raises(ModelError, match=r"cannot be written.*VIDALIGN_CACHE"):
        download([server.url + "/f"], Wanted(tmp_path / "plain" / "file.pth"))
