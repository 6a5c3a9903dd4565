"""`vidalign align` with files and outputs by URL, against an S3 server and a web server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.remote import s3_server, website
from tests.slow_servers import slow_server
from tests.tiny import Run, made_features, write_vtt
from vidalign.store.features import write_features
from vidalign.store.remote import RemotePlace

pytestmark = pytest.mark.usefixtures("tiny")

TEXTS = ("stir the egg", "put water", "whisk the red bowl")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server("films") as url:
        yield url


@pytest.fixture
def bucket(server: str, clip_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket with two videos that have subtitles beside them and one that has none."""
    monkeypatch.chdir(tmp_path)
    place = RemotePlace(server)
    write_vtt(tmp_path / "words.vtt", *TEXTS)
    for name in ("in/a.mp4", "in/deep/b.mp4", "in/alone.mp4"):
        place.below(name).upload(str(clip_file))
    for name in ("in/a.vtt", "in/deep/b.en.vtt"):
        place.below(name).upload("words.vtt")
    yield server
    for file in place.files():
        place.below(file.name).remove()


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def there(bucket: str, name: str) -> bytes | None:
    return RemotePlace(bucket).below(name).read()


def names(bucket: str, folder: str) -> list[str]:
    return [file.name for file in RemotePlace(bucket).below(folder).files()]


def ends(out: str) -> dict[str, str]:
    return {record["item"]: record["status"] for record in map(json.loads, out.splitlines())}


def test_a_bucket_is_done_as_a_folder_is(bucket: str, cli: Run, clip_file: Path, scratch: Path) -> None:
    given = (
        "align",
        f"{bucket}/in",
        "-o",
        f"{bucket}/out",
        "--scratch",
        scratch,
        "--deterministic",
        "--json",
    )
    code, out, said = cli(*given)
    records = {record["item"]: record for record in map(json.loads, out.splitlines())}
    assert code == 1
    assert ends(out) == {"a.mp4": "done", "deep/b.mp4": "done", "alone.mp4": "failed"}
    assert records["a.mp4"]["source"] == f"{bucket}/in/a.mp4"
    assert records["deep/b.mp4"]["output"] == f"{bucket}/out/deep/b.align.h5"
    assert records["alone.mp4"]["message"] == f"{bucket}/in/alone.mp4: no subtitles: none beside it"
    assert str(scratch) not in out + said
    assert list(scratch.iterdir()) == []
    assert names(bucket, "out") == ["a.align.h5", "alone.align.error.json", "deep/b.align.h5", "run.json"]
    Path("near").mkdir()
    Path("near/a.mp4").write_bytes(clip_file.read_bytes())
    Path("near/a.vtt").write_bytes(Path("words.vtt").read_bytes())
    assert cli("align", "near", "-o", "here", "--deterministic")[0] == 0
    assert there(bucket, "out/a.align.h5") == Path("here/a.align.h5").read_bytes()
    failure = json.loads(there(bucket, "out/alone.align.error.json") or b"")
    assert failure["source"] == f"{bucket}/in/alone.mp4" and str(scratch) not in json.dumps(failure)

    code, out, said = cli(*given)
    assert (code, ends(out)) == (1, {"a.mp4": "skipped", "deep/b.mp4": "skipped", "alone.mp4": "failed"})
    assert f"recorded in {bucket}/out/alone.align.error.json" in said
    RemotePlace(bucket).below("in/alone.vtt").upload("words.vtt")
    code, out, _ = cli(*given)
    assert (code, ends(out)["alone.mp4"]) == (0, "done")
    assert "alone.align.error.json" not in names(bucket, "out")
    code, _, said = cli(*given, "--threshold", "0.9")
    assert code == 2 and "threshold" in said and f"{bucket}/out/run.json" in said and str(scratch) not in said
    assert cli(*given, "--threshold", "0.9", "--overwrite")[0] == 0
    assert json.loads(there(bucket, "out/run.json") or b"")["threshold"] == 0.9


