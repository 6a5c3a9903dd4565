"""`task: tsp`: a clip encoder that knows actions from background, from videos and their segments (TSP)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidalign.backbones.registry import load_backbone
from vidalign.backbones.spec import check_recipe
from vidalign.backbones.tsp import TSP
from vidalign.backbones.video_resnet import Midplanes, VideoResNet
from vidalign.errors import ConfigError
from vidalign.training.data.segment_clips import (
    SegmentClips,
    SegmentData,
    SegmentSets,
    check_clips,
    load_segment_sets,
)
from vidalign.training.jobs import Run, Split
from vidalign.training.losses.tsp import REGIONS, accuracy, labelled_cross_entropy
from vidalign.training.objectives.tsp import Rates, TspObjective, TspOptions
from vidalign.training.product import ModelOptions, encoder_card, write_model_folder
from vidalign.training.stream import fixed_batches, to_device
from vidalign.weights.cards import BackboneSpec, get_card
from vidalign.weights.recipes import get_recipe

FRAMES = "frames"
FAMILY = "tsp"
SHOWN_LABELS = 20
"""How many actions the card names."""


@dataclass(frozen=True, slots=True)
class EncoderOptions:
    """The network: R(2+1)D, or R3D where it is not `separable`, of 18 or 34 layers; `width` multiplies its
    channels, `eps` and `momentum` are those of its batch norms."""

    depth: int = 18
    separable: bool = True
    midplanes: Midplanes = "block"
    eps: float = 1e-5
    momentum: float = 0.1
    width: float = 1.0


@dataclass(frozen=True, slots=True)
class TspSettings:
    """The keys of the task. `gvf`: a folder that `vidalign extract` wrote (--gvf). `init_from`: a backbone of
    the same kind (card or folder) that is trained on; it brings its network, but not its heads."""

    data: SegmentData
    model: ModelOptions
    recipe: str
    network: EncoderOptions | None = None
    loss: TspOptions = field(default_factory=TspOptions)
    rates: Rates = field(default_factory=Rates)
    gvf: Path | None = None
    init_from: str | None = None

    def __post_init__(self) -> None:
        if self.init_from is not None and self.network is not None:
            raise ConfigError("network is what init_from brings", hint="leave network out")
        if self.gvf is not None and self.loss.objective == "tac":
            raise ConfigError("gvf goes with objective tsp; tac has no head that reads it")
        if self.rates.stem == 0 and self.init_from is None:
            raise ConfigError(
                "rates: a stem that is kept as it begins must have been trained",
                hint="give init_from, or rates.stem: 1",
            )


class TspJob:
    """Trains an encoder; see `TspSettings`."""

    Settings = TspSettings

    def __init__(self, settings: TspSettings, run: Run) -> None:
        self.settings, self.run = settings, run
        self.recipe = get_recipe(settings.recipe)
        check_clips(self.recipe)

    def objective(self) -> TspObjective:
        """An encoder with its heads and losses."""
        network = TSP(**self._config)
        if self._begun is not None:
            network.features.load_state_dict(self._begun.state_dict())
        check_recipe(self._spec(network), self.recipe, self.settings.model.name)
        return TspObjective(network, self.recipe, self.settings.loss, self.settings.rates)

    def data(self, split: Split) -> SegmentClips | None:
        """Clips of segments."""
        return self._sets.training if split == "training" else self._sets.validation

    def validate(self, objective: Any) -> dict[str, float]:
        """Losses and accuracies of the heads on held-out clips; `accuracy` is the mean of the latter."""
        data = self.data("validation")
        if data is None:
            return {}
        return judge(objective, data, self.run.batch)

    def write_model(self, objective: Any, folder: Path) -> None:
        """A model folder that extracts features."""
        network: TSP = objective.network
        learnt = "actions and background" if self.settings.loss.objective == "tsp" else "actions alone"
        summary = f"{self._kind} clip encoder, trained to tell {learnt} apart"
        card = encoder_card(self.settings.model, self._spec(network), summary, notes=self._notes())
        write_model_folder(
            folder, card, {"backbone": network.state_dict()}, precision=self.settings.model.precision
        )

    @cached_property
    def _sets(self) -> SegmentSets:
        return load_segment_sets(
            self.settings.data,
            self.recipe,
            self.run.folder / FRAMES,
            background=self.settings.loss.objective == "tsp",
            gvf=self.settings.gvf,
            seed=self.run.seed,
        )

    @cached_property
    def _begun(self) -> VideoResNet | None:
        """The encoder of `init_from`."""
        given = self.settings.init_from
        if given is None:
            return None
        loaded = load_backbone(given).network
        encoder = loaded.features if isinstance(loaded, TSP) else loaded
        if not isinstance(encoder, VideoResNet):
            raise ConfigError(f"init_from: {given} is neither R(2+1)D nor R3D")
        return encoder

    @cached_property
    def _config(self) -> dict[str, Any]:
        """Of the network with its heads."""
        given = self.settings.init_from
        if given is None:
            config = asdict(self.settings.network or EncoderOptions())
        else:
            spec = get_card(given).backbone
            assert spec is not None
            names = set(EncoderOptions.__dataclass_fields__)
            config = {name: value for name, value in spec.config.items() if name in names}
        regions = len(REGIONS) if self.settings.loss.objective == "tsp" else 0
        pooled = self._sets.training.gvf
        gvf = len(next(iter(pooled.values()))) if pooled is not None else 0
        return {**config, "actions": len(self._sets.labels), "regions": regions, "gvf": gvf}

    @property
    def _kind(self) -> str:
        return f"{'R(2+1)D' if self._config.get('separable', True) else 'R3D'}-{self._config['depth']}"

    def _notes(self) -> tuple[str, ...]:
        sets = self._sets
        shown = ", ".join(sets.labels[:SHOWN_LABELS])
        rest = f", and {len(sets.labels) - SHOWN_LABELS} more" if len(sets.labels) > SHOWN_LABELS else ""
        return (
            f"Trained on {len(sets.training.stretches)} segments.",
            f"Outputs of the action head: {shown}{rest}.",
        )

    def _spec(self, network: TSP) -> BackboneSpec:
        return BackboneSpec(FAMILY, self._config, self.recipe, (self.recipe,), dict(network.layers))


@torch.no_grad()
def judge(objective: TspObjective, data: SegmentClips, batch: int) -> dict[str, float]:
    """Loss and accuracy of each head over all clips, and the mean of the accuracies."""
    device = next(objective.parameters()).device
    scores: dict[str, list[Tensor]] = defaultdict(list)
    labels: dict[str, list[Tensor]] = defaultdict(list)
    for part in fixed_batches(data, batch):
        here = to_device(part, device)
        for head, logits in objective.scores(here).items():
            scores[head].append(logits.float())
            labels[head].append(objective.labels(here)[head])
    found: dict[str, float] = {}
    for head in scores:
        logits, truth = torch.cat(scores[head]), torch.cat(labels[head])
        found[f"{head}_loss"] = float(labelled_cross_entropy(logits, truth))
        found[f"{head}_accuracy"] = float(accuracy(logits, truth))
    known = [value for name, value in found.items() if name.endswith("_accuracy")]
    return {**found, "accuracy": sum(known) / len(known)}
