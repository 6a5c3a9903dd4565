"""Sentence features: read where they are given, made by a text tower, or taken from an array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from vidalign._version import __version__
from vidalign.batch.device import choose_place
from vidalign.batch.outputs import WAY_OUT, in_the_way
from vidalign.batch.report import ItemResult
from vidalign.errors import DataError, OutputMismatchError
from vidalign.outside import reading_arrays
from vidalign.types import TextFeatures, Transcript
from vidalign.weights.cache import file_sha256
from vidalign.weights.cards import ModelCard, backbone_of, get_card

if TYPE_CHECKING:
    from vidalign.batch.settings import Pair


@dataclass(frozen=True)
class Texts:
    """How sentence features are made: `model` is the name of a model, or the path of a model folder.

    `vectors` is a .npy file of features (K, D) that were made elsewhere, by what is called `model`.
    """

    model: str
    vectors: Path | None = None
    device: str = "auto"

    @cached_property
    def card(self) -> ModelCard:
        """The card of the backbone with the text tower; raises ModelError."""
        return backbone_of(get_card(self.model))

    @cached_property
    def weights_sha256(self) -> str | None:
        """SHA-256 of the tower's weights, None where they are not known; raises ModelError."""
        return file_sha256(self.card, "backbone") if self.vectors is None else None

    def make(self, transcript: Transcript) -> TextFeatures:
        """One vector a sentence; raises ModelError for a model without a text tower, DataError."""
        texts = tuple(sentence.text for sentence in transcript.sentences)
        if self.vectors is not None:
            return _taken(self.vectors, texts, self.model)
        import numpy as np
        import torch

        from vidalign.aligners.registry import load_tower
        from vidalign.aligners.scorers.text_towers import in_batches

        tower, sha256 = load_tower(self.card, device=choose_place(self.device).device)
        with torch.inference_mode():
            vectors = np.asarray(in_batches(tower, texts).float().cpu().numpy(), dtype=np.float32)
        return TextFeatures(vectors, texts, self.card.name, sha256, __version__)

    def write(self, transcript: Transcript, output: Path, *, overwrite: bool = False) -> ItemResult:
        """Write the file of a transcript's sentences, unless it is there already.

        Raises OutputMismatchError where one of other sentences or another model is in the way.
        """
        from vidalign.store.text_features import write_text_features

        source = transcript.source
        if output.exists() and not overwrite:
            self._check_same(output, transcript)
            return ItemResult(output.name, "skipped", source, str(output))
        write_text_features(output, self.make(transcript))
        return ItemResult(output.name, "done", source, str(output))

    def _check_same(self, output: Path, transcript: Transcript) -> None:
        import numpy as np

        from vidalign.store.text_features import read_text_features

        with in_the_way():
            there = read_text_features(output)
        texts = tuple(sentence.text for sentence in transcript.sentences)
        wanted = self.model if self.vectors is not None else self.card.name
        other = []
        if there.model != wanted or there.weights_sha256 != self.weights_sha256:
            other.append(f"by {there.model}" if there.model != wanted else "by other weights")
        if there.text != texts:
            other.append("of other sentences")
        elif self.vectors is not None:
            now = _taken(self.vectors, texts, self.model)
            if not np.array_equal(now.features, there.features):
                other.append("of other vectors")
        if other:
            raise OutputMismatchError(f"{output} was made {' and '.join(other)}", hint=WAY_OUT)


def read_texts(pair: Pair) -> TextFeatures | None:
    """The sentence features of a pair, None where it has none; raises StoreError."""
    if not isinstance(pair.texts, Path):
        return pair.texts
    from vidalign.store.text_features import read_text_features

    with pair.files.opened(pair.texts) as path:
        return read_text_features(path)


def told_as(pair: Pair) -> str:
    """What messages call a pair's sentence features."""
    return str(pair.texts) if isinstance(pair.texts, Path) else "the text features"


def texts_sha256(texts: TextFeatures | None) -> str | None:
    """SHA-256 of sentence features, None without any."""
    if texts is None:
        return None
    from vidalign.store.text_features import content_sha256

    return content_sha256(texts)


def _taken(path: Path, texts: Sequence[str], model: str) -> TextFeatures:
    """The vectors of an .npy file; raises DataError where it is none, or has not one a sentence."""
    import numpy as np

    try:
        with reading_arrays(), path.open("rb") as file:
            values = np.load(file, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as an array: {error}", hint="give a .npy file") from None
    if not isinstance(values, np.ndarray) or values.ndim != 2 or not np.issubdtype(values.dtype, np.floating):
        raise DataError(
            f"{path} does not hold vectors, one a row", hint="expected: floats (sentences, width)"
        )
    if len(values) != len(texts):
        raise DataError(
            f"{path} has {len(values)} vectors for {len(texts)} sentences",
            hint="are they of the same --segment and --rolling?",
        )
    dtype = np.float16 if values.dtype == np.float16 else np.float32
    return TextFeatures(np.ascontiguousarray(values, dtype=dtype), tuple(texts), model, None, __version__)
