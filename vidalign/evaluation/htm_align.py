"""Models under the HTM-Align protocol (Han et al., CVPR 2022) and its variants in use.

A model gets the features of a video and the texts of its annotation; the true times of alignable sentences
never reach it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.align import check_features
from vidalign.aligners.calibrate import alignability, threshold_of
from vidalign.aligners.decoders import get_decoder
from vidalign.aligners.decoders.evidence import Evidence
from vidalign.aligners.registry import Aligner
from vidalign.aligners.scores import Encoders, Reading, Scorer, Scores
from vidalign.aligners.windowing import Mode, Window, plan_htm_align
from vidalign.errors import DataError
from vidalign.evaluation.annotations import TruthRow
from vidalign.evaluation.prediction import Prediction, below_kept, best_scores, place
from vidalign.types import Features, Sentence
from vidalign.weights.cards import Calibration

ProtocolName = Literal["tan", "nsva", "norton"]

LAST_STAGE = -1


@dataclass(frozen=True, slots=True)
class Protocol:
    """Windows of `size` seconds, or all at once; `exact` intervals are not widened to whole seconds.

    `skip_empty` leaves out videos without an alignable sentence.
    """

    name: ProtocolName
    size: int = 64
    windowing: Mode = "overlap"
    exact: bool = False
    skip_empty: bool = False


PROTOCOLS: dict[ProtocolName, Protocol] = {
    "tan": Protocol("tan"),
    "nsva": Protocol("nsva", windowing="global", exact=True, skip_empty=True),
    "norton": Protocol("norton", size=32),
}
"""TAN's own, that of NSVA (Li et al., ECCV 2024) and that of Norton (Lin et al., ICLR 2024)."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How a model is run. None: as the protocol has it; both encoders, but over a whole video the joint.

    The published protocols read each sentence's `peak`; another decoder is NAME or NAME:KEY=VALUE,...
    """

    protocol: Protocol = PROTOCOLS["tan"]
    windowing: Mode | None = None
    encoders: Encoders | None = None
    decoder: str = "peak"

    @property
    def mode(self) -> Mode:
        """The windowing that holds."""
        return self.windowing or self.protocol.windowing

    @property
    def reading(self) -> Reading:
        """Over a whole video the published evaluation reads the last stage of the joint encoder only."""
        if self.mode == "global":
            return Reading(self.encoders or "joint", LAST_STAGE)
        return Reading(self.encoders or "both")


def predict(
    aligner: Aligner,
    features: Features,
    rows: Sequence[TruthRow],
    setup: Setup,
    spoken: NDArray[np.float64] | None = None,
) -> Prediction:
    """Run an aligner over one video; raises DataError where the features are not what it reads.

    `spoken` (K, 2) is when the sentences are spoken, for decoders that ask.
    """
    check_features(features, aligner)
    scores = score_rows(aligner.scorer, features, rows, setup)
    as_fitted = setup.reading.head_stage is None and setup.reading.encoders != "dual"
    said = (spoken, aligner.scorer.score_name, aligner.spec.temperature)
    return read_scores(
        scores,
        Evidence(scores.similarity, features.times, *said),
        calibration=aligner.spec.calibration if as_fitted else None,
        decoder=setup.decoder,
    )


def score_rows(scorer: Scorer, features: Features, rows: Sequence[TruthRow], setup: Setup) -> Scores:
    """Scores (K, T) of the rows' texts; raises DataError unless there is one clip a second."""
    seconds = _seconds(features)
    windows = plan(seconds, rows, setup)
    sentences = [Sentence(row.text, None, None, k, k) for k, row in enumerate(rows)]
    stretch = setup.protocol.size if setup.mode == "global" else None
    return scorer.score_windows(features, sentences, windows, stretch=stretch, reading=setup.reading)


def plan(seconds: int, rows: Sequence[TruthRow], setup: Setup) -> list[Window]:
    """The windows of one video, and the sentences active in each."""
    if setup.mode == "global":
        return [Window(0, seconds, np.arange(len(rows)))] if rows else []
    mids = np.array([(row.start + row.end) / 2 for row in rows], dtype=np.float64)
    return plan_htm_align(seconds, mids, [row.alignable for row in rows], setup.protocol.size)


def read_scores(
    scores: Scores,
    evidence: Evidence,
    *,
    calibration: Calibration | None = None,
    decoder: str = "peak",
) -> Prediction:
    """Where the decoder has each sentence, segments of those labelled aligned, and how likely they are seen.

    Sentences are ordered by the head's logit, 0 where no window scored them; without a head by the best
    similarity, or by what the calibration was fitted to. Those that the decoder drops come after all others.
    """
    worth = alignability(scores, calibration)
    method = get_decoder(decoder)
    peaks, found = place(method, evidence)
    aligned = worth.values >= threshold_of(calibration, None, drops=method.drops)
    segments = np.where((aligned & found.kept)[:, None], found.segments, np.nan)
    probabilities = None if worth.kind == "rank" else worth.values.astype(np.float64)
    if scores.head is not None:
        order = np.nan_to_num(scores.head, nan=0.0).astype(np.float64)
    else:
        order = best_scores(scores.similarity) if probabilities is None else probabilities
    return Prediction(peaks, segments, below_kept(order, method, found), probabilities)


def _seconds(features: Features) -> int:
    starts = features.times[:, 0]
    if not len(starts) or not np.allclose(starts, np.arange(len(starts)), atol=1e-3):
        raise DataError("the protocol counts seconds, the features do not have one clip a second from 0 on")
    return len(starts)
