"""The fuzzing in its short form: five hundred inputs with a fixed seed; and that it finds faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.endurance import worker
from tests.endurance.kinds import KINDS, Kind, shares
from tests.endurance.mutate import mutated
from vidalign.batch.boundary import InternalError
from vidalign.errors import StoreError

INPUTS, FIRST, SEED = 500, 1000, 1


def test_broken_files_end_in_one_line(tmp_path: Path) -> None:
    place = tmp_path / "settings"
    known = {"VIDALIGN_CONFIG_DIR": str(place), "VIDALIGN_CACHE": str(place), "OMP_NUM_THREADS": "1"}
    numbers = (str(FIRST), str(FIRST + INPUTS), str(SEED))
    done = subprocess.run(
        [sys.executable, "-m", "tests.endurance.worker", "all", *numbers, str(tmp_path / "sandbox")],
        capture_output=True,
        text=True,
        env={**os.environ, **known},
        timeout=600,
    )
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (records[-1:], done.stderr[-2000:])
    assert not [record for record in records if record["outcome"] == "finding"]
    assert Counter(record["kind"] for record in records) == shares(INPUTS, list(KINDS))
    assert {record["outcome"] for record in records} == {"fine", "refused"}
    assert "Traceback" not in done.stderr


def test_a_mutation_depends_on_its_number_alone() -> None:
    data = b"WEBVTT\n\n00:01.000 --> 00:02.000\nstir\n" * 20
    many = [mutated(data, f"0/{number}", [data], text=True) for number in range(50)]
    assert many == [mutated(data, f"0/{number}", [data], text=True) for number in range(50)]
    assert len(set(many)) > 40


def stray(given: Path, out: Path) -> None:
    """Writes beside the folder of outputs."""
    (out.parent.parent / "stray.txt").write_text("x")


def unforeseen(given: Path, out: Path) -> None:
    """Lets an error through."""
    raise KeyError("x")


def many_lines(given: Path, out: Path) -> None:
    """Says nothing."""
    raise StoreError("")


def internal(given: Path, out: Path) -> None:
    """Was caught at the boundary."""
    raise InternalError("x")


def writes(given: Path, out: Path) -> None:
    """Does as it should."""
    (out / "a").write_bytes(given.read_bytes())


def refuses(given: Path, out: Path) -> None:
    """Does as it should."""
    raise StoreError(f"{given}: no")


@pytest.mark.parametrize(
    ("target", "outcome"),
    [
        *((target, "finding") for target in (stray, unforeseen, many_lines, internal)),
        (writes, "fine"),
        (refuses, "refused"),
    ],
)
def test_findings_are_found(target: Callable[[Path, Path], None], outcome: str, tmp_path: Path) -> None:
    kind = Kind("x", lambda folder: [], target, 1)
    given, out = tmp_path / "box" / "in" / "a", tmp_path / "box" / "out"
    for folder in (given.parent, out):
        folder.mkdir(parents=True)
    given.write_bytes(b"x")
    guard = worker.Guard(out)
    sys.addaudithook(guard)
    assert worker.tried(kind, given, out, guard)[0] == outcome
