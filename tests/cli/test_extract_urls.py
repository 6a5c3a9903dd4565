"""`vidalign extract` with videos and outputs by URL, against an S3 server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from tests.remote import s3_server
from tests.tiny import Run
from vidalign.store.remote import RemotePlace

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server("films") as url:
        yield url


@pytest.fixture
def bucket(server: str, clip_file: Path) -> Iterator[str]:
    """A bucket with two good videos and one that is none."""
    place = RemotePlace(server)
    for name in ("in/a.mp4", "in/deep/b.mp4"):
        place.below(name).upload(str(clip_file))
    place.below("in/text.mp4").write(b"these are words\n")
    yield server
    for file in place.files():
        place.below(file.name).remove()


def there(bucket: str, name: str) -> bytes | None:
    return RemotePlace(bucket).below(name).read()


def test_a_bucket_is_done_as_a_folder_is(bucket: str, cli: Run, clip_file: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    where = ("-o", f"{bucket}/out", "--scratch", str(scratch), "--deterministic")
    given = ("extract", f"{bucket}/in", *where, "--json")
    code, out, _ = cli(*given)
    assert code == 1
    records = {record["item"]: record for record in map(json.loads, out.splitlines())}
    assert records["a.mp4"]["status"] == "done"
    assert records["a.mp4"]["source"] == f"{bucket}/in/a.mp4"
    assert records["deep/b.mp4"]["output"] == f"{bucket}/out/deep/b.h5"
    assert records["text.mp4"]["message"].startswith(f"{bucket}/in/text.mp4")
    assert list(scratch.iterdir()) == []
    local = tmp_path / "a.mp4"
    local.write_bytes(clip_file.read_bytes())
    assert cli("extract", local, "-o", tmp_path / "out", "--deterministic")[0] == 0
    assert there(bucket, "out/a.h5") == (tmp_path / "out" / "a.h5").read_bytes()
    failure = json.loads(there(bucket, "out/text.error.json") or b"")
    assert failure["item"] == "text.mp4" and failure["permanent"]
    assert failure["source"] == f"{bucket}/in/text.mp4" and failure["inputs"] == [[16, 0]]
    assert str(scratch) not in json.dumps(failure)
    assert json.loads(there(bucket, "out/run.json") or b"")["backbone"]

    code, out, said = cli(*given)
    assert code == 1
    states = {record["item"]: record["status"] for record in map(json.loads, out.splitlines())}
    assert states == {"a.mp4": "skipped", "deep/b.mp4": "skipped", "text.mp4": "failed"}
    assert f"recorded in {bucket}/out/text.error.json" in said and str(scratch) not in said
    RemotePlace(bucket).below("in/text.mp4").upload(str(clip_file))
    assert cli(*given)[0] == 0


def test_another_run_is_refused(bucket: str, cli: Run) -> None:
    given = ("extract", f"{bucket}/in/a.mp4", "-o", f"{bucket}/out")
    assert cli(*given)[0] == 0
    code, _, said = cli(*given, "--dtype", "float32")
    assert code == 2 and "dtype" in said and f"{bucket}/out/run.json" in said
    assert cli(*given, "--dtype", "float32", "--overwrite")[0] == 0
    assert json.loads(there(bucket, "out/run.json") or b"")["dtype"] == "float32"


def test_names_of_a_list_count_from_the_bucket(
    bucket: str, cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, root, output in (
        ("one", (), "in/deep/b.h5"),
        ("two", ("--root", f"{bucket}/in"), "deep/b.h5"),
    ):
        monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(f"{bucket}/in/deep/b.mp4\n".encode())))
        assert cli("extract", "-", "-o", tmp_path / folder, *root)[0] == 0
        assert (tmp_path / folder / output).exists()


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (("{}/nothing.mp4", "-o", "out"), 1, "does not exist"),
        (("{}/in", "-o", "https://host.example/out"), 2, "nothing can be written"),
        (("{}/in", "-o", "out", "--engine", "ray"), 2, "URLs go with --engine local"),
        (("nonsense://a/b.mp4", "-o", "out"), 2, "nonsense"),
        (("{}/in/a.mp4", "-o", "out", "--scratch-gib", "1e-7"), 1, "larger than the scratch area"),
    ],
)
def test_what_cannot_be_is_one_line(
    bucket: str,
    cli: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    found, _, line = cli("extract", *(text.format(bucket) for text in given))
    assert found == code
    assert said in line and "Traceback" not in line
