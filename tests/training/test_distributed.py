"""Two processes on one machine train what one would."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.training.conftest import records
from tests.training.pair import run_pair
from tests.training.toy import PROGRAM
from vidalign.errors import UsageError
from vidalign.training.checkpoint import read_state, write_state
from vidalign.training.config import Configuration
from vidalign.training.distributed import Ranks, ranks_of_torchrun
from vidalign.training.train import train
from vidalign.weights.tensors import load_tensors

CHANGES = [
    "training.batch=3", "training.steps=12", "training.accumulate=2", "training.clip_grad=1", "dropout=0",
    "training.log_every=4", "training.checkpoint_every=4", "optimizer.betas=[0.9, 0.95]",
]  # fmt: skip


def two_processes(*args: str | Path) -> list[tuple[int, str, str]]:
    """Exit code, stdout and stderr of both."""
    return run_pair([*PROGRAM, *args])


def settings(changes: list[str]) -> list[str]:
    return [part for change in changes for part in ("--set", change)]


def test_two_gloo_processes_go_on_as_one_with_twice_the_batch_would(
    toy_file: Path, toy_config: Callable[..., Configuration], tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    alone, shared = toy_config(*CHANGES, "training.batch=6"), toy_config(*CHANGES)

    def keep_the_first_state(done: int, steps: int, note: str) -> None:
        if done == 4:
            state = read_state(one, alone, world=1)
            assert state is not None
            write_state(two, state, shared, world=2)

    train(alone, one, watch=keep_the_first_state)
    ends = two_processes("train", toy_file, "-o", two, *settings(CHANGES))
    assert [code for code, _, _ in ends] == [0, 0], ends
    assert [out for _, out, _ in ends] == [f"{two / 'model'}\n", ""]
    assert "going on after step 4 of 12" in ends[0][2]
    assert ends[1][2] == ""
    mine, theirs = (load_tensors(folder / "model" / "toy.safetensors") for folder in (one, two))
    assert all(torch.allclose(mine[name], theirs[name], atol=1e-5) for name in mine)
    for here, there in zip(records(one)[1:], records(two), strict=True):
        assert here["loss"] == pytest.approx(there["loss"], abs=1e-5)
        assert here["epoch"] == there["epoch"]


def test_no_process_waits_for_one_that_has_stopped(toy_file: Path, tmp_path: Path) -> None:
    ends = two_processes("train", toy_file, "-o", tmp_path, *settings([*CHANGES, "nan_at=5"]))
    assert [code for code, _, _ in ends] == [1, 1]
    assert "loss is nan within the last 4 steps up to 8" in ends[0][2]
    assert "state.pt is of a good step" in ends[0][2]


def test_alone_nothing_of_a_group_is_loaded() -> None:
    """Not every torch has it."""
    program = (
        "import sys, torch; from vidalign.training.distributed import Ranks, joined\n"
        "with joined(Ranks(), torch.device('cpu')): assert 'torch.distributed.nn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_alone_without_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert ranks_of_torchrun() == Ranks(0, 1, 0)
    monkeypatch.setenv("RANK", "one")
    with pytest.raises(UsageError, match="not numbers"):
        ranks_of_torchrun()
