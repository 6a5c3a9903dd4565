"""The choices of TAN's training, as a configuration names them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vidalign.errors import ConfigError
from vidalign.training.losses.agreement import AgreementKind, AgreementRules
from vidalign.training.losses.nce import Quirk

QUIRKS = (
    "padded_seconds",
    "borders",
    "undecided",
    "single_sentence",
    "head_labels",
    "teacher_words",
)
RANGES = {
    "iou_threshold": (0, 1),
    "confidence": (0, 1),
    "loss_threshold": (0, 1),
    "momentum": (0, 1),
    "head": (0, float("inf")),
}


@dataclass(frozen=True, slots=True)
class TanOptions:
    """Fields left at None take what the stage or `quirks` says; they are filled in on construction.

    stage: `init` learns from the subtitles' times, `cotrain` from what two averaged teachers agree on.
    agreement, iou_threshold, confidence: see `AgreementRules`; cotrain only.
    loss_threshold: share of a batch's sentences that learn, the best fitting; 0: all. None: 0, cotrain 0.5.
    head: weight of the alignability loss; 0: the head is not trained. None: 0, cotrain 1.
    policy: `bce` trains nothing but the head.
    momentum: of the teachers' moving average.
    negatives: seconds and sentences of the whole `batch`, of the same `video` window only, or `split`: the
    batch for the dual encoder, the window for the joint one, which otherwise may learn to tell windows apart.
    encoders: whose InfoNCE counts; `dual` and `joint` alone do not compute the other.
    random_start: positions begin at a random row in training. None: in init only.
    freeze_words: the table of word vectors stays as it is (published: it does).

    `quirks` are behaviours of the published code, as they are there (`reference`) or as meant (`corrected`);
    each can be set by itself. There,
    padded_seconds: the repeated last rows of short videos are negatives and may be chosen as labels;
    borders: no label covers a window's first or last second;
    undecided: with `u` and `i`, sentences without agreement learn from the subtitles' times;
    single_sentence: teachers, who have nothing to compare it with, move it to the start of its window;
    head_labels: the alignability loss can fail or be infinite, see `head_loss`;
    teacher_words: teachers read the sentence vectors of the network in training, not of their own encoder.
    """

    stage: Literal["init", "cotrain"] = "init"
    agreement: AgreementKind = "keep"
    iou_threshold: float = 0.5
    confidence: float = 0.3
    loss_threshold: float | None = None
    temperature: float = 0.07
    head: float | None = None
    policy: Literal["all", "bce"] = "all"
    momentum: float = 0.999
    negatives: Literal["batch", "video", "split"] = "batch"
    encoders: Literal["both", "dual", "joint"] = "both"
    random_start: bool | None = None
    freeze_words: bool = False
    quirks: Quirk = "corrected"
    padded_seconds: Quirk | None = None
    borders: Quirk | None = None
    undecided: Quirk | None = None
    single_sentence: Quirk | None = None
    head_labels: Quirk | None = None
    teacher_words: Quirk | None = None

    def __post_init__(self) -> None:
        """Fill in what depends on other fields; raises ConfigError on values that cannot be."""
        cotrain = self.stage == "cotrain"
        with_head = cotrain and self.encoders != "dual"
        self._default("loss_threshold", 0.5 if cotrain else 0.0)
        self._default("head", 1.0 if with_head else 0.0)
        self._default("random_start", not cotrain)
        for name in QUIRKS:
            self._default(name, self.quirks)
        for name, (low, high) in RANGES.items():
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"{name} must lie between {low} and {high}, not {getattr(self, name)}")
        if self.temperature <= 0:
            raise ConfigError(f"temperature must be above 0, not {self.temperature}")
        if self.head and self.encoders == "dual":
            raise ConfigError(
                "the alignability head reads the joint encoder, which encoders: dual leaves out",
                hint="set head: 0, or encoders: both",
            )
        if self.policy == "bce" and not self.head:
            raise ConfigError(
                "policy: bce trains the alignability head, whose weight is 0", hint="set head: 1"
            )

    def _default(self, name: str, value: object) -> None:
        if getattr(self, name) is None:
            object.__setattr__(self, name, value)

    def agreement_rules(self) -> AgreementRules:
        """What co-training needs to know."""
        return AgreementRules(
            self.agreement,
            self.iou_threshold,
            self.confidence,
            self.temperature,
            self.padded_seconds or self.quirks,
            self.borders or self.quirks,
            self.undecided or self.quirks,
            self.single_sentence or self.quirks,
        )
