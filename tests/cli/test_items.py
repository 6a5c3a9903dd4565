"""How far a batch is, told to people: without a terminal a line now and then, also while nothing moves."""

from __future__ import annotations

import time

import pytest

from vidalign.batch.tally import Tally
from vidalign.cli import items, progress
from vidalign.cli.items import meter_for
from vidalign.cli.output import Talk


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(progress, "PLAIN_EVERY", 0.02)


def told(level: int, tally: Tally, capsys: pytest.CaptureFixture[str]) -> list[str]:
    with meter_for(Talk(level), tally):
        tally.begin("a.mp4")(15.0, 60.0)
        time.sleep(0.3)
    return capsys.readouterr().err.splitlines()


def test_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(0, Tally(4), capsys)
    assert len(lines) > 1
    assert all(line.startswith("video: 0:15 of 4:00, 0:00 so far, about 0:") for line in lines)
    assert ", 0 of 4 videos, " in lines[-1]
    assert lines[-1].endswith(" times real time, 0 failed")


def test_nothing_with_q(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(-1, Tally(4), capsys) == []
