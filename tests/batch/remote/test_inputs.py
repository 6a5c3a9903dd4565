from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from vidalign.batch.remote.inputs import RemoteInputs, split_urls
from vidalign.batch.report import ItemResult
from vidalign.errors import UsageError, VideoError
from vidalign.store.remote import RemotePlace
from vidalign.store.scratch import Scratch


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Scratch]:
    with Scratch(tmp_path) as made:
        yield made


def test_urls_are_split_from_paths() -> None:
    assert split_urls(["a.mp4", "s3://b/c.mp4", "-"]) == (["a.mp4", "-"], ["s3://b/c.mp4"])


def test_a_folder_is_walked(bucket: RemotePlace, scratch: Scratch) -> None:
    for name in ("in/b/y.mkv", "in/x.mp4", "in/x.txt"):
        bucket.below(name).write(b"pictures")
    inputs = RemoteInputs(scratch)
    found = list(inputs.named(["memory://bucket/in"], [], None))
    assert [name for _, name in found] == ["b/y.mkv", "x.mp4"]
    path, _ = found[1]
    assert path.is_relative_to(scratch.folder) and not path.exists()
    with inputs.opened(path) as local:
        assert local.read_bytes() == b"pictures"
    assert not path.exists()


def test_names_of_files_and_lists(scratch: Scratch) -> None:
    inputs = RemoteInputs(scratch)
    web = "https://host.example/films/a%20b.mp4?token=1#t=3"
    names = [name for _, name in inputs.named([web], [web, "https://host.example/c.mp4"], None)]
    assert names == ["a b.mp4", "films/a b.mp4", "c.mp4"]
    ((_, rooted),) = inputs.named([web], [], "https://host.example")
    assert rooted == "films/a b.mp4"


def test_two_urls_of_one_name_are_refused(scratch: Scratch) -> None:
    urls = ["https://a.example/x.mp4", "https://b.example/x.mp4"]
    with pytest.raises(UsageError, match="would both be written as x"):
        list(RemoteInputs(scratch).named(urls, [], None))
    assert len(list(RemoteInputs(scratch).named([urls[0]] * 2, [], None))) == 2


@pytest.mark.parametrize(
    ("url", "root", "said"),
    [
        ("https://host.example/films/..%2f..%2fup.mp4", None, "leads out"),
        ("https://host.example/a.mp4", "https://other.example", "lies outside"),
        ("https://host.example/films/", None, "cannot be listed"),
    ],
)
def test_what_is_refused(scratch: Scratch, url: str, root: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        list(RemoteInputs(scratch).named([url], [], root))


def test_a_folder_without_videos(bucket: RemotePlace, scratch: Scratch) -> None:
    bucket.below("texts/a.txt").write(b"x")
    with pytest.raises(UsageError, match="no video"):
        list(RemoteInputs(scratch).named(["memory://bucket/texts"], [], None))


def test_a_path_of_this_machine_stays(scratch: Scratch, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    with RemoteInputs(scratch).opened(tmp_path / "a.mp4") as local:
        assert local == tmp_path / "a.mp4"
    assert local.exists()


def test_results_tell_the_url(scratch: Scratch) -> None:
    inputs = RemoteInputs(scratch)
    ((path, name),) = inputs.named(["https://host.example/a.mp4"], [], None)
    told = inputs.retold(ItemResult(name, "failed", str(path), error=VideoError(f"{path}: is broken")))
    assert told.source == "https://host.example/a.mp4"
    assert str(told.error) == "https://host.example/a.mp4: is broken"
    ours = ItemResult("b.mp4", "done", "b.mp4")
    assert inputs.retold(ours) == ours


def test_results_and_records_keep_secrets(scratch: Scratch, tmp_path: Path) -> None:
    inputs = RemoteInputs(scratch)
    ((path, name),) = inputs.named(["https://me:pw@host.example/a.mp4?sig=x"], [], None)
    told = inputs.retold(ItemResult(name, "failed", str(path), error=VideoError(f"{path}: is broken")))
    assert told.source == "https://host.example/a.mp4?..."
    assert str(told.error) == "https://host.example/a.mp4?...: is broken"


def test_folders_of_this_machine_are_listed_once(
    scratch: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.mp4", "a.vtt", "b.mp4", "b.en.vtt", "c.d.mp4", "c.d.vtt", "d.mp4"):
        (tmp_path / name).touch()
    listed: list[Path] = []
    iterdir = Path.iterdir

    def listing(path: Path) -> Iterator[Path]:
        listed.append(path)
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", listing)
    inputs = RemoteInputs(scratch)
    found = [inputs.beside(tmp_path / f"{name}.mp4") for name in ("a", "b", "c", "c.d", "d")]
    assert [each and each.name for each in found] == ["a.vtt", "b.en.vtt", None, "c.d.vtt", None]
    assert listed == [tmp_path]
