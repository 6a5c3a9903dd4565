"""The published protocol: the reference's windows and numbers, its variants, and that no truth leaks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.tiny import made_features, with_head
from vidalign.aligners.decoders.evidence import Evidence
from vidalign.aligners.registry import Aligner, load_aligner
from vidalign.aligners.scores import AS_MADE, Reading, Scores
from vidalign.aligners.windowing import Stitcher, Window, Windowing
from vidalign.errors import DataError
from vidalign.evaluation.annotations import TruthRow, read_annotations
from vidalign.evaluation.contest import compete, of_alignments
from vidalign.evaluation.files import alignment_files
from vidalign.evaluation.htm_align import PROTOCOLS, Setup, plan, predict, read_scores, score_rows
from vidalign.evaluation.prediction import judge_rows, pool
from vidalign.evaluation.report import measure
from vidalign.store.alignments import write_alignment
from vidalign.types import Alignment, Cue, Features, Sentence
from vidalign.weights.cards import Calibration

ROWS = tuple(
    TruthRow(k % 2 == 1, 3.0 * k, 3.0 * k + 2, text)
    for k, text in enumerate(["stir the egg", "put the bowl", "cut", "whisk", "red pan", "water"])
)


@pytest.fixture(scope="module")
def case(golden: Path) -> dict[str, Any]:
    return json.loads((golden / "tan_eval_windows.json").read_text())


class ClosedForm:
    """The feature and similarity rules that the golden file states, for one video."""

    name, score_name, text_model = "closed form", "cosine", "none"

    def __init__(self, video: str, seconds: int, *, head: bool) -> None:
        self.head = head
        self.offset = 3 * len(video) + ord(video[0])
        n = np.arange(seconds * 6, dtype=np.float64).reshape(seconds, 6)
        self.features = np.sin(0.11 * n + 0.5 * 3) * np.linspace(1, 2, seconds)[:, None]

    def known_words(self, sentences: Sequence[Sentence]) -> float | None:
        return None

    def score(self, features: Features, sentences: Sequence[Sentence], windowing: Windowing) -> Scores:
        raise NotImplementedError

    def score_windows(
        self,
        features: Features,
        sentences: Sequence[Sentence],
        windows: Sequence[Window],
        *,
        stretch: int | None = None,
        reading: Reading = AS_MADE,
    ) -> Scores:
        stitcher = Stitcher(len(sentences), len(self.features))
        logits: list[list[float]] = [[] for _ in sentences]
        for window in windows:
            dual, joint = self.window(window)
            stitcher.add(window, (dual + joint) / 2)
            for sentence, best in zip(window.sentences, joint.max(axis=1), strict=True):
                logits[sentence].append(3 * float(best))
        means = np.array([np.mean(values) if values else np.nan for values in logits], dtype=np.float32)
        return Scores(stitcher.mean(), means if self.head else None, {})

    def window(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        clips = F.normalize(
            torch.from_numpy(self.features.astype(np.float32))[window.start : window.stop], dim=-1
        )
        k = window.sentences + self.offset
        words = np.sin(0.3 * k[:, None] * np.arange(1, 7)).astype(np.float32)
        text = F.normalize(torch.from_numpy(words), dim=-1)
        dual = text @ clips.T / 0.07
        joint = text @ (clips * torch.linspace(0.5, 1, len(clips))[:, None]).T / 0.07
        return dual.numpy(), joint.numpy()


def evidence_of(scores: Scores, features: Features) -> Evidence:
    return Evidence(scores.similarity, features.times)


@pytest.mark.parity
@pytest.mark.parametrize("which", ["head", "nohead"])
def test_the_reference_s_recall_auc_and_scores(case: dict[str, Any], which: str, tmp_path: Path) -> None:
    (tmp_path / "htm_align.json").write_text(json.dumps(case["annotation"]))
    judged = []
    for number, (video, rows) in enumerate(read_annotations(tmp_path / "htm_align.json").items()):
        seconds = case["feature_lengths"][video]
        features = made_features(seconds, 6)
        scorer = ClosedForm(video, seconds, head=which == "head")
        scores = score_rows(scorer, features, rows, Setup())
        judged.append(judge_rows(read_scores(scores, evidence_of(scores, features)), rows, video=number))
    found, wanted = pool(judged), case["results"][which]
    assert found.labels.tolist() == [bool(label) for label in wanted["align_tgt"]]
    assert found.scores is not None
    assert np.abs(found.scores - wanted["align_score"]).max() <= 1e-5
    numbers = measure(found)
    assert numbers["recall"] == pytest.approx(wanted["Recall"], abs=1e-12)
    assert numbers["auc"] == pytest.approx(wanted["AUC"], abs=1e-12)


@pytest.mark.parity
def test_the_reference_s_numbers_from_alignment_files(case: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "htm_align.json").write_text(json.dumps(case["annotation"]))
    truth = read_annotations(tmp_path / "htm_align.json")
    for video, rows in truth.items():
        features = made_features(case["feature_lengths"][video], 6)
        scorer = ClosedForm(video, len(features.features), head=False)
        scores = score_rows(scorer, features, rows, Setup())
        write_alignment(tmp_path / f"{video}.align.h5", alignment_of(scores, features, rows))
    contender = of_alignments("files", alignment_files(tmp_path), PROTOCOLS["tan"])
    judged = compete(contender, truth, PROTOCOLS["tan"]).judged
    assert judged is not None
    numbers, wanted = measure(judged), case["results"]["nohead"]
    assert numbers["recall"] == pytest.approx(wanted["Recall"], abs=1e-12)
    assert numbers["auc"] == pytest.approx(wanted["AUC"], abs=1e-12)


def alignment_of(scores: Scores, features: Features, rows: Sequence[TruthRow]) -> Alignment:
    """The file that `align` would write of scores without a head or a calibration."""
    return Alignment(
        similarity=scores.similarity,
        alignability=np.zeros(len(rows), dtype=np.float32),
        confidence=np.zeros(len(rows), dtype=np.float32),
        aligned=np.zeros(len(rows), dtype=bool),
        segments=np.full((len(rows), 2), np.nan),
        times=features.times,
        sentences=tuple(Sentence(row.text, row.start, row.end, k, k) for k, row in enumerate(rows)),
        cues=tuple(Cue(0, 1, row.text, row.text) for row in rows),
        alignability_kind="rank",
    )


def test_protocols_differ_in_windows_intervals_and_videos() -> None:
    seconds = 100
    rows = tuple(TruthRow(False, float(t), t + 1.0, "") for t in range(100))
    assert [w.start for w in plan(seconds, rows, Setup())] == [0, 16, 32, 48, 64]
    norton = plan(seconds, rows, Setup(PROTOCOLS["norton"]))
    assert [w.start for w in norton] == list(range(0, 84, 8))
    assert {w.stop - w.start for w in norton[:-2]} == {32}
    assert norton[5].sentences.tolist() == list(range(8, 100))  # middles from 40 - 32 to 40 + 64
    (whole,) = plan(seconds, rows, Setup(PROTOCOLS["nsva"]))
    assert (whole.start, whole.stop, len(whole.sentences)) == (0, 100, 100)
    assert PROTOCOLS["nsva"].exact and PROTOCOLS["nsva"].skip_empty


def test_the_true_times_of_alignable_sentences_never_matter(tiny: Path) -> None:
    aligner, features = load_aligner("mini"), made_features(90)
    rows = tuple(replace_times(row, k) for k, row in enumerate(ROWS))
    moved = tuple(row._replace(start=77.0, end=89.0) if row.alignable else row for row in rows)
    ours, theirs = (predict(aligner, features, given, Setup()) for given in (rows, moved))
    assert np.array_equal(ours.peaks, theirs.peaks)
    assert np.array_equal(ours.segments, theirs.segments, equal_nan=True)
    shifted = tuple(row if row.alignable else row._replace(start=500.0, end=501.0) for row in rows)
    other = predict(aligner, features, shifted, Setup())
    assert not np.array_equal(ours.peaks, other.peaks)


def replace_times(row: TruthRow, k: int) -> TruthRow:
    return row._replace(start=15.0 * k, end=15.0 * k + 4)


@pytest.fixture
def aligner(tiny: Path) -> Aligner:
    return with_head(load_aligner("mini"))


def test_what_each_encoder_says(aligner: Aligner) -> None:
    features = made_features(60)
    both, dual, joint = (
        score_rows(aligner.scorer, features, ROWS, Setup(encoders=encoders))
        for encoders in ("both", "dual", "joint")
    )
    scored = ~np.isnan(both.similarity)
    mean = (dual.similarity + joint.similarity) / 2
    assert np.abs(both.similarity - mean)[scored].max() <= 1e-6
    assert np.abs(dual.similarity - joint.similarity)[scored].max() > 1e-3
    assert dual.head is None and both.head is not None
    assert np.array_equal(both.head, joint.head, equal_nan=True)


def test_the_whole_video_is_read_by_the_joint_encoder_s_last_stage(aligner: Aligner) -> None:
    setup = Setup(windowing="global")
    assert (setup.reading.encoders, setup.reading.head_stage) == ("joint", -1)
    features = made_features(80)
    whole = score_rows(aligner.scorer, features, ROWS, setup)
    assert not np.isnan(whole.similarity).any()
    heads = []
    for stage in (None, 0, 2, -1):  # the random model has three stages, so that the third is the last
        scores = aligner.scorer.score_windows(
            features, sentences(), plan(80, ROWS, setup), stretch=64, reading=Reading("joint", stage)
        )
        assert np.array_equal(scores.similarity, whole.similarity)
        heads.append(scores.head)
    assert np.array_equal(heads[0], heads[2]) and np.array_equal(heads[2], heads[3])
    assert not np.array_equal(heads[0], heads[1])
    assert np.array_equal(heads[3], whole.head)


def sentences() -> list[Sentence]:
    return [Sentence(row.text, None, None, k, k) for k, row in enumerate(ROWS)]


def test_the_calibration_holds_only_for_the_logit_it_was_fitted_to(aligner: Aligner) -> None:
    never = Calibration(a=0.0, b=-9.0, threshold=0.5, fitted_on="nothing")
    strict = replace(aligner, spec=replace(aligner.spec, calibration=never))
    features = made_features(40)
    assert np.isnan(predict(strict, features, ROWS, Setup()).segments).all()
    for setup in (Setup(windowing="global"), Setup(encoders="dual")):
        assert not np.isnan(predict(strict, features, ROWS, setup).segments).all()
    assert predict(strict, features, ROWS, Setup(encoders="dual")).probabilities is None


def test_the_plain_similarity_counts_inside_its_windows_only(tiny: Path) -> None:
    aligner, features = load_aligner("mini", scorer="similarity"), made_features(300)
    rows = [TruthRow(False, t, t + 1, "stir") for t in (10.0, 290.0)]
    windows = plan(300, rows, Setup())
    scores = score_rows(aligner.scorer, features, rows, Setup())
    seen = np.zeros((2, 300), dtype=bool)
    for window in windows:
        seen[window.sentences, window.start : window.stop] = True
    assert 0 < seen.mean() < 1
    assert np.array_equal(~np.isnan(scores.similarity), seen)
    everything = score_rows(aligner.scorer, features, rows, Setup(windowing="global"))
    assert np.array_equal(everything.similarity[seen], scores.similarity[seen])


def test_a_short_video_has_no_window_and_its_peaks_are_at_the_start(aligner: Aligner) -> None:
    found = predict(aligner, made_features(32), ROWS, Setup())
    assert found.peaks.tolist() == [0.5] * len(ROWS)
    assert np.isnan(found.segments).all()


def test_features_that_do_not_count_seconds_are_refused(aligner: Aligner) -> None:
    features = made_features(40)
    with pytest.raises(DataError, match="one clip a second"):
        predict(aligner, replace(features, times=features.times / 2), ROWS, Setup())


def in_order_but_for_one() -> Scores:
    """Sentences at seconds 1, 3, 5 and 7 of 10, of which the second is even more like second 9."""
    rows = np.zeros((4, 10), dtype=np.float32)
    rows[range(4), [1, 3, 5, 7]] = 0.9
    rows[1, 9] = 1.0
    return Scores(rows, None, {})


TRUE = tuple(TruthRow(True, 2.0 * k + 1, 2.0 * k + 1.9, "") for k in range(4))


@pytest.mark.parametrize(
    ("decoder", "recall"),
    [
        ("peak", 0.75),
        ("dtw", 1.0),
        ("otam", 1.0),
        ("drop-dtw:clips=50,sentences=99", 1.0),
        ("viterbi:skip=50", 1.0),
    ],
)
def test_a_decoder_is_judged_by_where_it_has_the_sentences(decoder: str, recall: float) -> None:
    scores = in_order_but_for_one()
    found = read_scores(scores, evidence_of(scores, made_features(10)), decoder=decoder)
    assert measure(judge_rows(found, TRUE, exact=True))["recall"] == recall


def test_dropped_sentences_are_nowhere_and_the_least_likely() -> None:
    scores = in_order_but_for_one()
    scores.similarity[2] = -0.5
    scores.similarity[2, 0] = 0.8  # only before the first sentence
    rows = tuple(row._replace(alignable=k != 2) for k, row in enumerate(TRUE))
    evidence = evidence_of(scores, made_features(10))
    found = read_scores(scores, evidence, decoder="viterbi:skip=50")
    assert np.isnan(found.peaks).tolist() == [False, False, True, False]
    judged = judge_rows(found, rows, exact=True)
    numbers = measure(judged)
    assert judged.aligned.tolist() == [True, True, False, True]
    assert (numbers["recall"], numbers["auc"]) == (1.0, 1.0)
    assert (numbers["label_accuracy"], numbers["label_f1"]) == (1.0, 1.0)
    wrong = tuple(row._replace(alignable=k == 2) for k, row in enumerate(TRUE))
    missed = measure(judge_rows(found, wrong, exact=True))
    assert (missed["recall"], missed["label_f1"], missed["label_accuracy"]) == (0.0, 0.0, 0.0)
    assert np.isnan(missed["timing_error"])


def test_a_decoder_puts_nothing_anywhere_where_nothing_was_scored(aligner: Aligner) -> None:
    found = predict(aligner, made_features(32), ROWS, Setup(decoder="dtw"))
    assert np.isnan(found.peaks).all() and np.isnan(found.segments).all()


def test_the_times_when_sentences_are_spoken_reach_the_decoder() -> None:
    scores = Scores(np.full((2, 20), 0.5, dtype=np.float32), None, {})
    scores.similarity[:, 0] = 0.0  # the cost of leaving one out, at skip=100
    spoken = np.array([[4.0, 6.0], [14.0, 16.0]])
    evidence = Evidence(scores.similarity, made_features(20).times, spoken)
    assert read_scores(scores, evidence, decoder="viterbi:prior=1,skip=100").peaks.tolist() == [4.5, 14.5]
