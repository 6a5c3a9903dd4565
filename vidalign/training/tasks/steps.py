"""`task: steps`: VideoCLIP's network goes on learning, from videos whose steps are annotated.

As VideoCLIP (Xu et al., EMNLP 2021) and TempCLR (Yang et al., ICLR 2023) are fine-tuned on CrossTask.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from vidalign.aligners.decoders import get_decoder
from vidalign.aligners.registry import VIDEOCLIP_PIECES, Aligner
from vidalign.aligners.scorers.windowed_videoclip import VideoClipScorer
from vidalign.aligners.tokens import BertTokens
from vidalign.errors import ConfigError, DataError
from vidalign.evaluation.steps import FREE, ORDERED, PUBLISHED
from vidalign.evaluation.steps_recall import locate_all, recall_of
from vidalign.training.data.step_videos import StepData, StepSets, StepVideos, load_step_videos
from vidalign.training.jobs import Run, Split
from vidalign.training.objectives.steps import StepObjective, StepOptions
from vidalign.training.product import FeatureSource, ModelOptions, aligner_card, write_model_folder
from vidalign.training.tasks.finish import source_of
from vidalign.training.tasks.heldout import device_of, held_out_losses
from vidalign.training.tasks.tempclr_start import LaterStart
from vidalign.weights.cards import AlignerSpec

_LOG = logging.getLogger("vidalign.training")

SCORE: Literal["dot"] = "dot"
"""What is trained: the logit of a second and a step."""
RECALLS = {"recall": ORDERED, "recall_softmax": PUBLISHED, "recall_peak": FREE}
"""Metrics, and the decoders of `vidalign eval steps` that they are the recall by."""


@dataclass(frozen=True, slots=True)
class StepsSettings:
    """The keys of the task.

    `init_from` (card or model folder of VideoCLIP or TempCLR) brings network and word pieces. `backbone`
    (card or folder) made the features; by default as their files say. The model decodes by `decoder`.
    """

    data: StepData
    model: ModelOptions
    init_from: str
    loss: StepOptions = field(default_factory=StepOptions)
    backbone: str | None = None
    decoder: str = ORDERED

    def __post_init__(self) -> None:
        get_decoder(self.decoder)


class StepsJob:
    """Trains an aligner; see `StepsSettings`."""

    Settings = StepsSettings

    def __init__(self, settings: StepsSettings, run: Run) -> None:
        self.settings, self.run = settings, run

    def objective(self) -> StepObjective:
        """The network with its loss."""
        if self._source.card.name == self.settings.model.name:
            raise ConfigError(
                f"model.name {self.settings.model.name!r} is that of the backbone", hint="choose another"
            )
        return StepObjective(self._start.network(self._videos.origin.width), self.settings.loss)

    def data(self, split: Split) -> StepSets | None:
        """Whole videos with their steps."""
        videos = self._videos.training if split == "training" else self._videos.validation
        if not videos:
            return None
        return StepSets(videos, self._start.clips, self.settings.loss.frames, self.run.seed)

    def validate(self, objective: Any) -> dict[str, float]:
        """The losses on held-out videos, and the recall of their steps as `vidalign eval steps` has it:
        `recall` in their order, `recall_softmax` as published, `recall_peak` in no order."""
        data = self.data("validation")
        if data is None:
            return {}
        return held_out_losses(objective, data, self.run.batch) | self._recalls(objective)

    def write_model(self, objective: Any, folder: Path) -> None:
        """A model folder for `steps` and `align --model`."""
        options, source = self.settings.model, self._source
        spec = replace(
            self._spec,
            backbone=source.card.name,
            layer=source.recipe.layer,
            recipe=source.recipe.name,
        )
        tasks = len({video.task for video in self._videos.training})
        note = f"Trained on the steps of {tasks} tasks in {len(self._videos.training)} videos."
        write_model_folder(
            folder,
            aligner_card(options, spec, notes=(note,)),
            {"aligner": objective.network.state_dict()},
            self._start.vocabulary,
            precision=options.precision,
            source=source,
        )

    @cached_property
    def _start(self) -> LaterStart:
        return LaterStart(self.settings.init_from)

    @cached_property
    def _tokenizer(self) -> BertTokens:
        return BertTokens(self._start.vocabulary, length=VIDEOCLIP_PIECES)

    @cached_property
    def _videos(self) -> StepVideos:
        return load_step_videos(self.settings.data, self._tokenizer)

    @cached_property
    def _source(self) -> FeatureSource:
        return source_of(self.settings.backbone, self._start.backbone, self._videos.origin)

    @property
    def _spec(self) -> AlignerSpec:
        """Of the trained model, without what makes its features."""
        config = {"score": SCORE, **self._start.config(self._videos.origin.width)}
        return AlignerSpec(
            "tempclr", config, "", "", "", temperature=1.0, text="bert", decoder=self.settings.decoder
        )

    def _recalls(self, objective: StepObjective) -> dict[str, float]:
        found = self._videos
        network, spec = objective.network, self._spec
        scorer = VideoClipScorer(network, self._tokenizer, score=SCORE, device=str(device_of(network)))
        aligner = Aligner(scorer, aligner_card(self.settings.model, spec), spec, "")
        annotated = {(video.task, video.video): video.annotation for video in found.validation}
        try:
            outcome = locate_all(aligner, found.tasks, annotated, found.files, list(RECALLS.values()))
        except DataError as error:
            _LOG.warning("no recall: %s", error.message)
            return {}
        for failed in outcome.failed.values():
            _LOG.warning("no recall: %s", failed.message)
        return {
            name: recall_of(outcome.decoders[decoder], resamples=0).value for name, decoder in RECALLS.items()
        }
