from __future__ import annotations

import errno
import http.server
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import remote
from tests.remote import s3_server, serving
from vidalign.errors import MissingExtraError, StoreError, UsageError, brief, without_secrets
from vidalign.store.remote import RemotePlace, is_url, parts_of, telling, told_by_url


@pytest.fixture(scope="module")
def bucket() -> Iterator[RemotePlace]:
    with s3_server("films") as url:
        yield RemotePlace(url)


@pytest.fixture
def website(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "a.mp4").write_bytes(b"pictures")
    with remote.website(tmp_path) as url:
        yield url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket/a.mp4", True),
        ("https://host/a.mp4?x=1", True),
        ("/data/a.mp4", False),
        ("C:/data/a.mp4", False),
        ("-", False),
        ("a:b", False),
    ],
)
def test_urls_are_told_from_paths(text: str, expected: bool) -> None:
    assert is_url(text) is expected


@pytest.mark.parametrize("said", ["/x/a.mp4 is broken", "/x/a.mp4: s3://b/a.mp4 is broken"])
def test_the_url_is_said_once(said: str) -> None:
    assert told_by_url(said, Path("/x/a.mp4"), "s3://b/a.mp4") == "s3://b/a.mp4 is broken"


def test_bucket_files_come_and_go(bucket: RemotePlace, tmp_path: Path) -> None:
    place = bucket.below("come/a.h5")
    assert place.read() is None
    (tmp_path / "local").write_bytes(b"x" * 70_000)
    place.upload(str(tmp_path / "local"))
    assert place.size() == 70_000
    assert b"".join(place.chunks()) == b"x" * 70_000
    place.write(b"other")
    assert place.read() == b"other"
    place.remove()
    place.remove()
    assert place.read() is None


def test_create_writes_once(bucket: RemotePlace) -> None:
    place = bucket.below("once/run.json")
    assert place.create(b"first")
    assert not place.create(b"second")
    assert place.read() == b"first"


def test_videos_of_a_folder(bucket: RemotePlace) -> None:
    for name in ("deep/b.mkv", "a.mp4", "a.txt", ".hidden.mp4", "deep/.x/c.mp4"):
        bucket.below(f"walk/{name}").write(b"12345")
    folder = bucket.below("walk")
    assert folder.is_folder()
    assert [(file.name, file.size) for file in folder.videos()] == [("a.mp4", 5), ("deep/b.mkv", 5)]
    assert folder.videos()[0].url == "s3://films/walk/a.mp4"
    assert bucket.below("nothing").files() == []


@pytest.mark.parametrize("name", ["../up.mp4", "a/../../b.mp4", "/abs.mp4", "", "a\\b.mp4"])
def test_names_stay_inside(bucket: RemotePlace, name: str) -> None:
    with pytest.raises(UsageError, match="leads out"):
        bucket.below(name)


def test_a_key_that_leads_out_is_refused(bucket: RemotePlace) -> None:
    import boto3

    boto3.client("s3").put_object(Bucket="films", Key="evil/../../x.mp4", Body=b"x")
    with pytest.raises(UsageError, match="leads out"):
        bucket.below("evil").files()
    boto3.client("s3").delete_object(Bucket="films", Key="evil/../../x.mp4")


