"""What is aligned (a pair) and how (a run): what `vidalign align` passes on to the work."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vidalign.aligners.spec import (
    aligner_spec,
    lacks_text_features,
    reads_words,
    takes_text_features,
    words_of,
)
from vidalign.backbones.spec import backbone_spec, check_extra
from vidalign.batch.extraction import Extraction, Runtime
from vidalign.batch.files import HERE, Files
from vidalign.batch.foreign import text_track
from vidalign.batch.loaded import Loaded
from vidalign.errors import UsageError
from vidalign.store.items import Item
from vidalign.text.sentences import Segmentation, make_transcript
from vidalign.text.subtitles import Rolling, SubtitleFile, read_subtitles
from vidalign.types import Features, TextFeatures, Transcript
from vidalign.weights.cards import AlignerSpec, ModelCard, backbone_of, get_card

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidalign.aligners.registry import Aligner
    from vidalign.aligners.windowing import Mode, Windowing
    from vidalign.backbones.registry import Backbone

Unaligned = Literal["keep", "drop", "mark"]


@dataclass(frozen=True, slots=True)
class Pair:
    """One video with its subtitles: a file, or text track `track` of the video itself.

    `features` is a features file to use instead of the video, `ready` such features in memory, `kept` where
    the features made on the way are kept and, unless `renew`, looked for. `texts` are sentence features to
    use instead of the words. `output` None: nothing is written. `files` opens what the paths stand for.
    """

    name: str
    video: Path
    subtitles: Path
    output: Path | None
    track: int | None = None
    features: Path | None = None
    ready: Features | None = None
    kept: Item | None = None
    renew: bool = False
    texts: Path | TextFeatures | None = None
    files: Files = HERE

    @property
    def has_features(self) -> bool:
        """Whether the video itself is not read."""
        return self.features is not None or self.ready is not None

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The files that it is made from, the video first, each once."""
        given = (self.video, self.subtitles, self.features, self.texts)
        return tuple(dict.fromkeys(path for path in given if isinstance(path, Path)))


@dataclass(frozen=True)
class AlignRun:
    """How pairs are aligned; `model` is a name or the path of a model folder. None: what its card says.

    `windowing` and `margin` (seconds) are those of `vidalign.aligners.windowing.Windowing`. `threads` compute
    (None: as many as torch takes), for the features on the way `features_threads` (None: those as well).
    A copy with other settings shares the `networks` and `aligners` that are loaded.
    """

    model: str
    scorer: str | None = None
    decoder: str | None = None
    threshold: float | None = None
    min_confidence: float | None = None
    windowing: Mode = "overlap"
    margin: float = 64.0
    segment: Segmentation = "cue"
    rolling: Rolling = "auto"
    encoding: str | None = None
    matrix: bool = True
    unaligned: Unaligned = "keep"
    weights: Path | None = None
    device: str = "auto"
    reader: str = "auto"
    save_features: Path | None = None
    runtime: Runtime = "auto"
    compiled: bool = False
    threads: int | None = None
    features_threads: int | None = None
    networks: Loaded[Backbone] = field(default_factory=Loaded, compare=False, repr=False)
    aligners: Loaded[Aligner] = field(default_factory=Loaded, compare=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """What was told, without what was found out and loaded for it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def card(self) -> ModelCard:
        """The model's card; raises ModelError."""
        return get_card(self.model)

    @cached_property
    def spec(self) -> AlignerSpec:
        """The card's aligner part; raises ModelError."""
        return aligner_spec(self.card, self.scorer)

    @cached_property
    def windows(self) -> Windowing:
        """How a long video is cut for models that see a window at a time."""
        from vidalign.aligners.windowing import Windowing

        return Windowing(mode=self.windowing, margin=self.margin)

    @cached_property
    def windowing_told(self) -> dict[str, Any]:
        """What alignments say of the windows."""
        from vidalign.aligners.windowing import recorded

        return recorded(self.spec.scorer, self.spec.config, self.windows)

    @cached_property
    def extraction(self) -> Extraction:
        """How the features that the model needs are made; the plain similarity uses one network for both."""
        return Extraction(
            backbone=backbone_of(self.card).reference,
            recipe=self.spec.recipe,
            weights=self.weights if self.spec.scorer == "similarity" else None,
            device=self.device,
            reader=self.reader,
            runtime=self.runtime,
            compiled=self.compiled,
            threads=self.features_threads or self.threads,
            networks=self.networks,
        )

    @cached_property
    def weights_sha256(self) -> str:
        """SHA-256 of the scorer's weights; raises ModelError where they are missing."""
        from vidalign.weights.cache import file_sha256, weights_sha256

        if self.spec.scorer == "similarity":
            return self.extraction.weights_sha256
        if self.weights is not None:
            return weights_sha256(self.card, "aligner", self.weights)
        return file_sha256(self.card, "aligner")

    @property
    def aligner(self) -> Aligner:
        """The scorer, loaded at the first use."""
        from vidalign.aligners.registry import load_aligner

        device = self.extraction.place.device
        return self.aligners.get(
            (self.model, self.weights, self.scorer, device),
            lambda: load_aligner(self.model, self.weights, scorer=self.scorer, device=device),
        )

    def check(self, *, words: bool = True) -> None:
        """Raise what a wrong decoder or device, or a missing file of the scorer, would raise later.

        Without `words` all sentences come as features, and nothing that reads words is needed.
        """
        for name, value in (("threshold", self.threshold), ("min_confidence", self.min_confidence)):
            if value is not None and not 0 <= value <= 1:
                raise UsageError(f"{name} is {value:g}", hint="give a number from 0 to 1")
        self.extraction.check_runtime()
        _ = self.weights_sha256, self.windows
        if words:
            self._check_words()
        _check_decoder(self.decoder or self.spec.decoder)

    def check_texts(self, pairs: Sequence[Pair]) -> None:
        """Raise UsageError where a pair has sentence features that the model does not read, or lacks them."""
        given = sum(pair.texts is not None for pair in pairs)
        if given and not takes_text_features(self.spec):
            raise reads_words(self.card.name)
        if given < len(pairs) and self.spec.text == "file":
            raise lacks_text_features(self.card.name)

    def _check_words(self) -> None:
        """Raise MissingModelError or MissingExtraError where what reads words is missing."""
        from vidalign.weights.cache import locate

        held, roles = words_of(self.card, self.spec)
        if held.backbone is not None and self.spec.scorer in ("similarity", "nsva"):
            check_extra(backbone_spec(held), held.name)
        for role in (*roles, *(("backbone",) if roles and self.spec.scorer == "nsva" else ())):
            locate(held, role)


def _check_decoder(name: str) -> None:
    from vidalign.aligners.decoders import get_decoder

    get_decoder(name)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was read of a pair before any model ran."""

    subtitles: SubtitleFile
    transcript: Transcript


def read_inputs(pair: Pair, run: AlignRun) -> Inputs:
    """Subtitles and transcript of a pair; raises SubtitleError, StoreError where they cannot be fetched."""
    if pair.track is not None:
        with pair.files.opened(pair.video) as path:
            file = text_track(path, pair.track, run.rolling)
    else:
        with pair.files.opened(pair.subtitles) as path:
            file = read_subtitles(path, encoding=run.encoding, rolling=run.rolling, video=pair.video.stem)
    return Inputs(file, make_transcript(file, run.segment))
