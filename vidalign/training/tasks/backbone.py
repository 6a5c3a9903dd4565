"""`task: backbone`: an S3D with its sentence encoder, from videos and their subtitles (MIL-NCE)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from vidalign.aligners.scorers.text_towers import SIMILARITY_WORDS
from vidalign.aligners.tokens import DictionaryTokens, Tokenizer
from vidalign.backbones.registry import load_backbone
from vidalign.backbones.s3d import S3D
from vidalign.backbones.spec import check_recipe
from vidalign.errors import ConfigError
from vidalign.training.data.clips import ClipData, Clips, ClipSets, load_clip_sets
from vidalign.training.jobs import Run, Split
from vidalign.training.objectives.milnce import MilNceObjective, MilNceOptions, ease_start
from vidalign.training.product import ModelOptions, backbone_card, write_model_folder
from vidalign.training.tasks.heldout import held_out_losses
from vidalign.training.tasks.words import FROM_SUBTITLES, choose_words, dictionary_of
from vidalign.weights.cards import BackboneSpec, get_card
from vidalign.weights.recipes import get_recipe

FRAMES = "frames"


@dataclass(frozen=True, slots=True)
class S3DOptions:
    """The network: `width` multiplies the channels of the published S3D. `easy_start` begins with temporal
    convolutions near the identity and rectifiers mostly open, with which narrow networks learn sooner."""

    width: float = 1.0
    embedding: int = 512
    word_dim: int = 300
    text_hidden: int = 2048
    easy_start: bool = False

    def __post_init__(self) -> None:
        for name in ("width", "embedding", "word_dim", "text_hidden"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be above 0, not {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class BackboneSettings:
    """The keys of the task. `words`: a card, a model folder, a .npy file, or `subtitles`: those that the
    training subtitles hold at least `min_count` times. `init_from`: a backbone (card or folder) that is
    trained on; it brings its network and its words."""

    data: ClipData
    model: ModelOptions
    recipe: str
    network: S3DOptions | None = None
    loss: MilNceOptions = field(default_factory=MilNceOptions)
    words: str | None = None
    min_count: int = 1
    init_from: str | None = None

    def __post_init__(self) -> None:
        for name in ("network", "words"):
            if self.init_from is not None and getattr(self, name) is not None:
                raise ConfigError(f"{name} is what init_from brings", hint=f"leave {name} out")


class BackboneJob:
    """Trains a backbone; see `BackboneSettings`."""

    Settings = BackboneSettings

    def __init__(self, settings: BackboneSettings, run: Run) -> None:
        self.settings, self.run = settings, run
        self.recipe = get_recipe(settings.recipe)

    def objective(self) -> MilNceObjective:
        """A network with its loss."""
        given = self.settings.init_from
        if given is not None:
            loaded = load_backbone(given).network
            if not isinstance(loaded, S3D):
                raise ConfigError(f"init_from: {given} is no S3D with a sentence encoder")
            network = loaded.requires_grad_(True)
        else:
            network = S3D(**self._config())
            if self._network.easy_start:
                ease_start(network)
        check_recipe(self._spec(network), self.recipe, self.settings.model.name)
        return MilNceObjective(network, self.recipe, self.settings.loss)

    def data(self, split: Split) -> Clips | None:
        """Clips with their sentences."""
        return self._sets.training if split == "training" else self._sets.validation

    def validate(self, objective: Any) -> dict[str, float]:
        """The losses on held-out clips."""
        data = self.data("validation")
        return held_out_losses(objective, data, self.run.batch) if data is not None else {}

    def write_model(self, objective: Any, folder: Path) -> None:
        """A model folder that extracts features, and aligns by plain similarity."""
        network: S3D = objective.network
        loss, model = self.settings.loss, self.settings.model
        notes = (f"Trained on {len(self._sets.training.videos)} videos.",)
        card = backbone_card(
            model, self._spec(network), score=loss.score, temperature=loss.temperature, notes=notes
        )
        write_model_folder(
            folder, card, {"backbone": network.state_dict()}, self._words, precision=model.precision
        )

    @property
    def _network(self) -> S3DOptions:
        return self.settings.network or S3DOptions()

    @cached_property
    def _words(self) -> Sequence[str]:
        given = self.settings.init_from
        if given is not None:
            return dictionary_of(given)
        return choose_words(self.settings.words or FROM_SUBTITLES, self.settings.min_count, self._load)

    @cached_property
    def _sets(self) -> ClipSets:
        return self._load(DictionaryTokens(self._words, length=SIMILARITY_WORDS, unknown="drop"))

    def _load(self, tokenizer: Tokenizer) -> ClipSets:
        cache = self.run.folder / FRAMES
        return load_clip_sets(self.settings.data, self.recipe, tokenizer, cache, self.run.seed)

    def _config(self) -> dict[str, Any]:
        config = asdict(self._network)
        del config["easy_start"]
        return {**config, "vocabulary": len(self._words) + 1}

    def _spec(self, network: S3D) -> BackboneSpec:
        given = self.settings.init_from
        spec = get_card(given).backbone if given is not None else None
        config = spec.config if spec is not None else self._config()
        return BackboneSpec("s3d", config, self.recipe, (self.recipe,), dict(network.layers))
