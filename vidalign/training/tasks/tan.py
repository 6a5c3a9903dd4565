"""`task: tan`: a temporal alignment network from features and subtitles, either stage (CVPR 2022)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from vidalign.aligners.scorers.tan import TAN
from vidalign.aligners.scorers.windowed_tan import TanScorer
from vidalign.aligners.tokens import Tokenizer
from vidalign.errors import ConfigError
from vidalign.training.data.tan import TanData, TanSets, load_tan_sets
from vidalign.training.data.windows import TanWindows
from vidalign.training.jobs import Run, Split
from vidalign.training.objectives.tan import TanObjective
from vidalign.training.objectives.tan_options import TanOptions
from vidalign.training.objectives.tan_start import small_residual
from vidalign.training.product import (
    FeatureSource,
    ModelOptions,
    aligner_card,
    write_model_folder,
)
from vidalign.training.tasks.finish import fitted, source_of
from vidalign.training.tasks.heldout import KnownTruth, TruthOptions, device_of, held_out_losses
from vidalign.training.tasks.start import LaterStart, NetworkOptions, NewStart, Start
from vidalign.training.tasks.words import FROM_SUBTITLES, choose_words
from vidalign.weights.cards import AlignerSpec, Calibration


@dataclass(frozen=True, slots=True)
class TanSettings:
    """The keys of the task.

    `init_from` (card or model folder of an aligner) goes on from an earlier stage and brings network and
    words; `warm_start` (card or folder of a backbone) brings towers and words. Otherwise `words` are those of
    a card, a folder, a .npy file, or `subtitles`: said at least `min_count` times. `small_residual` scales
    what the blocks of a new network add. `backbone` (card or folder) made the features; by default as their
    files say. With `averaged` the model is the teacher of co-training, not the network that it taught.
    """

    data: TanData
    model: ModelOptions
    loss: TanOptions = field(default_factory=TanOptions)
    network: NetworkOptions | None = None
    init_from: str | None = None
    warm_start: str | None = None
    small_residual: float = 1.0
    words: str | None = None
    min_count: int = 1
    backbone: str | None = None
    truth: TruthOptions | None = None
    averaged: bool = False

    def __post_init__(self) -> None:
        for source in ("init_from", "warm_start"):
            barred = ("network", "words", "warm_start") if source == "init_from" else ("words",)
            for name in barred:
                if getattr(self, source) is not None and getattr(self, name) is not None:
                    raise ConfigError(f"{name} and {source} do not go together", hint="leave one out")
        if self.averaged and self.loss.stage != "cotrain":
            raise ConfigError("averaged needs stage: cotrain, which has a teacher")
        if self.small_residual < 0:
            raise ConfigError(f"small_residual must not be below 0, not {self.small_residual}")


class TanJob:
    """Trains an aligner; see `TanSettings`."""

    Settings = TanSettings

    def __init__(self, settings: TanSettings, run: Run) -> None:
        self.settings, self.run = settings, run

    def objective(self) -> TanObjective:
        """A network with the losses of its stage."""
        name = self.settings.model.name
        if self._source.card.name == name:
            raise ConfigError(f"model.name {name!r} is that of the backbone", hint="choose another")
        network = self._start.network(self._sets.origin.width, self._has_head)
        if self.settings.init_from is None and self.settings.small_residual != 1:
            small_residual(network, self.settings.small_residual)
        return TanObjective(network, self.settings.loss)

    def data(self, split: Split) -> TanWindows | None:
        """Windows of features with their sentences."""
        return self._sets.training if split == "training" else self._sets.validation

    def validate(self, objective: Any) -> dict[str, float]:
        """The losses on held-out windows, and `recall` and `auc` where the truth is given."""
        data = self.data("validation")
        found = held_out_losses(objective, data, self.run.batch) if data is not None else {}
        return {**found, **(self._truth.metrics(self._scorer(objective)) if self._truth else {})}

    def write_model(self, objective: Any, folder: Path) -> None:
        """A model folder for `align --model`, with a calibration where the truth is given."""
        options, source = self.settings.model, self._source
        calibration = fitted(self._truth, self._scorer(objective))
        card = aligner_card(options, self._spec(calibration), notes=self._notes())
        weights = self._trained(objective).state_dict()
        write_model_folder(
            folder, card, {"aligner": weights}, self._start.words, precision=options.precision, source=source
        )

    @cached_property
    def _start(self) -> Start:
        settings = self.settings
        if settings.init_from is not None:
            return LaterStart(settings.init_from)
        words = None
        if settings.warm_start is None:
            words = choose_words(settings.words or FROM_SUBTITLES, settings.min_count, self._load)
        return NewStart(settings.network or NetworkOptions(), words, settings.warm_start)

    @cached_property
    def _sets(self) -> TanSets:
        return self._load(self._start.tokenizer)

    def _load(self, tokenizer: Tokenizer) -> TanSets:
        return load_tan_sets(self.settings.data, tokenizer, self.run.seed)

    @cached_property
    def _source(self) -> FeatureSource:
        """What made the features: as said, or a model that the run starts from where it is the one."""
        return source_of(self.settings.backbone, self._start.backbone, self._sets.origin)

    @cached_property
    def _truth(self) -> KnownTruth | None:
        truth = self.settings.truth
        return KnownTruth(truth, self.settings.loss.encoders) if truth is not None else None

    @property
    def _has_head(self) -> bool:
        """A head that nothing trains would only make noise."""
        start = self._start
        return bool(self.settings.loss.head) or (isinstance(start, LaterStart) and start.has_head)

    def _trained(self, objective: TanObjective) -> TAN:
        if self.settings.averaged and objective.teacher is not None:
            return objective.teacher.network
        return objective.network

    def _scorer(self, objective: TanObjective) -> TanScorer:
        network = self._trained(objective)
        return TanScorer(network, self._start.tokenizer, device=str(device_of(network)))

    def _spec(self, calibration: Calibration | None) -> AlignerSpec:
        source = self._source
        return AlignerSpec(
            scorer="tan",
            config=self._start.config(self._sets.origin.width, self._has_head),
            backbone=source.card.name,
            layer=source.recipe.layer,
            recipe=source.recipe.name,
            temperature=self.settings.loss.temperature,
            calibration=calibration,
            text=self._start.text,
        )

    def _notes(self) -> tuple[str, ...]:
        loss = self.settings.loss
        notes = [f"Stage {loss.stage}, trained on {len(self._sets.training.videos)} videos."]
        if loss.encoders != "both":
            notes.append(f"Only the {loss.encoders} encoder was trained.")
        return tuple(notes)