def test_a_missing_package_is_told_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    def lacking(url: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", lacking)
    with pytest.raises(MissingExtraError, match="Install s3fs") as caught:
        RemotePlace("s3://elsewhere/a")
    assert "vidalign[remote]" in caught.value.hint


def test_web_files(website: str) -> None:
    place = RemotePlace(f"{website}/a.mp4")
    assert b"".join(place.chunks()) == b"pictures"
    assert place.size() == 8
    assert not place.is_folder()
    with pytest.raises(StoreError, match="does not exist") as caught:
        RemotePlace(f"{website}/b.mp4").size()
    assert caught.value.errno == errno.ENOENT


def test_a_server_that_is_not_there_may_be_later() -> None:
    with pytest.raises(StoreError) as caught:
        RemotePlace("http://127.0.0.1:9/a.mp4").size()
    assert "\n" not in str(caught.value) and "does not exist" not in str(caught.value)
    assert caught.value.errno == errno.ECONNREFUSED


@pytest.mark.parametrize(
    ("status", "said", "number"),
    [(404, "does not exist", errno.ENOENT), (403, "must not be read", errno.EACCES), (503, "503", errno.EIO)],
)
def test_what_a_web_server_answers(status: int, said: str, number: int) -> None:
    class Refusing(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(status)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with serving(Refusing) as url, pytest.raises(StoreError, match=said) as caught:
        RemotePlace(f"{url}/a.mp4").size()
    assert caught.value.errno == number
    assert len(caught.value.message) < 120


def test_an_address_that_cannot_be_is_one_line() -> None:
    with pytest.raises(StoreError, match="Port out of range") as caught:
        RemotePlace("https://127.0.0.1:99999/a.mp4").exists()
    assert caught.value.errno is None
    with pytest.raises(UsageError, match="Invalid IPv6"):
        parts_of("https://[abc/a.mp4")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("https://me:pw@host/a.mp4: is broken", "https://host/a.mp4: is broken"),
        ("https://host/a b.mp4?sig=x&e=1: is broken", "https://host/a b.mp4?...: is broken"),
        ("url='https://host/a?sig=x')", "url='https://host/a?...')"),
        ("ftp://me:pw@host/a and http://host/b?s, c", "ftp://host/a and http://host/b?..., c"),
        ("s3://b/what?.mp4: is broken", "s3://b/what?.mp4: is broken"),
        ("https://host/a.mp4: really?", "https://host/a.mp4: really?"),
    ],
)
def test_secrets_of_urls_are_not_told(text: str, told: str) -> None:
    assert without_secrets(text) == told


@pytest.mark.parametrize(
    ("url", "said", "told"),
    [
        ("https://h/x", "https://h/x", "https://h/x: OSError"),
        ("s3://b", "s3://b/x is not in s3://bucket", "s3://b: s3://b/x is not in s3://bucket"),
        ("s3://b", "no s3://b: gone", "s3://b: no it: gone"),
    ],
)
def test_the_address_is_told_once_and_others_as_they_are(url: str, said: str, told: str) -> None:
    with pytest.raises(StoreError) as caught, telling(url):
        raise OSError(said)
    assert caught.value.message == told


def test_what_others_say_at_length_is_told_in_brief(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://host/a.mp4?sig=secret"
    said = f"{url} cannot be had:\n " + "because of this and that, " * 30 + "0123456789abcdef" * 4
    with pytest.raises(StoreError) as caught, telling(url):
        raise OSError(said)
    told = without_secrets(caught.value.message)
    assert told.startswith("https://host/a.mp4?...: it cannot be had: because of this") and len(told) < 200
    assert caught.value.hint
    assert brief("sha256 " + "0123456789abcdef" * 4) == "sha256 0123456789ab..."
    monkeypatch.setenv("VIDALIGN_DEBUG", "1")
    whole = brief(said)
    assert "secret" not in whole and whole.endswith("this and that, " + "0123456789abcdef" * 4)


def test_folders_are_listed_where_the_store_takes_no_options(
    bucket: RemotePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.below("in/a.vtt").write(b"x")
    system = bucket._system
    ls = system.ls
    monkeypatch.setattr(system, "ls", lambda path, detail=False: ls(path, detail=detail))
    assert bucket.below("in").names() == ["a.vtt"]


def test_what_is_not_allowed_may_be_later() -> None:
    with pytest.raises(StoreError, match="must not be read") as caught, telling("s3://b/a.mp4"):
        raise PermissionError
    assert caught.value.errno == errno.EACCES


def test_missing_bucket_is_one_line(bucket: RemotePlace) -> None:
    with pytest.raises(StoreError):
        RemotePlace("s3://no-such-bucket/a").write(b"x")


def test_unknown_protocol() -> None:
    with pytest.raises(UsageError, match="nonsense"):
        RemotePlace("nonsense://a/b")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtraError) as caught:
        RemotePlace("s3://a/b")
    assert "vidalign[remote]" in caught.value.hint
