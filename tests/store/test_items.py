"""Which videos there are, what they are called, and where each one's output goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidalign.errors import UsageError
from vidalign.store.items import Item, find_items, name_below, place, read_paths, walk

OUT = Path("out")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """videos/{b.mp4, a.MKV, sub/a.mp4, notes.txt, .hidden.mp4, .trash/c.mp4}, current folder above it."""
    for name in ("b.mp4", "a.MKV", "sub/a.mp4", "notes.txt", ".hidden.mp4", ".trash/c.mp4"):
        path = tmp_path / "videos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(items: list[Item]) -> list[tuple[str, str]]:
    return [(item.name, item.output.as_posix()) for item in items]


def test_a_folder_is_walked_in_order_without_hidden_or_unknown_files(tree: Path) -> None:
    assert shown(find_items(["videos"], OUT)) == [
        ("a.MKV", "out/a.h5"),
        ("b.mp4", "out/b.h5"),
        ("sub/a.mp4", "out/sub/a.h5"),
    ]


def test_a_video_is_named_by_itself_whatever_its_suffix(tree: Path) -> None:
    assert shown(find_items(["videos/sub/a.mp4", "videos/notes.txt"], OUT, suffix=".align.h5")) == [
        ("a.mp4", "out/a.align.h5"),
        ("notes.txt", "out/notes.align.h5"),
    ]


def test_paths_on_stdin_count_from_the_current_folder(tree: Path) -> None:
    listed = ["videos/sub/a.mp4", str(tree / "videos" / "b.mp4")]
    assert shown(find_items(["-"], OUT, stdin=listed)) == [
        ("videos/sub/a.mp4", "out/videos/sub/a.h5"),
        ("videos/b.mp4", "out/videos/b.h5"),
    ]


def test_a_root_counts_for_all(tree: Path) -> None:
    items = find_items(["videos/sub", "-"], OUT, root=tree / "videos", stdin=["videos/b.mp4"])
    assert [item.name for item in items] == ["sub/a.mp4", "b.mp4"]


def test_never_outside_the_root(tree: Path) -> None:
    with pytest.raises(UsageError, match="lies outside") as caught:
        find_items(["-"], OUT, root=tree / "videos" / "sub", stdin=["videos/b.mp4"])
    assert "--root" in caught.value.hint
    with pytest.raises(UsageError, match="lies outside"):
        name_below(Path("videos/../../x.mp4"), tree)
    with pytest.raises(UsageError, match="lies outside"):
        name_below(tree, tree)


def test_a_folder_outside_the_root_is_not_even_listed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidalign.store.items.walk", pytest.fail)
    for above in ("..", "videos/.."):
        with pytest.raises(UsageError, match="lies outside videos"):
            find_items([above], OUT, root=Path("videos"))
    with pytest.raises(UsageError, match="lies outside"):
        find_items(["-"], OUT, stdin=[".."])


def test_a_link_to_a_folder_elsewhere_counts_as_written(tree: Path) -> None:
    (tree / "films").mkdir()
    (tree / "films" / "link").symlink_to(tree / "videos" / "sub")
    assert shown(find_items(["films/link"], OUT, root=Path("films"))) == [("link/a.mp4", "out/link/a.h5")]
    assert shown(find_items(["films/link"], OUT, root=Path("videos"))) == [("sub/a.mp4", "out/sub/a.h5")]


def test_a_current_folder_reached_through_a_link(tree: Path) -> None:
    (tree / "link").symlink_to(tree / "videos")
    assert name_below(tree / "link" / "sub" / "a.mp4", tree / "videos") == "sub/a.mp4"


def test_colliding_outputs_all_keep_their_suffix(tree: Path) -> None:
    (tree / "videos" / "a.mp4").touch()
    assert shown(find_items(["videos"], OUT)) == [
        ("a.MKV", "out/a.MKV.h5"),
        ("a.mp4", "out/a.mp4.h5"),
        ("b.mp4", "out/b.h5"),
        ("sub/a.mp4", "out/sub/a.h5"),
    ]


def test_a_kept_suffix_may_collide_in_turn(tmp_path: Path) -> None:
    named = [(tmp_path / name, name) for name in ("a.mp4", "a.mkv", "a.mp4.avi")]
    assert [item.output.name for item in place(named, OUT, ".h5")] == ["a.mp4.h5", "a.mkv.h5", "a.mp4.avi.h5"]


def test_the_same_path_twice_is_one_item(tree: Path) -> None:
    items = find_items(["videos", "videos/b.mp4", tree / "videos", "-"], OUT, stdin=["videos/./b.mp4"])
    assert [item.name for item in items] == ["a.MKV", "b.mp4", "sub/a.mp4"]


def test_one_name_for_two_videos_is_refused(tree: Path) -> None:
    (tree / "other").mkdir()
    (tree / "other" / "b.mp4").touch()
    with pytest.raises(UsageError, match=r"videos/b\.mp4 and other/b\.mp4 would both be") as caught:
        find_items(["videos/b.mp4", "other/b.mp4"], OUT)
    assert "--root" in caught.value.hint
    assert len(find_items(["videos/b.mp4", "other/b.mp4"], OUT, root=tree)) == 2


def test_a_missing_video_is_left_to_the_reader(tree: Path) -> None:
    assert shown(find_items(["gone.mp4"], OUT)) == [("gone.mp4", "out/gone.h5")]


def test_a_folder_without_videos_is_refused_and_names_what_was_sought(tree: Path) -> None:
    (tree / "empty").mkdir()
    with pytest.raises(UsageError, match="no video in the folder empty") as caught:
        find_items(["empty"], OUT)
    assert ".mkv" in caught.value.hint


def test_an_empty_list_is_no_items(tree: Path) -> None:
    assert find_items(["-"], OUT, stdin=[]) == []
    with pytest.raises(UsageError, match="empty path"):
        find_items([""], OUT)


def test_loops_of_links_end(tree: Path) -> None:
    (tree / "videos" / "sub" / "up").symlink_to(tree / "videos")
    (tree / "videos" / "self").symlink_to(tree / "videos" / "self")
    assert [path.name for path in walk(Path("videos"))] == ["a.MKV", "b.mp4", "a.mp4"]


def test_linked_folders_and_dangling_links_are_items(tree: Path) -> None:
    (tree / "elsewhere").mkdir()
    (tree / "elsewhere" / "x.webm").touch()
    (tree / "videos" / "linked").symlink_to(tree / "elsewhere")
    (tree / "videos" / "dangling.mp4").symlink_to(tree / "gone.mp4")
    assert {"linked/x.webm", "dangling.mp4"} <= {item.name for item in find_items(["videos"], OUT)}


def test_a_folder_that_cannot_be_listed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UsageError, match="cannot list the folder videos: Permission denied"):
        find_items(["videos"], OUT)


@pytest.mark.parametrize(
    ("data", "paths"),
    [
        (b"", []),
        (b"a.mp4", ["a.mp4"]),
        (b"a b.mp4\n\n  \nc.mp4\r\n", ["a b.mp4", "c.mp4"]),
        (b"a\nb.mp4\0c.mp4\0", ["a\nb.mp4", "c.mp4"]),
        (" pied-à-terre .mp4\n".encode(), [" pied-à-terre .mp4"]),
        (b"caf\xe9.mp4\n", [os.fsdecode(b"caf\xe9.mp4")]),
    ],
)
def test_lists_of_paths(data: bytes, paths: list[str]) -> None:
    assert read_paths(data) == paths


names = st.lists(st.sampled_from("ab"), min_size=1, max_size=2).map("".join)
suffixes = st.sampled_from(["", ".mp4", ".mkv", ".mp4.mkv", ".h5", ".mp4.h5"])


@given(st.sets(st.tuples(names, suffixes).map("".join)))
def test_no_two_items_ever_share_an_output(found: set[str]) -> None:
    items = place([(Path("in") / name, name) for name in sorted(found)], OUT, ".h5")
    assert len({item.output for item in items}) == len(found)
    assert all(item.output.is_relative_to(OUT) for item in items)
