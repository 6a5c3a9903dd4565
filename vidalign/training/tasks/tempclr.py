"""`task: tempclr`: VideoCLIP's network from features and subtitles, by the order of clips and captions.

TempCLR (Yang et al., ICLR 2023), Norton (Lin et al., ICLR 2024) and, without either's term, VideoCLIP.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from vidalign.aligners.decoders import get_decoder
from vidalign.aligners.registry import VIDEOCLIP_PIECES
from vidalign.aligners.scorers.windowed_videoclip import VideoClipScorer
from vidalign.aligners.tokens import BertTokens, Tokenizer
from vidalign.errors import ConfigError
from vidalign.training.data.clip_sets import MARKS, ClipData, ClipSets, TrainingClips, load_clip_sets
from vidalign.training.jobs import Run, Split
from vidalign.training.objectives.tempclr import ClipObjective, make_objective
from vidalign.training.objectives.tempclr_options import TempclrOptions
from vidalign.training.product import (
    FeatureSource,
    ModelOptions,
    aligner_card,
    write_model_folder,
)
from vidalign.training.tasks.finish import fitted, source_of
from vidalign.training.tasks.heldout import KnownTruth, TruthOptions, device_of, held_out_losses
from vidalign.training.tasks.paragraphs import paragraph_recalls
from vidalign.training.tasks.pieces import choose_pieces
from vidalign.training.tasks.tempclr_start import LaterStart, NetworkOptions, NewStart, Start
from vidalign.training.tasks.words import FROM_SUBTITLES
from vidalign.weights.cards import AlignerSpec


@dataclass(frozen=True, slots=True)
class TempclrSettings:
    """The keys of the task.

    `init_from` (card or model folder of VideoCLIP or TempCLR) brings network and word pieces. Otherwise
    `words` are those of a card, a folder, a vocab.txt, or `subtitles`: said at least `min_count` times.
    `backbone` (card or folder) made the features; by default as their files say. The model compares by
    `score` and decodes by `decoder`, with `temperature` deciding on the confidence (norton learns its own).
    """

    data: ClipData
    model: ModelOptions
    loss: TempclrOptions = field(default_factory=TempclrOptions)
    network: NetworkOptions | None = None
    init_from: str | None = None
    words: str | None = None
    min_count: int = 1
    backbone: str | None = None
    truth: TruthOptions | None = None
    score: Literal["cosine", "dot"] = "cosine"
    decoder: str = "dtw"
    temperature: float = 0.07

    def __post_init__(self) -> None:
        for name in ("network", "words"):
            if self.init_from is not None and getattr(self, name) is not None:
                raise ConfigError(f"{name} is what init_from brings", hint=f"leave {name} out")
        if not self.temperature > 0:
            raise ConfigError(f"temperature must be above 0, not {self.temperature}")
        get_decoder(self.decoder)
        pieces, most = self.data.clips.pieces[1], VIDEOCLIP_PIECES - MARKS
        if pieces > most:
            raise ConfigError(
                f"captions of {pieces} pieces are too long for a network that reads {most}",
                hint="lower data.clips.pieces",
            )
        clips, norton = self.data.clips.per_video, self.loss.transport.clips
        if self.loss.objective == "norton" and clips % norton:
            raise ConfigError(f"per_video {clips} is no multiple of the {norton} clips of a sequence")


class TempclrJob:
    """Trains an aligner; see `TempclrSettings`."""

    Settings = TempclrSettings

    def __init__(self, settings: TempclrSettings, run: Run) -> None:
        self.settings, self.run = settings, run

    def objective(self) -> ClipObjective:
        """A network with its loss."""
        name = self.settings.model.name
        if self._source.card.name == name:
            raise ConfigError(f"model.name {name!r} is that of the backbone", hint="choose another")
        longest, sees = self.settings.data.clips.seconds[1], self._start.clips
        if longest > sees:
            raise ConfigError(
                f"clips of {longest} s are too long for a network that sees {sees}",
                hint="set data.clips.seconds, or network.clips",
            )
        return make_objective(self._start.network(self._sets.origin.width), self.settings.loss)

    def data(self, split: Split) -> ClipSets | None:
        """Clips with their captions."""
        return self._sets.training if split == "training" else self._sets.validation

    def validate(self, objective: Any) -> dict[str, float]:
        """The losses on held-out videos; where the truth is given `recall` and `auc` as of an aligner, and
        R@1 of whole videos by their paragraphs: `retrieval_average`, `retrieval_dtw`, `retrieval_otam`."""
        data = self.data("validation")
        found = held_out_losses(objective, data, self.run.batch) if data is not None else {}
        if self._truth is not None:
            scorer = self._scorer(objective)
            found |= {**self._truth.metrics(scorer), **paragraph_recalls(scorer, self._truth.videos)}
        return found

    def write_model(self, objective: Any, folder: Path) -> None:
        """A model folder for `align --model`, with a calibration where the truth is given."""
        options, start, trained = self.settings.model, self._start, objective.temperature
        spec = AlignerSpec(
            scorer="tempclr",
            config={"score": self.settings.score, **start.config(self._sets.origin.width)},
            backbone=self._source.card.name,
            layer=self._source.recipe.layer,
            recipe=self._source.recipe.name,
            temperature=trained or self.settings.temperature,
            calibration=fitted(self._truth, self._scorer(objective)),
            text="bert",
            decoder=self.settings.decoder,
        )
        card = aligner_card(options, spec, notes=self._notes())
        weights = objective.network.state_dict()
        write_model_folder(
            folder,
            card,
            {"aligner": weights},
            start.vocabulary,
            precision=options.precision,
            source=self._source,
        )

    @cached_property
    def _start(self) -> Start:
        settings = self.settings
        if settings.init_from is not None:
            return LaterStart(settings.init_from)
        words = choose_pieces(settings.words or FROM_SUBTITLES, settings.min_count, self._load)
        return NewStart(settings.network or NetworkOptions(), words)

    @cached_property
    def _tokenizer(self) -> BertTokens:
        return BertTokens(self._start.vocabulary, length=VIDEOCLIP_PIECES)

    @cached_property
    def _sets(self) -> TrainingClips:
        return self._load(self._tokenizer)

    def _load(self, tokenizer: Tokenizer) -> TrainingClips:
        return load_clip_sets(self.settings.data, tokenizer, self.run.seed)

    @cached_property
    def _source(self) -> FeatureSource:
        return source_of(self.settings.backbone, self._start.backbone, self._sets.origin)

    @cached_property
    def _truth(self) -> KnownTruth | None:
        return KnownTruth(self.settings.truth, "both") if self.settings.truth is not None else None

    def _scorer(self, objective: ClipObjective) -> VideoClipScorer:
        network = objective.network
        return VideoClipScorer(
            network, self._tokenizer, score=self.settings.score, device=str(device_of(network))
        )

    def _notes(self) -> tuple[str, ...]:
        loss, videos = self.settings.loss, len(self._sets.training.videos)
        by = loss.sequence.distance if loss.sequence.weight else "clips and captions alone"
        name = "Norton's objective" if loss.objective == "norton" else f"TempCLR's objective, {by}"
        return (f"{name}, trained on {videos} videos.",)