def test_one_video_finds_its_subtitles(bucket: str, cli: Run) -> None:
    code, out, said = cli("align", f"{bucket}/in/a.mp4")
    assert (code, out) == (0, "a.align.h5\n")
    assert f"taking {bucket}/in/a.vtt" in said
    code, _, said = cli("align", f"{bucket}/in/alone.mp4")
    assert code == 2 and f"none beside {bucket}/in/alone.mp4" in said
    for output, made in (("one/x.json", "one/x.json"), ("two/", "two/b.align.h5"), ("x.vtt", "x.vtt")):
        code, out, _ = cli("align", f"{bucket}/in/deep/b.mp4", "words.vtt", "-o", f"{bucket}/{output}")
        assert (code, out) == (0, f"{bucket}/{made}\n")
        assert there(bucket, made)
    code, _, said = cli("align", f"{bucket}/in/deep/b.mp4", "words.vtt", "-o", f"{bucket}/one/x.json")
    assert code == 0 and "1 already done" in said
    write_vtt(Path("words.vtt"), "put the egg")
    code, _, said = cli("align", f"{bucket}/in/deep/b.mp4", "words.vtt", "-o", f"{bucket}/one/x.json")
    assert code == 1 and f"since {bucket}/one/x.json was made" in said


def test_an_output_folder_with_a_dot_is_one(bucket: str, cli: Run) -> None:
    RemotePlace(bucket).below("v1.0/x").write(b"x")
    code, out, said = cli("align", f"{bucket}/in/a.mp4", "-o", f"{bucket}/v1.0")
    assert (code, out) == (0, f"{bucket}/v1.0/a.align.h5\n"), said


def test_a_record_keeps_what_signs_the_url(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "web").mkdir()
    monkeypatch.chdir(tmp_path)
    Path("web/a.mp4").write_bytes(b"no video")
    write_vtt(Path("web/a.vtt"), *TEXTS)
    with website(tmp_path / "web") as url:
        signed = url.replace("http://", "http://me:pw@")
        Path("pairs.csv").write_text(f"video,subtitles\n{signed}/a.mp4?sig=x,{signed}/a.vtt?sig=x\n")
        code, out, said = cli("align", "--pairs", "pairs.csv", "-o", "out", "--json")
    record = Path("out/a.align.error.json").read_text()
    assert code == 1 and f"{url}/a.mp4?..." in said
    for text in (out, said, record):
        assert "pw" not in text and "sig" not in text


def test_a_table_by_url_with_features_by_url(bucket: str, cli: Run, scratch: Path) -> None:
    write_features(Path("f.h5"), made_features(4, video="c.mp4"))
    place = RemotePlace(bucket)
    place.below("lists/f.h5").upload("f.h5")
    rows = ("video,subtitles,features", "../in/c.mp4,../in/a.vtt,f.h5", f"{bucket}/in/a.mp4,../in/a.vtt,")
    place.below("lists/pairs.csv").write("\n".join(rows).encode())
    given = ("align", "--pairs", f"{bucket}/lists/pairs.csv", "--root", f"{bucket}/in", "--scratch", scratch)
    code, out, said = cli(*given, "-o", "out", "--json")
    assert (code, ends(out)) == (0, {"c.mp4": "done", "a.mp4": "done"})
    assert str(scratch) not in out + said and list(scratch.iterdir()) == []
    code, out, _ = cli(*given, "-o", "out", "--json")
    assert (code, ends(out)) == (0, {"c.mp4": "skipped", "a.mp4": "skipped"})
    place.below("lists/f.h5").write(b"no features")
    code, out, said = cli(*given, "-o", f"{bucket}/out", "--json")
    assert (code, ends(out)) == (1, {"c.mp4": "failed", "a.mp4": "done"})
    assert f"{bucket}/lists/f.h5" in said and str(scratch) not in said
    failure = json.loads(there(bucket, "out/c.align.error.json") or b"")
    assert failure["inputs"][2] == [len(b"no features"), 0]
    place.below("lists/f.h5").upload("f.h5")
    assert cli(*given, "-o", f"{bucket}/out")[0] == 0


def test_features_are_kept_by_url_and_used_again(bucket: str, cli: Run) -> None:
    kept = ("--save-features", f"{bucket}/kept")
    assert cli("align", f"{bucket}/in/a.mp4", "-o", "one.h5", *kept)[0] == 0
    assert names(bucket, "kept") == ["a.h5", "run.json"]
    features = there(bucket, "kept/a.h5")
    RemotePlace(bucket).below("in/a.mp4").write(b"no video any more")
    assert cli("align", f"{bucket}/in/a.mp4", "-o", "two.h5", *kept)[0] == 0
    assert Path("one.h5").read_bytes() == Path("two.h5").read_bytes()
    assert there(bucket, "kept/a.h5") == features
    code, _, said = cli("align", f"{bucket}/in/a.mp4", "-o", f"{bucket}/x.h5", *kept, "--overwrite")
    assert code == 1 and f"{bucket}/in/a.mp4" in said
    assert there(bucket, "x.h5") is None and there(bucket, "kept/a.h5") == features


