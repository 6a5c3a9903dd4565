"""How an NSVA begins: new, or from a model folder or card of its kind."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from vidalign.aligners.registry import load_aligner
from vidalign.aligners.scorers.nsva import NSVA
from vidalign.aligners.scorers.windowed_nsva import NsvaScorer
from vidalign.errors import ConfigError
from vidalign.weights.cards import ModelCard, backbone_of


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """A new network, by default of the published size; it has places for videos of `seconds`."""

    width: int = 256
    heads: int = 8
    hidden: int = 2048
    video_layers: int = 3
    text_layers: int = 3
    dropout: float = 0.1
    seconds: int = 5000

    def __post_init__(self) -> None:
        for name in ("width", "heads", "hidden", "video_layers", "text_layers", "seconds"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be above 0, not {getattr(self, name)}")
        if self.width % self.heads or self.width % 2:
            raise ConfigError(f"width {self.width} is odd, or no multiple of heads {self.heads}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout must be in [0, 1), not {self.dropout}")


class Start:
    """A network with random weights, or the one of the model `init_from`."""

    def __init__(self, options: NetworkOptions, init_from: str | None) -> None:
        self.backbone: ModelCard | None = None
        self._given: dict[str, Any] = asdict(options)
        self._trained: NSVA | None = None
        if init_from is None:
            return
        aligner = load_aligner(init_from)
        if not isinstance(aligner.scorer, NsvaScorer):
            raise ConfigError(f"init_from: {init_from} is no NSVA")
        self._given = dict(aligner.spec.config)
        self._trained = aligner.scorer.model
        if aligner.spec.backbone:
            self.backbone = backbone_of(aligner.card)

    def config(self, video_dim: int, text_dim: int, *, ordered: bool) -> dict[str, Any]:
        """Arguments of NSVA; raises ConfigError where `init_from` reads other widths."""
        widths = {"video_dim": video_dim, "text_dim": text_dim}
        for name, width in widths.items():
            theirs = width if self._trained is None else getattr(self._trained, name)
            if theirs != width:
                raise ConfigError(f"{name} of the data is {width}, of init_from {theirs}")
        return {**self._given, **widths, "ordered": ordered}

    def network(self, video_dim: int, text_dim: int, *, ordered: bool) -> NSVA:
        """A network to be trained, its random weights from torch's generator; raises as `config` does."""
        network = NSVA(**self.config(video_dim, text_dim, ordered=ordered))
        if self._trained is not None:
            network.load_state_dict(self._trained.state_dict())
        return network
