"""SLURM's variables, those that are missing and those that make no sense."""

from __future__ import annotations

import pytest

from tests.batch.test_shards import array
from vidalign.batch.slurm import SlurmArray, unused_array
from vidalign.errors import UsageError


def test_outside_an_array_there_is_no_number() -> None:
    with pytest.raises(UsageError, match="no task of one") as caught:
        SlurmArray.read({"SLURM_JOB_ID": "7"})
    assert "--shard I/N" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MIN", "", "does not say"),
        ("COUNT", "", "does not say"),
        ("ID", "three", "no number"),
        ("ID", "9", "contradict"),
        ("COUNT", "9", "contradict"),
        ("COUNT", "0", "contradict"),
    ],
)
def test_variables_that_do_not_tell(name: str, value: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        SlurmArray.read(array(3, range(1, 5)) | {f"SLURM_ARRAY_TASK_{name}": value})


def test_a_missing_step_is_one() -> None:
    variables = array(3, range(1, 5))
    del variables["SLURM_ARRAY_TASK_STEP"]
    assert SlurmArray.read(variables).length == 4


@pytest.mark.parametrize(
    ("tasks", "step", "length"), [((3, 7), 1, None), ((3, 7), 4, 2), ((1, 2, 4), 1, None)]
)
def test_only_an_array_without_gaps_has_a_length(
    tasks: tuple[int, ...], step: int, length: int | None
) -> None:
    assert SlurmArray.read(array(tasks[0], tasks, step)).length == length


def test_a_run_in_an_array_without_a_share_is_warned() -> None:
    assert "task 3 of a SLURM array of 4" in unused_array(array(3, range(1, 5)))
    assert unused_array(array(3, [3])) == ""
    assert unused_array({}) == ""
