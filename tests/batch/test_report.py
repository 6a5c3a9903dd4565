"""Counts become one sentence and one exit code."""

from __future__ import annotations

import pytest

from vidalign.batch.report import ItemResult, Report, Status
from vidalign.errors import LowConfidenceError, VideoError

UNSURE = LowConfidenceError("a.mp4: confidence 0.10 is below 0.5")
BROKEN = VideoError("b.mp4 is empty", hint="get it again")


def failed(error: VideoError | LowConfidenceError) -> ItemResult:
    return ItemResult("x", "failed", "x.mp4", error=error)


def ended(status: Status, *, truncated: bool = False) -> ItemResult:
    return ItemResult("x", status, "x.mp4", "x.h5", truncated=truncated)


CUT = ended("partial", truncated=True)


@pytest.mark.parametrize(
    ("results", "strict", "code", "said"),
    [
        ([], False, 0, "0 items: nothing to do"),
        ([ended("done")], False, 0, "1 item: 1 done"),
        ([ended("done"), ended("skipped")], False, 0, "2 items: 1 done, 1 already done"),
        ([ended("planned")], False, 0, "1 item: 1 to do"),
        ([CUT, ended("done")], False, 0, "2 items: 1 done, 1 partial"),
        ([CUT, ended("done")], True, 1, "2 items: 1 done, 1 partial"),
        ([ended("skipped", truncated=True)], False, 0, "1 item: 1 already done"),
        ([ended("skipped", truncated=True)], True, 1, "1 item: 1 already done"),
        ([failed(BROKEN), ended("done")], False, 1, "2 items: 1 done, 1 failed"),
        ([failed(BROKEN)], False, 1, "1 item: 1 failed"),
        ([failed(UNSURE)], False, 3, "1 item: 1 failed"),
        ([failed(UNSURE), ended("done")], False, 3, "2 items: 1 done, 1 failed"),
        ([failed(UNSURE), failed(BROKEN), ended("done")], False, 1, "3 items: 1 done, 2 failed"),
        ([failed(UNSURE), CUT], True, 1, "2 items: 1 partial, 1 failed"),
    ],
)
def test_code_and_sentence(results: list[ItemResult], strict: bool, code: int, said: str) -> None:
    report = Report(strict=strict)
    for result in results:
        report.add(result)
    assert (report.exit_code, str(report)) == (code, said)


def test_all_failed_has_a_sentence_of_its_own() -> None:
    report = Report()
    report.add(failed(BROKEN))
    report.add(failed(BROKEN))
    assert str(report) == "2 items: 2 failed; all of them failed, so look at the set-up before the files"


def test_records() -> None:
    assert failed(BROKEN).as_json() == {
        "status": "failed",
        "item": "x",
        "source": "x.mp4",
        "output": None,
        "error": "VideoError",
        "message": "b.mp4 is empty",
        "hint": "get it again",
    }
    record = ItemResult(
        "x", "partial", "x.mp4", "x.h5", warnings=("cut",), truncated=True, details={"clips": 2}
    ).as_json()
    assert record == {
        "status": "partial",
        "item": "x",
        "source": "x.mp4",
        "output": "x.h5",
        "clips": 2,
        "truncated": True,
        "warnings": ["cut"],
    }
