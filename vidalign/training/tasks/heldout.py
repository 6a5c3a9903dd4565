"""Validation: the loss on held-out items, and the published metrics where the truth is known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from vidalign.aligners.calibrate import raw_score
from vidalign.aligners.decoders.evidence import Evidence
from vidalign.aligners.scores import Encoders, Scorer, Scores
from vidalign.errors import ConfigError, DataError
from vidalign.evaluation.annotations import Truth, TruthRow, read_annotations
from vidalign.evaluation.calibration import fit_calibration
from vidalign.evaluation.files import NamedFiles, features_files
from vidalign.evaluation.htm_align import PROTOCOLS, Protocol, Setup, read_scores, score_rows
from vidalign.evaluation.prediction import judge_rows, pool
from vidalign.evaluation.report import measure
from vidalign.store.features import read_features
from vidalign.training.jobs import TrainingSet
from vidalign.training.stream import fixed_batches, to_device
from vidalign.weights.cards import Calibration


def held_out_losses(objective: nn.Module, data: TrainingSet[Any], batch: int) -> dict[str, float]:
    """Means of the losses over a data set as its epoch 0 has it, weighted by the size of the batches."""
    device = next(objective.parameters()).device
    sums: dict[str, float] = defaultdict(float)
    total = 0
    for part in fixed_batches(data, batch):
        count = len(next(iter(part.values())))
        total += count
        for name, value in objective(to_device(part, device)).items():
            sums[name] += float(value) * count
    return {name: value / total for name, value in sums.items()}


@dataclass(frozen=True, slots=True)
class TruthOptions:
    """Where it is known what can be seen when: `annotations` as HTM-Align's, and the videos' `features`.

    Only the first `limit` videos are used (0: all). `calibrate` fits the model's alignability to them.
    """

    annotations: Path
    features: Path
    limit: int = 0
    calibrate: bool = True

    def __post_init__(self) -> None:
        if self.limit < 0:
            raise ConfigError(f"limit must not be below 0, not {self.limit}")


class KnownTruth:
    """Runs a scorer over annotated videos, by default under TAN's protocol (Han et al., CVPR 2022)."""

    def __init__(
        self,
        options: TruthOptions,
        encoders: Encoders | None,
        protocol: Protocol = PROTOCOLS["tan"],
    ) -> None:
        truth = read_annotations(options.annotations)
        files = features_files(options.features)
        self.options = options
        self.setup = Setup(protocol, encoders=encoders)
        self.videos = _with_features(truth, files, options.limit)
        if not self.videos:
            raise DataError(f"no video of {options.annotations} has features in {options.features}")

    def metrics(self, scorer: Scorer) -> dict[str, float]:
        """`recall` (R@1), `auc` and whatever else can be measured, over all sentences."""
        exact = self.setup.protocol.exact
        judged = [
            judge_rows(
                read_scores(scores, Evidence(scores.similarity, times)), rows, exact=exact, video=number
            )
            for number, (scores, times, rows) in enumerate(self._scored(scorer))
        ]
        found = measure(pool(judged))
        return {name: value for name, value in found.items() if np.isfinite(value)}

    def calibration(self, scorer: Scorer) -> Calibration:
        """What `align` needs to tell whether a sentence can be seen; raises DataError."""
        scored = [(raw_score(scores), rows) for scores, _, rows in self._scored(scorer)]
        labels = [row.alignable for _, rows in scored for row in rows]
        said = f"{len(labels)} sentences of {self.options.annotations.name}"
        return fit_calibration(np.concatenate([score for score, _ in scored]), labels, said)

    def _scored(self, scorer: Scorer) -> list[tuple[Scores, np.ndarray[Any, Any], Sequence[TruthRow]]]:
        found = []
        for path, rows in self.videos:
            features = read_features(path)
            found.append((score_rows(scorer, features, rows, self.setup), features.times, rows))
        return found


def _with_features(
    truth: Truth | Mapping[str, Sequence[TruthRow]], files: NamedFiles, limit: int
) -> list[tuple[Path, Sequence[TruthRow]]]:
    found = [(files.find(video), rows) for video, rows in sorted(truth.items())]
    here = [(path, rows) for path, rows in found if path is not None and len(rows)]
    return here[:limit] if limit else here


def device_of(module: nn.Module) -> torch.device:
    """Where the parameters are."""
    return next(module.parameters()).device
