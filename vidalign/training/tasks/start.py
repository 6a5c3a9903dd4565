"""How a TAN begins: new, from a backbone's towers, or from a model folder of an earlier stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from vidalign.aligners.registry import TAN_WORDS, load_aligner
from vidalign.aligners.scorers.tan import HEAD_STAGE, TAN
from vidalign.aligners.scorers.windowed_tan import TanScorer
from vidalign.aligners.tokens import DictionaryTokens, Tokenizer
from vidalign.backbones.registry import load_backbone
from vidalign.backbones.s3d import S3D
from vidalign.errors import ConfigError
from vidalign.training.objectives.tan_start import warm_start
from vidalign.training.tasks.words import dictionary_of
from vidalign.weights.cache import locate
from vidalign.weights.cards import ModelCard, backbone_of, get_card


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """The network. With a warm start, fields left at None are as wide as the backbone's towers; without, the
    published widths. `head` counts where it is trained. Without video_layers the dual encoder is the plain
    similarity of the towers."""

    width: int | None = None
    heads: int = 8
    video_layers: int = 6
    joint_layers: int = 6
    text_dim: int | None = None
    word_dim: int | None = None
    text_hidden: int | None = None
    positions: Literal["learned", "sine"] = "learned"
    text_positions: bool = False

    def __post_init__(self) -> None:
        for name in ("width", "heads", "video_layers", "joint_layers", "text_dim", "word_dim", "text_hidden"):
            value = getattr(self, name)
            if value is not None and value < (name != "video_layers"):
                raise ConfigError(f"{name} must be above 0, not {value}")
        if self.width is not None and self.width % self.heads:
            raise ConfigError(f"width {self.width} is no multiple of heads {self.heads}")


class Start(Protocol):
    """Where words and networks come from."""

    @property
    def tokenizer(self) -> Tokenizer:
        """How sentences are read."""
        ...

    @property
    def words(self) -> Sequence[str]:
        """The dictionary, or the vocabulary of BERT."""
        ...

    @property
    def backbone(self) -> ModelCard | None:
        """The model whose features are probably read."""
        ...

    @property
    def text(self) -> Literal["word2vec", "bert"]:
        """The kind of sentence encoder."""
        ...

    def config(self, video_dim: int, head: bool) -> dict[str, Any]:
        """Arguments of TAN for features of that width."""
        ...

    def network(self, video_dim: int, head: bool) -> TAN:
        """A network to be trained; raises ConfigError where features are of another width."""
        ...


class NewStart:
    """Random weights, apart from what a backbone's towers bring."""

    text: Literal["word2vec", "bert"] = "word2vec"

    def __init__(self, options: NetworkOptions, words: Sequence[str] | None, warm: str | None) -> None:
        self.options = options
        self.towers: S3D | None = None
        self.backbone: ModelCard | None = None
        if warm is not None:
            self.backbone = get_card(warm)
            towers = load_backbone(warm).network
            if not isinstance(towers, S3D):
                raise ConfigError(f"warm_start: {warm} has no sentence encoder")
            self.towers = towers
            words = dictionary_of(warm)
        self.words: Sequence[str] = words or ()
        self.tokenizer: Tokenizer = DictionaryTokens(self.words, length=TAN_WORDS, unknown="keep")

    def config(self, video_dim: int, head: bool) -> dict[str, Any]:
        """Arguments of TAN; the head needs a stage of the joint encoder to read."""
        given = {name: value for name, value in asdict(self.options).items() if value is not None}
        vocabulary = len(self.words) + 1
        usual = {
            "width": 512,
            "text_dim": 512,
            "word_dim": 300,
            "text_hidden": 2048,
            "vocabulary": vocabulary,
        }
        if self.towers is not None:
            text = self.towers.text_module
            wide = self.towers.fc.out_features
            usual = {
                "width": wide,
                "text_dim": wide,
                "word_dim": text.word_embd.embedding_dim,
                "text_hidden": text.fc1.out_features,
                "vocabulary": text.word_embd.num_embeddings,
            }
        if head and self.options.joint_layers <= HEAD_STAGE:
            raise ConfigError(f"the alignability head needs joint_layers above {HEAD_STAGE}")
        config: dict[str, Any] = {**usual, **given, "video_dim": video_dim, "head": head}
        if config["width"] % config["heads"]:
            raise ConfigError(f"width {config['width']} is no multiple of heads {config['heads']}")
        return config

    def network(self, video_dim: int, head: bool) -> TAN:
        """Random weights from torch's generator, then the towers'."""
        network = TAN(**self.config(video_dim, head))
        if self.towers is not None:
            warm_start(network, self.towers)
        return network


class LaterStart:
    """A trained aligner's network and words; a head that it lacks is new."""

    def __init__(self, model: str) -> None:
        self.aligner = load_aligner(model)
        scorer = self.aligner.scorer
        if not isinstance(scorer, TanScorer):
            raise ConfigError(f"init_from: {model} is no temporal alignment network")
        card, spec = self.aligner.card, self.aligner.spec
        self.trained = scorer.model
        self.tokenizer = scorer.tokenizer
        self.text: Literal["word2vec", "bert"] = "bert" if spec.text == "bert" else "word2vec"
        self.backbone: ModelCard | None = backbone_of(card)
        self.words: Sequence[str] = (
            locate(card, "vocab").read_text("utf-8").splitlines()
            if spec.text == "bert"
            else dictionary_of(model)
        )

    @property
    def has_head(self) -> bool:
        """Whether it brings an alignability head."""
        return self.trained.binary_head is not None

    def config(self, video_dim: int, head: bool) -> dict[str, Any]:
        """The card's arguments of TAN."""
        trained = self.trained.video_pre_proj.in_features
        if trained != video_dim:
            raise ConfigError(f"the features are {video_dim} wide, init_from reads {trained}")
        return {**self.aligner.spec.config, "head": head}

    def network(self, video_dim: int, head: bool) -> TAN:
        """A network with those weights."""
        network = TAN(**{"text": self.text, **self.config(video_dim, head)})
        state = self.trained.state_dict()
        fresh = {name: value for name, value in network.state_dict().items() if name not in state}
        network.load_state_dict({**{k: v for k, v in state.items() if k in network.state_dict()}, **fresh})
        return network
