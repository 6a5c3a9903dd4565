"""Every item belongs to one shard, and an array's task to the shard it had at first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidalign.batch.shards import Asked, Dealing, Shard
from vidalign.errors import OutputMismatchError, StoreError, UsageError
from vidalign.store.items import Item

NAMES = st.lists(st.text(min_size=1), unique=True, max_size=30)


def array(task: int, tasks: Sequence[int], step: int = 1) -> dict[str, str]:
    """What SLURM sets in one task of an array."""
    values = {"ID": task, "MIN": min(tasks), "MAX": max(tasks), "STEP": step, "COUNT": len(tasks)}
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in values.items()}


@given(NAMES, st.integers(1, 12))
def test_shards_are_disjoint_and_all_of_them_are_everything(names: list[str], total: int) -> None:
    items = [Item(Path(name), name, Path("out")) for name in names]
    dealt = [Shard(number, Dealing(total)).pick(items) for number in range(1, total + 1)]
    assert sorted(item.name for share in dealt for item in share) == sorted(names)


@given(NAMES, st.text(min_size=1), st.integers(1, 12))
def test_an_added_file_moves_no_other(names: list[str], added: str, total: int) -> None:
    dealing = Dealing(total)
    before = {name: dealing.number_of(name) for name in names}
    assert {name: dealing.number_of(name) for name in [added, *names] if name in before} == before


def test_the_deal_is_fixed_for_ever_and_even() -> None:
    dealing = Dealing(16)
    assert [dealing.number_of(name) for name in ("a.mp4", "sub/b é.mkv", "c\udcff.mp4")] == [1, 10, 4]
    sizes = [0] * 17
    for number in range(16_000):
        sizes[dealing.number_of(f"{number}.mp4")] += 1
    assert all(850 < size < 1150 for size in sizes[1:])


@pytest.mark.parametrize(
    ("text", "number", "total"),
    [("1/1", 1, 1), ("3/16", 3, 16), ("auto", None, None), ("auto/16", None, 16)],
)
def test_what_can_be_asked(text: str, number: int | None, total: int | None) -> None:
    assert Asked.parse(text) == Asked(number, total)


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "1/0", "auto/0", "auto/", "-1/4", "1/4/4", "auto16"])
def test_what_cannot(text: str) -> None:
    with pytest.raises(ValueError, match=r"shards count|is not I/N"):
        Asked.parse(text)


@pytest.mark.parametrize(
    ("tasks", "step"),
    [(range(1, 5), 1), (range(4), 1), (range(5, 9), 1), (range(1, 32, 10), 10), (range(7, 8), 1)],
    ids=["from 1", "from 0", "from 5", "steps", "one task"],
)
def test_the_first_run_counts_the_tasks(tasks: range, step: int) -> None:
    chosen = [Asked.parse("auto").choose([None], array(task, tasks, step)) for task in tasks]
    assert [shard.number for shard in chosen] == list(range(1, len(tasks) + 1))
    assert {shard.dealing for shard in chosen} == {Dealing(len(tasks), tasks[0], step)}


@pytest.mark.parametrize("asked", ["auto", "auto/4"])
@pytest.mark.parametrize("first", [0, 1, 5])
def test_some_tasks_run_again_keep_their_shards(first: int, asked: str) -> None:
    recorded = Dealing(4, first)
    again = (first + 1, first + 3)
    for task, number in zip(again, (2, 4), strict=True):
        shard = Asked.parse(asked).choose([recorded], array(task, again))
        assert (shard.number, shard.dealing) == (number, recorded)
    assert recorded.tasks(name for name in map(str, range(40)) if recorded.number_of(name) in (2, 4)) == [
        *again
    ]


def test_two_tasks_with_a_gap_are_no_array_of_two() -> None:
    """SLURM_ARRAY_TASK_COUNT is 2 for --array=3,7: taken for the total, it would deal all items anew."""
    with pytest.raises(UsageError, match="leaves numbers out") as caught:
        Asked.parse("auto").choose([None], array(3, (3, 7)))
    assert "auto/N" in caught.value.hint
    assert Asked.parse("auto/16").choose([None], array(3, (3, 7))) == Shard(3, Dealing(16))


@pytest.mark.parametrize(
    ("asked", "recorded", "tasks"),
    [
        ("3/8", Dealing(16), ()),
        ("auto/8", Dealing(16), range(1, 9)),
        ("auto", Dealing(16), range(1, 33)),
        ("auto", Dealing(16), range(16)),
        ("auto", Dealing(4, 5, 10), (5, 6)),
        ("auto/16", None, (0, 7)),
        ("auto/16", None, (7, 17)),
    ],
    ids=["fewer", "fewer tasks", "more tasks", "other start", "between", "from 0, partly", "past the last"],
)
def test_every_task_of_an_array_that_does_not_fit_is_refused(
    asked: str, recorded: Dealing | None, tasks: Sequence[int]
) -> None:
    for variables in [array(task, tasks) for task in tasks] or [{}]:
        with pytest.raises(OutputMismatchError, match=r"dealt into|does not fit") as caught:
            Asked.parse(asked).choose([recorded], variables)
        assert caught.value.exit_code == 2


def test_folders_that_were_dealt_differently_do_not_go_together() -> None:
    asked = Asked.parse("auto")
    assert asked.choose([Dealing(4), None], array(2, range(1, 5))) == Shard(2, Dealing(4))
    with pytest.raises(OutputMismatchError, match="4 and 8 shards"):
        asked.choose([Dealing(4), Dealing(8)], array(2, range(1, 5)))


def test_the_record_reads_what_it_wrote() -> None:
    dealing = Dealing(16, 0, 2)
    assert Dealing.from_json(json.loads(json.dumps(dealing.as_json()))) == dealing


@pytest.mark.parametrize("value", [None, 16, {}, {"total": 0, "first": 1, "step": 1}, {"total": "4"}])
def test_a_damaged_record_is_refused(value: object) -> None:
    with pytest.raises(StoreError, match="damaged"):
        Dealing.from_json(value)
