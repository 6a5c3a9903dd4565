"""What no decoder can make sense of, and what every one must, with every decoder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.letters import letters_aligner, seconds
from vidalign.aligners.align import AlignSettings, align_features
from vidalign.aligners.decoders import DECODERS
from vidalign.errors import DataError
from vidalign.types import Alignment, Features, Sentence, Transcript


def aligned(features: Features, said: str, decoder: str) -> Alignment:
    sentences = tuple(Sentence(letter, None, None, k, k) for k, letter in enumerate(said))
    return align_features(
        features, Transcript((), sentences), letters_aligner(), AlignSettings(decoder, threshold=0)
    )


def with_nan() -> Features:
    features = seconds("abc")
    features.features[1, 1] = np.nan
    return features


BAD = {
    "no sentence": (seconds("abc"), "", "has no sentence"),
    "no clip": (seconds(""), "a", "have shape"),
    "NaN": (with_nan(), "a", "hold NaN or infinity"),
    "width": (Features(np.ones((3, 5), np.float32), seconds("abc").times), "a", "are 5 wide, mini needs 8"),
    "of a whole": (replace(seconds("a"), pooling="avg"), "a", "are of the video as a whole"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("name", sorted(DECODERS))
def test_bad_input(name: str, case: str) -> None:
    features, said, message = BAD[case]
    with pytest.raises(DataError, match=message):
        aligned(features, said, name)


@pytest.mark.parametrize("name", sorted(set(DECODERS) - {"peak"}))
def test_no_order_in_one_clip(name: str) -> None:
    with pytest.raises(DataError, match="have 1 clip: no order can be found in that"):
        aligned(seconds("a"), "ab", name)
    assert aligned(seconds("a"), "ab", "peak").segments[0].tolist() == [0, 1]


@pytest.mark.parametrize("name", sorted(set(DECODERS) - {"steps"}))
def test_more_sentences_than_clips(name: str) -> None:
    made = aligned(seconds("abc"), "aabbcc", name)
    assert np.array_equal(np.isfinite(made.segments).all(axis=1), made.aligned)
    with pytest.raises(DataError, match="6 steps do not fit into 3 seconds"):
        aligned(seconds("abc"), "aabbcc", "steps")
