"""`task: nsva`: a multi-sentence grounding network from features and subtitles (Li et al., ECCV 2024)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch

from vidalign.aligners.registry import load_tower
from vidalign.aligners.scorers.sentence_features import FromTower
from vidalign.aligners.scorers.text_towers import TextTower
from vidalign.aligners.scorers.windowed_nsva import NsvaScorer
from vidalign.errors import ConfigError
from vidalign.evaluation.htm_align import PROTOCOLS
from vidalign.training.data.nsva import (
    NsvaData,
    NsvaVideos,
    NsvaVideosFound,
    Vectors,
    find_videos,
    read_vectors,
)
from vidalign.training.jobs import Run, Split
from vidalign.training.objectives.nsva import NsvaObjective, NsvaOptions
from vidalign.training.product import FeatureSource, ModelOptions, aligner_card, write_model_folder
from vidalign.training.tasks.finish import fitted, source_of
from vidalign.training.tasks.heldout import KnownTruth, TruthOptions, device_of, held_out_losses
from vidalign.training.tasks.nsva_start import NetworkOptions, Start
from vidalign.weights.card import Text
from vidalign.weights.cards import AlignerSpec, is_known

SHUFFLED_STEPS = 0.5


@dataclass(frozen=True, slots=True)
class NsvaSettings:
    """The keys of the task.

    `sentences` are a narration, and know their places, or steps in any order. `init_from` (card or model
    folder of an NSVA) brings the network. `backbone` (card or folder) made the features; by default as their
    files say. Its text tower makes the sentences' vectors, unless `data.texts` holds them.
    """

    data: NsvaData
    model: ModelOptions
    sentences: Literal["narration", "steps"] = "narration"
    loss: NsvaOptions = field(default_factory=NsvaOptions)
    network: NetworkOptions | None = None
    init_from: str | None = None
    backbone: str | None = None
    truth: TruthOptions | None = None

    def __post_init__(self) -> None:
        if self.init_from is not None and self.network is not None:
            raise ConfigError("network is what init_from brings", hint="leave network out")
        if self.truth is not None and self.data.texts is not None:
            raise ConfigError("truth needs a text tower, not texts", hint="leave one of the two out")

    @property
    def ordered(self) -> bool:
        """Whether sentences know their places."""
        return self.sentences == "narration"

    @property
    def shuffle(self) -> float:
        """The share of items whose sentences come in random order."""
        given = self.data.videos.shuffle
        return given if given is not None else 0.0 if self.ordered else SHUFFLED_STEPS


class NsvaJob:
    """Trains an aligner; see `NsvaSettings`."""

    Settings = NsvaSettings

    def __init__(self, settings: NsvaSettings, run: Run) -> None:
        self.settings, self.run = settings, run

    def objective(self) -> NsvaObjective:
        """A network with its loss."""
        name = self.settings.model.name
        if self._source is not None and self._source.card.name == name:
            raise ConfigError(f"model.name {name!r} is that of the backbone", hint="choose another")
        network = self._start.network(*self._widths, ordered=self.settings.ordered)
        longest = self.settings.data.videos.longest
        if longest > network.seconds:
            raise ConfigError(
                f"the network has places for {network.seconds} s, not for {longest}",
                hint="set network.seconds, or data.videos.longest",
            )
        return NsvaObjective(network, self.settings.loss)

    def data(self, split: Split) -> NsvaVideos | None:
        """Videos with their sentences."""
        videos = self._found.training if split == "training" else self._found.validation
        if not videos:
            return None
        settings, (vectors, _) = self.settings, self._vectors
        return NsvaVideos(videos, vectors, settings.data.videos, settings.shuffle, self.run.seed)

    def validate(self, objective: Any) -> dict[str, float]:
        """The loss on held-out videos, and `recall` and `auc` over whole videos where the truth is given."""
        data = self.data("validation")
        found = held_out_losses(objective, data, self.run.batch) if data is not None else {}
        return {**found, **(self._truth.metrics(self._scorer(objective)) if self._truth else {})}

    def write_model(self, objective: Any, folder: Path) -> None:
        """A model folder for `align --model`, with a calibration where the truth is given."""
        options, source = self.settings.model, self._source
        spec = AlignerSpec(
            scorer="nsva",
            config=self._start.config(*self._widths, ordered=self.settings.ordered),
            backbone=source.card.name if source else "",
            layer=source.recipe.layer if source else "",
            recipe=source.recipe.name if source else "",
            temperature=self.settings.loss.temperature,
            calibration=fitted(self._truth, self._scorer(objective)) if self._truth else None,
            text="file" if self.settings.data.texts is not None else cast(Text, self._tower.name),
        )
        card = aligner_card(options, spec, notes=self._notes())
        weights = objective.network.state_dict()
        write_model_folder(folder, card, {"aligner": weights}, precision=options.precision, source=source)

    @cached_property
    def _found(self) -> NsvaVideosFound:
        return find_videos(self.settings.data)

    @cached_property
    def _source(self) -> FeatureSource | None:
        """What made the features; None where no model here did, and sentence features are given."""
        settings, origin = self.settings, self._found.origin
        unknown = origin.backbone is None or not is_known(origin.backbone)
        if settings.backbone is None and settings.data.texts is not None and unknown:
            return None
        return source_of(settings.backbone, self._start.backbone, origin)

    @cached_property
    def _tower(self) -> TextTower:
        assert self._source is not None
        return load_tower(self._source.card)[0]

    @cached_property
    def _vectors(self) -> tuple[Vectors, str]:
        """One vector a sentence, and what made them."""
        found, folder = self._found, self.settings.data.texts
        if folder is not None:
            names = [video.name for video in (*found.training, *found.validation)]
            return read_vectors(folder, names, found.texts)
        texts = FromTower(self._tower.name, lambda: self._tower)
        with torch.inference_mode():
            vectors = texts.vectors(found.texts).float().cpu().numpy()
        return np.asarray(vectors, dtype=np.float32), texts.name

    @cached_property
    def _start(self) -> Start:
        return Start(self.settings.network or NetworkOptions(), self.settings.init_from)

    @property
    def _widths(self) -> tuple[int, int]:
        """Of the features and of the sentences' vectors."""
        return self._found.origin.width, self._vectors[0].shape[1]

    @cached_property
    def _truth(self) -> KnownTruth | None:
        truth = self.settings.truth
        return KnownTruth(truth, None, PROTOCOLS["nsva"]) if truth is not None else None

    def _scorer(self, objective: NsvaObjective) -> NsvaScorer:
        network = objective.network
        texts = FromTower(self._tower.name, lambda: self._tower)
        return NsvaScorer(network, texts, device=str(device_of(network)))

    def _notes(self) -> tuple[str, ...]:
        kind, videos = self.settings.sentences, len(self._found.training)
        notes = [f"NSVA's objective, trained on {videos} videos; its sentences are {_KINDS[kind]}."]
        if self.settings.data.texts is not None:
            notes.append(f"Sentence features are those of {self._vectors[1]}.")
        return tuple(notes)


_KINDS = {"narration": "a narration in its order", "steps": "steps in any order"}