def test_features_that_are_not_there_or_not_read(bucket: str, cli: Run) -> None:
    code, _, said = cli("align", "clip.mp4", "words.vtt", "--features", f"{bucket}/no.h5", "-o", "x.h5")
    assert code == 1 and f"{bucket}/no.h5 does not exist" in said
    code, _, said = cli("align", f"{bucket}/in/a.mp4", "--text-features", f"{bucket}/no.h5", "-o", "x.h5")
    assert code == 2 and "leave --text-features out" in said


def test_a_web_server(cli: Run, clip_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "web").mkdir()
    monkeypatch.chdir(tmp_path)
    write_vtt(Path("web/a b.srt.vtt"), *TEXTS)
    Path("web/a b.srt.vtt").rename("web/a b.vtt")
    Path("web/a b.mp4").write_bytes(clip_file.read_bytes())
    with website(tmp_path / "web") as url:
        code, out, said = cli("align", f"{url}/a%20b.mp4")
        assert (code, out) == (0, "a b.align.h5\n"), said
        assert f"taking {url}/a%20b.vtt" in said
        code, _, said = cli("align", f"{url}/", "-o", "out")
        assert code == 2 and "cannot be listed" in said


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (("{}/in/no.mp4", "words.vtt"), 1, "{}/in/no.mp4 does not exist"),
        (("{}/in/a.mp4", "{}/no.vtt"), 1, "{}/no.vtt does not exist"),
        (("{}/in/a.mp4", "-o", "https://host.example/x.h5"), 2, "nothing can be written"),
        (("{}/in/a.mp4", "-o", "{}/x.txt"), 2, "suffix says its format"),
        (("{}/in/a.mp4", "-o", "{}/in/a.vtt", "--overwrite"), 2, "{}/in/a.vtt would be written over itself"),
        (("https://[abc/a.mp4",), 2, "Invalid IPv6"),
        (("http://127.0.0.1:99999/a.mp4",), 1, "Port out of range"),
        (("{}/in", "words.vtt", "-o", "out"), 2, "words.vtt is not"),
        (("nonsense://a/b.mp4", "words.vtt"), 2, "nonsense"),
        (("{}/in/a.mp4", "--scratch-gib", "1e-7"), 1, "larger than the scratch area"),
        (("--pairs", "{}/no.csv", "-o", "out"), 1, "{}/no.csv does not exist"),
    ],
)
def test_what_cannot_be_is_one_line(
    bucket: str, cli: Run, scratch: Path, given: tuple[str, ...], code: int, said: str
) -> None:
    found, _, line = cli("align", *(text.format(bucket) for text in given), "--scratch", scratch)
    assert found == code, line
    assert said.format(bucket) in line
    assert "Traceback" not in line and str(scratch) not in line


@pytest.mark.parametrize("command", ["extract", "align"])
def test_a_server_that_hangs_does_not_hold_the_batch(
    cli: Run, clip_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_vtt(Path("words.vtt"), *TEXTS)
    with slow_server(clip_file.read_bytes()) as url:
        videos = [f"{url}/{name}.mp4" for name in ("mute", "trickle", "good")]
        rows = [
            "video,subtitles",
            *(f"{video},words.vtt" for video in videos),
            f"{url}/good2.mp4,{url}/mute.vtt",
        ]
        Path("pairs.csv").write_text("\n".join(rows))
        given = videos if command == "extract" else ["--pairs", "pairs.csv"]
        code, out, said = cli(command, *given, "-o", "out", "--timeout", "3", "--json")
    assert code == 1
    assert {item: status for item, status in ends(out).items() if item != "good2.mp4"} == {
        "mute.mp4": "failed",
        "trickle.mp4": "failed",
        "good.mp4": "done",
    }
    for video in videos[:2]:
        assert f"{video}: fetching it took more than 3 s" in said
    assert command == "extract" or f"{url}/mute.vtt: fetching it took more than 3 s" in said
    record = "out/mute.error.json" if command == "extract" else "out/mute.align.error.json"
    failure = json.loads(Path(record).read_text())
    assert failure["error"] == "ReadTimeoutError" and not failure["permanent"]
