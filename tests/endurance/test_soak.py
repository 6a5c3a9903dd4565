"""The soak in its short form."""

from __future__ import annotations

from pathlib import Path

from tests.endurance.hostile import HOSTILE
from tests.endurance.soak import Soak, run


def test_nothing_is_lost_where_processes_are_killed(tmp_path: Path) -> None:
    soak = Soak(tmp_path / "work", videos=len(HOSTILE) + 5, seed=1, timeout=6)
    said = run(soak, kills=2, loose=0, processes=1)
    assert said[1] == "after 2 kills: byte for byte the same"
