"""How a network of VideoCLIP's begins: new, or from a model folder or card of its kind."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from vidalign.aligners.registry import VIDEOCLIP_PIECES, load_aligner, vocabulary_of
from vidalign.aligners.scorers.videoclip import AROUND, VideoCLIP
from vidalign.aligners.scorers.windowed_videoclip import VideoClipScorer
from vidalign.errors import ConfigError
from vidalign.text.wordpiece import FIRST, LAST
from vidalign.weights.cards import ModelCard, backbone_of


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """A new network, by default of the published size; `clips` is the most seconds that it sees at once."""

    width: int = 768
    heads: int = 12
    hidden: int = 3072
    video_layers: int = 6
    text_layers: int = 12
    clips: int = 32
    dropout: float = 0.1

    def __post_init__(self) -> None:
        for name in ("width", "heads", "hidden", "video_layers", "text_layers", "clips"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be above 0, not {getattr(self, name)}")
        if self.width % self.heads:
            raise ConfigError(f"width {self.width} is no multiple of heads {self.heads}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout must be in [0, 1), not {self.dropout}")


class Start(Protocol):
    """Where a network and its word pieces come from."""

    @property
    def vocabulary(self) -> list[str]:
        """The word pieces."""
        ...

    @property
    def backbone(self) -> ModelCard | None:
        """The model whose features are probably read."""
        ...

    @property
    def clips(self) -> int:
        """The most seconds that it sees at once."""
        ...

    def config(self, video_dim: int) -> dict[str, Any]:
        """Arguments of VideoCLIP; raises ConfigError where features are of another width."""
        ...

    def network(self, video_dim: int) -> VideoCLIP:
        """A network to be trained; raises as `config` does."""
        ...


class NewStart:
    """Random weights."""

    backbone: ModelCard | None = None

    def __init__(self, options: NetworkOptions, vocabulary: list[str]) -> None:
        self.options = options
        self.vocabulary = vocabulary
        self.clips = options.clips

    def config(self, video_dim: int) -> dict[str, Any]:
        """Arguments of VideoCLIP."""
        return {
            **asdict(self.options),
            "video_dim": video_dim,
            "vocabulary": len(self.vocabulary),
            "positions": max(self.options.clips + AROUND, VIDEOCLIP_PIECES),
            "first": self.vocabulary.index(FIRST),
            "last": self.vocabulary.index(LAST),
        }

    def network(self, video_dim: int) -> VideoCLIP:
        """Random weights from torch's generator."""
        return VideoCLIP(**self.config(video_dim))


class LaterStart:
    """A trained network and its word pieces."""

    def __init__(self, model: str) -> None:
        self.aligner = load_aligner(model)
        scorer = self.aligner.scorer
        if not isinstance(scorer, VideoClipScorer):
            raise ConfigError(f"init_from: {model} is no VideoCLIP or TempCLR")
        self.trained = scorer.model
        self.vocabulary = vocabulary_of(self.aligner.card)
        self.backbone: ModelCard | None = backbone_of(self.aligner.card)
        self.clips = self.trained.clips

    def config(self, video_dim: int) -> dict[str, Any]:
        """The card's arguments of VideoCLIP."""
        if self.trained.video_dim != video_dim:
            raise ConfigError(f"the features are {video_dim} wide, init_from reads {self.trained.video_dim}")
        return {name: value for name, value in self.aligner.spec.config.items() if name != "score"}

    def network(self, video_dim: int) -> VideoCLIP:
        """A network with those weights."""
        self.config(video_dim)
        return deepcopy(self.trained)
