"""`task: action`: a 2-D ResNet over frames, with or without temporal modules, from videos by class."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from vidalign.backbones.registry import load_backbone
from vidalign.backbones.resnet2d import DEPTHS
from vidalign.backbones.spec import check_recipe
from vidalign.backbones.tanet import TANet, TemporalKind
from vidalign.errors import ConfigError
from vidalign.store.atomic import write_text
from vidalign.training.data.actions import ActionClips, ActionData, ActionSets, load_action_sets
from vidalign.training.jobs import Run, Split
from vidalign.training.objectives.action import ActionObjective, ActionOptions
from vidalign.training.product import ModelOptions, encoder_card, write_model_folder
from vidalign.training.stream import fixed_batches, to_device
from vidalign.weights.cards import BackboneSpec
from vidalign.weights.convert import match, read_tensors
from vidalign.weights.recipes import get_recipe

FRAMES, CLASSES = "frames", "classes.txt"
FAMILY = "tanet"
SHOWN_LABELS = 20
"""How many classes the card names; the run's classes.txt has all."""
_KINDS = {"none": "2-D", "shift": "temporal shift", "tam": "temporal adaptive"}


@dataclass(frozen=True, slots=True)
class ActionNetwork:
    """A ResNet of `depth` layers over the recipe's number of frames; `width` multiplies its channels.

    `temporal`: in every block TAM, a shift of channels in time, or none (TSN). `dropout` acts before the
    classifier.
    """

    depth: int = 50
    temporal: TemporalKind = "tam"
    width: float = 1.0
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if self.depth not in DEPTHS:
            raise ConfigError(f"depth is {self.depth}", hint=f"one of {', '.join(map(str, DEPTHS))}")
        if not self.width > 0:
            raise ConfigError(f"width must be above 0, not {self.width:g}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout must be from 0 to below 1, not {self.dropout:g}")


@dataclass(frozen=True, slots=True)
class ActionSettings:
    """The keys of the task. `init_from`: a file of weights under torchvision's names of the ResNet (without
    temporal modules, the classifier is not read), or a backbone of this kind (card or folder), whose
    classifier is kept where it has as many classes."""

    data: ActionData
    model: ModelOptions
    recipe: str
    network: ActionNetwork = field(default_factory=ActionNetwork)
    loss: ActionOptions = field(default_factory=ActionOptions)
    init_from: str | None = None


class ActionJob:
    """Trains a classifier of clips; see `ActionSettings`."""

    Settings = ActionSettings

    def __init__(self, settings: ActionSettings, run: Run) -> None:
        self.settings, self.run = settings, run
        self.recipe = get_recipe(settings.recipe)

    def objective(self) -> ActionObjective:
        """A network with its loss."""
        network = TANet(**self._config)
        check_recipe(self._spec(network), self.recipe, self.settings.model.name)
        if self.settings.init_from is not None:
            _begin(network, self.settings.init_from)
        return ActionObjective(network, self.recipe, self.settings.loss)

    def data(self, split: Split) -> ActionClips | None:
        """Clips with their classes."""
        return self._sets.training if split == "training" else self._sets.validation

    def validate(self, objective: Any) -> dict[str, float]:
        """`loss`, `accuracy` and `top5` over the held-out videos, one clip each."""
        data = self.data("validation")
        return judge(objective, data, self.run.batch) if data is not None else {}

    def write_model(self, objective: Any, folder: Path) -> None:
        """A model folder that extracts features, and the classes by index beside it."""
        network: TANet = objective.network
        options = self.settings.network
        summary = f"ResNet-{options.depth}, {_KINDS[options.temporal]}, trained to classify actions"
        card = encoder_card(self.settings.model, self._spec(network), summary, notes=self._notes())
        write_text(self.run.folder / CLASSES, "\n".join(self._sets.labels) + "\n")
        write_model_folder(
            folder, card, {"backbone": network.state_dict()}, precision=self.settings.model.precision
        )

    @cached_property
    def _sets(self) -> ActionSets:
        return load_action_sets(self.settings.data, self.recipe, self.run.folder / FRAMES, self.run.seed)

    @property
    def _config(self) -> dict[str, Any]:
        return {
            **asdict(self.settings.network),
            "frames": self.recipe.frames,
            "classes": len(self._sets.labels),
        }

    def _notes(self) -> tuple[str, ...]:
        labels = self._sets.labels
        shown = ", ".join(labels[:SHOWN_LABELS])
        rest = f", and {len(labels) - SHOWN_LABELS} more" if len(labels) > SHOWN_LABELS else ""
        return (
            f"Trained on {len(self._sets.training)} videos.",
            f"Outputs of the layer logits: {shown}{rest}.",
        )

    def _spec(self, network: TANet) -> BackboneSpec:
        return BackboneSpec(FAMILY, self._config, self.recipe, (self.recipe,), dict(network.layers))


def _begin(network: TANet, given: str) -> None:
    """Give the network the weights to begin with; raises ModelError or ConfigError where they do not fit."""
    if Path(given).is_file():
        wanted = {name: t for name, t in network.base.state_dict().items() if ".tam." not in name}
        tensors = {name: t for name, t in read_tensors(Path(given)).items() if not name.startswith("fc.")}
        shapes = {name: tuple(t.shape) for name, t in wanted.items()}
        network.base.load_state_dict(match(tensors, shapes, what=given), strict=False)
        return
    loaded = load_backbone(given).network
    if not isinstance(loaded, TANet):
        raise ConfigError(f"init_from: {given} is no ResNet over frames")
    begun = loaded.state_dict()
    if loaded.fc.out_features != network.fc.out_features:
        begun |= {f"fc.{name}": t for name, t in network.fc.state_dict().items()}
    shapes = {name: tuple(t.shape) for name, t in network.state_dict().items()}
    network.load_state_dict(match(begun, shapes, what=given))


@torch.no_grad()
def judge(objective: ActionObjective, data: ActionClips, batch: int) -> dict[str, float]:
    """Mean loss, and the shares of clips whose class has the largest score, or one of the five largest."""
    device = next(objective.parameters()).device
    scores, labels = [], []
    for part in fixed_batches(data, batch):
        here = to_device(part, device)
        scores.append(objective.scores(here).float())
        labels.append(here["labels"])
    logits, truth = torch.cat(scores), torch.cat(labels)
    best = logits.topk(min(5, logits.shape[1]), dim=1).indices == truth[:, None]
    return {
        "loss": float(F.cross_entropy(logits, truth)),
        "accuracy": float(best[:, 0].float().mean()),
        "top5": float(best.any(dim=1).float().mean()),
    }
