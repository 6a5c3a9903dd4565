"""`vidalign status`: done, failed, missing, stale, and the shards to run again."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.alignments import made_alignment
from tests.tiny import Run, made_features
from vidalign.batch.failures import record_failure, state_of
from vidalign.batch.runfile import Wanted, open_run
from vidalign.batch.shards import Dealing
from vidalign.errors import VideoError
from vidalign.store.alignments import write_alignment
from vidalign.store.features import write_features
from vidalign.store.records import failure_path

DEALING = Dealing(3)


@pytest.fixture(autouse=True)
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which one video of each kind has been; the current one holds films and a list of them."""
    monkeypatch.chdir(tmp_path)
    films = tmp_path / "films"
    (films / "sub").mkdir(parents=True)
    names = ("done.mp4", "cut.mp4", "bad.mp4", "slow.mp4", "missing.mp4", "sub/stale.mp4", "other.mp4")
    for name in names:
        (films / name).write_bytes(b"x" * 10)
    (tmp_path / "list").write_text("".join(f"films/{name}\n" for name in names))
    folder = tmp_path / "out"
    open_run(Wanted(folder, "extract", lambda: {"dtype": "float32", "backbone": "mini"}, DEALING)).close()
    made: dict[str, dict[str, Any]] = {
        "done": {},
        "cut": {"truncated": True},
        "sub/stale": {"video_size": 9},
        "other": {"backbone": "s3d-howto100m"},
    }
    for name, how in made.items():
        write_features(
            folder / f"films/{name}.h5", made_features(**{"video_size": 10, "backbone": "mini", **how})
        )
    for name, errno in (("bad", None), ("slow", 5)):
        source = films / f"{name}.mp4"
        error = VideoError(f"{source} is bad", errno=errno)
        path = failure_path(folder / f"films/{name}.h5")
        record_failure(path, f"films/{name}.mp4", str(source), [state_of(source)], error, "auto")
    return folder


def test_what_is_left_and_the_shards_that_have_it(out: Path, cli: Run) -> None:
    code, said, _ = cli("status", "out", "--manifest", "list", "--json")
    told = json.loads(said)
    assert code == 1
    assert (told["task"], told["items"], told["done"], told["partial"]) == ("extract", 7, 2, 1)
    failed = {failure["item"]: failure["permanent"] for failure in told["failed"]}
    assert failed == {"films/bad.mp4": True, "films/slow.mp4": False}
    assert told["missing"] == ["films/missing.mp4"]
    assert {each["item"]: each["why"] for each in told["stale"]} == {
        "films/sub/stale.mp4": "its video has changed: 9 bytes then, 10 now",
        "films/other.mp4": "made otherwise than backbone: mini / s3d-howto100m",
    }
    left = ("films/slow.mp4", "films/missing.mp4")
    assert told["shards"] == {"total": 3, "again": sorted({DEALING.number_of(name) for name in left})}


def test_in_words(out: Path, cli: Run) -> None:
    code, said, err = cli("status", "out", "--manifest", "list")
    assert code == 1
    lines = said.splitlines()
    assert lines[0] == "out: 7 items: 2 done (1 of videos that break off), 2 failed, 1 missing, 2 stale"
    assert lines[1].startswith("the next run tries 1 of those that failed")
    assert any(line.startswith("shards to run again, of 3: ") for line in lines)
    assert [line.endswith("; --overwrite makes it again; or remove the output") for line in lines[2:4]] == [
        True,
        True,
    ]
    assert err.count("error:") == 2
    assert "films/missing.mp4" in cli("status", "out", "--manifest", "list", "-v")[2]


def test_a_list_on_stdin_and_folders(out: Path, cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    given = io.TextIOWrapper(io.BytesIO(b"films/done.mp4\0films/cut.mp4\0"))
    monkeypatch.setattr(sys, "stdin", given)
    code, said, _ = cli("status", "out", "--manifest", "-", "--json")
    assert (code, json.loads(said)["done"], json.loads(said)["items"]) == (0, 2, 2)
    code, said, _ = cli("status", "out", "films", "--root", ".", "--json")
    assert (code, json.loads(said)["items"], len(json.loads(said)["missing"])) == (1, 7, 1)


def test_without_a_list_nothing_is_missing(out: Path, cli: Run) -> None:
    told = json.loads(cli("status", "out", "--json")[1])
    assert (told["items"], told["done"], told["missing"]) == (6, 3, [])
    assert [each["item"] for each in told["stale"]] == ["films/other"]
    assert len(told["failed"]) == 2
    assert told["shards"]["again"] == [DEALING.number_of("films/slow.mp4")]
    assert cli("status", "out")[1].splitlines()[-1] == "name the videos to learn all shards to run again"


def test_without_a_list_what_cannot_be_read_names_no_shard(out: Path, cli: Run) -> None:
    """Its name without the suffix would be dealt into another shard."""
    for name in ("bad", "slow"):
        failure_path(out / f"films/{name}.h5").write_text("{}")
    assert json.loads(cli("status", "out", "--json")[1])["shards"]["again"] == []


def test_a_name_that_no_file_can_have_is_missing(out: Path, cli: Run) -> None:
    name = "n" * 300 + ".mp4"
    code, said, _ = cli("status", "out", name, "--root", ".", "--json")
    assert (code, json.loads(said)["missing"]) == (1, [name])


def test_a_folder_is_not_taken_for_the_video(out: Path, cli: Run) -> None:
    (out / "films" / "done").mkdir()
    assert [each["item"] for each in json.loads(cli("status", "out", "--json")[1])["stale"]] == [
        "films/other"
    ]


def test_several_backbones_and_alignments(tmp_path: Path, cli: Run) -> None:
    both = tmp_path / "both"
    for name in ("mini", "s3d"):
        open_run(Wanted(both / name, "extract", dict)).close()
    open_run(Wanted(both / "mini", "align", dict)).close()
    write_features(both / "s3d" / "films" / "done.h5", made_features())
    write_alignment(both / "mini" / "films" / "done.align.h5", made_alignment())
    code, said, _ = cli("status", "both", "films/done.mp4", "--root", ".", "--json")
    told = [json.loads(line) for line in said.splitlines()]
    found = [(Path(each["folder"]).name, each["task"], each["done"]) for each in told]
    assert found == [("mini", "extract", 0), ("mini", "align", 1), ("s3d", "extract", 1)]
    assert code == 1


def test_a_damaged_output_is_stale(out: Path, cli: Run) -> None:
    (out / "films" / "done.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    told = json.loads(cli("status", "out", "films/done.mp4", "--root", ".", "--json")[1])
    assert "damaged or cut off" in told["stale"][0]["why"]


def test_mistakes(cli: Run) -> None:
    assert cli("status", "gone")[0] == 2
    code, _, err = cli("status", "out", "--manifest", "gone")
    assert code == 2
    assert "cannot read the list gone: No such file or directory" in err


@pytest.mark.parametrize(
    "args",
    [
        ["s3://bucket/out"],
        ["out", "s3://bucket/films"],
        ["out", "--manifest", "urls", "--root", "s3://bucket"],
    ],
)
def test_urls_are_refused(args: list[str], out: Path, cli: Run) -> None:
    Path("urls").write_text("s3://bucket/films/a.mp4\n")
    code, said, err = cli("status", *args)
    assert (code, said) == (2, "")
    assert "status looks at folders and paths of this machine only" in err
