"""The soak in its short form."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.endurance.soak import run


def test_nothing_is_lost_where_processes_are_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = run(tmp_path / "work", videos=16, kills=2, processes=1, seed=1)
    assert "byte for byte the same" in said[1]
