"""Methods side by side: numbers by hand, what is left out, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.tiny import made_features, write_vtt
from vidalign.errors import ModelError
from vidalign.evaluation import contest
from vidalign.evaluation.annotations import TruthRow
from vidalign.evaluation.contest import Contender, Outcome, compete
from vidalign.evaluation.files import alignment_files, features_files
from vidalign.evaluation.htm_align import PROTOCOLS
from vidalign.evaluation.prediction import Prediction
from vidalign.evaluation.report import METRICS, Method, measure, report
from vidalign.store.alignments import write_alignment
from vidalign.store.features import write_features
from vidalign.types import Alignment, Cue, Sentence

TAN = PROTOCOLS["tan"]
TEXTS = ("stir", "hello", "cut")
ROWS = (
    TruthRow(True, 2.4, 5.0, "stir"),
    TruthRow(False, 0.0, 1.0, "hello"),
    TruthRow(True, 7.0, 8.0, "cut"),
)


def made_alignment(texts: Sequence[str] = TEXTS, **known: object) -> Alignment:
    """Peaks at seconds 2, 9 and 3; the first two sentences are aligned."""
    rows = np.zeros((3, 10), dtype=np.float32)
    rows[0, 2] = rows[1, 9] = rows[2, 3] = 1
    rows[1] -= 0.5
    starts = np.arange(10.0)
    what: dict[str, object] = {"model": "mini", "alignability_kind": "calibrated", **known}
    return Alignment(
        similarity=rows,
        alignability=np.array([0.9, 0.6, 0.3], dtype=np.float32),
        confidence=np.ones(3, dtype=np.float32),
        aligned=np.array([True, True, False]),
        segments=np.array([[2.0, 4.0], [9.0, 10.0], [np.nan, np.nan]]),
        times=np.stack([starts, starts + 1], axis=1),
        sentences=tuple(Sentence(text, k, k + 2.0, k, k) for k, text in enumerate(texts)),
        cues=tuple(Cue(k * 1000, k * 1000 + 2000, text, text) for k, text in enumerate(texts)),
        **what,  # type: ignore[arg-type]
    )


def run_alignments(folder: Path, truth: dict[str, tuple[TruthRow, ...]]) -> Outcome:
    return compete(contest.of_alignments("ours", alignment_files(folder), TAN), truth, TAN)


def test_an_alignment_s_numbers_by_hand(tmp_path: Path) -> None:
    write_alignment(tmp_path / "a.align.h5", made_alignment())
    outcome = run_alignments(tmp_path, {"a": ROWS})
    assert outcome.judged is not None
    found = measure(outcome.judged)
    assert found["recall"] == 0.5  # second 2 is floor(2.4); second 3 is not in 7 to 8
    assert found["timing_error"] == pytest.approx((abs(3.0 - 3.7) + abs(3.5 - 7.5)) / 2)
    assert found["iou"] == pytest.approx((1.6 / 3.0 + 0) / 2)
    assert found["auc"] == pytest.approx(1 / 2)  # 0.9 over 0.6, 0.3 under it
    assert found["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["calibration_error"] == pytest.approx((0.1 + 0.6 + 0.7) / 3, abs=1e-6)


@pytest.mark.parametrize(("decoder", "recall"), [("peak", 0.5), ("dtw", 1.0)])
def test_an_alignment_is_judged_by_its_own_decoder(decoder: str, recall: float, tmp_path: Path) -> None:
    rows = np.zeros((3, 10), dtype=np.float32)
    rows[range(3), [2, 5, 7]] = 0.9
    rows[0, 9] = 1.0  # after the other two
    write_alignment(tmp_path / "a.align.h5", replace(made_alignment(decoder=decoder), similarity=rows))
    judged = run_alignments(tmp_path, {"a": ROWS}).judged
    assert judged is not None
    found = measure(judged)
    assert found["recall"] == recall
    assert judged.aligned.tolist() == [True, True, False]
    assert found["label_accuracy"] == pytest.approx(1 / 3) and found["label_f1"] == 0.5


def test_exact_intervals_are_not_widened(tmp_path: Path) -> None:
    write_alignment(tmp_path / "a.align.h5", made_alignment())
    contender = contest.of_alignments("ours", alignment_files(tmp_path), PROTOCOLS["nsva"])
    outcome = compete(contender, {"a": ROWS, "none": ROWS[1:2]}, PROTOCOLS["nsva"])
    assert outcome.judged is not None and measure(outcome.judged)["recall"] == 0.0
    assert outcome.missing == ()  # a video with nothing to see is not asked for


def test_ranks_order_nothing_across_videos(tmp_path: Path) -> None:
    write_alignment(tmp_path / "a.align.h5", made_alignment(alignability_kind="rank"))
    judged = run_alignments(tmp_path, {"a": ROWS}).judged
    assert judged is not None and judged.probabilities is None
    assert judged.scores is not None and judged.scores.tolist() == [1.0, 0.5, 1.0]
    found = measure(judged)
    assert found["auc"] == 1.0 and np.isnan(found["calibration_error"])


def test_bad_and_missing_files_stop_nothing(tmp_path: Path) -> None:
    write_alignment(tmp_path / "a.align.h5", made_alignment())
    write_alignment(tmp_path / "other.align.h5", made_alignment(model="tan-htm370k"))
    write_alignment(tmp_path / "words.align.h5", made_alignment(("whisk", "the", "egg")))
    write_alignment(tmp_path / "bare.align.h5", made_alignment(), matrix=False)
    (tmp_path / "cut.align.h5").write_bytes(b"nothing")
    short = {"short": ROWS[:2]}
    write_alignment(tmp_path / "short.align.json", made_alignment())
    named = ("a", "other", "words", "bare", "cut", "gone")
    seen: list[tuple[int, str]] = []
    contender = contest.of_alignments("ours", alignment_files(tmp_path), TAN)
    truth = dict.fromkeys(named, ROWS) | short
    outcome = compete(contender, truth, TAN, progress=lambda n, v: seen.append((n, v)))
    assert [video for _, video in seen] == list(truth)
    assert outcome.missing == ("gone",)
    told = {video: str(error) for video, error in outcome.failed.items()}
    assert set(told) == {"other", "words", "bare", "cut", "short"}
    assert all(line.startswith(f"ours, {video}: ") and "\n" not in line for video, line in told.items())
    assert "has model tan-htm370k" in told["other"]
    assert "not those of the truth: 'whisk' instead of 'stir'" in told["words"]
    assert "without its matrix" in told["bare"]
    assert "3 sentences for 2 rows" in told["short"] and "--segment cue" in told["short"]
    made = report(outcome.method, outcome.judged, resamples=10)
    assert (made.videos, made.sentences, made.alignable) == (1, 3, 2)


def test_errors_of_usage_end_the_run() -> None:
    def unknown(path: Path, rows: Sequence[TruthRow]) -> Prediction:
        raise ModelError("unknown model")

    contender = Contender(Method("x", "model", "tan"), lambda video: Path(video), unknown)
    with pytest.raises(ModelError):
        compete(contender, {"a": ROWS}, TAN)


def test_no_video_at_all_gives_no_numbers(tmp_path: Path) -> None:
    outcome = run_alignments(tmp_path, {"a": ROWS})
    made = report(outcome.method, outcome.judged)
    assert made.videos == 0 and set(made.metrics) == set(METRICS)
    assert all(np.isnan(value).all() for value in made.metrics.values())


def test_times_as_they_stand(tmp_path: Path) -> None:
    write_vtt(tmp_path / "subtitles" / "a.en.vtt", *TEXTS, step=3.0)  # middles 1.5, 4.5, 7.5
    write_alignment(tmp_path / "a.align.h5", made_alignment())  # spoken at 0-2, 1-3, 2-4
    by_file = contest.spoken_in_subtitles(tmp_path / "subtitles", TAN)
    by_alignment = contest.spoken_in_alignments(alignment_files(tmp_path), TAN)
    numbers = []
    for contender in (by_file, by_alignment):
        judged = compete(contender, {"a": ROWS}, TAN).judged
        assert judged is not None and judged.scores is None
        numbers.append(measure(judged))
    assert numbers[0]["recall"] == 0.5 and numbers[1]["recall"] == 0.0
    assert numbers[0]["iou"] == pytest.approx((0.6 / 5.0 + 1 / 3) / 2)
    assert np.isnan(numbers[0]["auc"]) and np.isnan(numbers[0]["average_precision"])


def test_times_need_times(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n".join(TEXTS))
    outcome = compete(contest.spoken_in_subtitles(tmp_path, TAN), {"a": ROWS}, TAN)
    assert "without times" in str(outcome.failed["a"])


def test_sentences_spread_evenly(tmp_path: Path) -> None:
    write_features(tmp_path / "a.h5", made_features(9))  # thirds 0-3, 3-6, 6-9
    write_alignment(tmp_path / "a.align.h5", replace(made_alignment()))
    judged = compete(contest.spread_over_features(features_files(tmp_path), TAN), {"a": ROWS}, TAN).judged
    assert judged is not None
    found = measure(judged)
    assert found["recall"] == 0.5  # 1.5 misses, 7.5 hits
    assert found["timing_error"] == pytest.approx(2.2 / 2)
    longer = contest.spread_over_alignments(alignment_files(tmp_path), TAN)
    judged = compete(longer, {"a": ROWS}, TAN).judged
    assert judged is not None and measure(judged)["timing_error"] == pytest.approx((3.7 - 5 / 3 + 5 / 6) / 2)
