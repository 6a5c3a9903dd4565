"""Sentences where an aligner has seen them: alignment files in the place of subtitles.

Training a backbone on them is the last experiment of Han et al., CVPR 2022 (HTM-AA).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from vidalign.aligners.tokens import Tokenizer
from vidalign.errors import ConfigError, DataError
from vidalign.evaluation.files import alignment_files
from vidalign.store.alignments import read_alignment
from vidalign.training.data.sources import Gathered, Match, Video
from vidalign.training.data.spoken import Said, Spoken, make_spoken


def aligned_matches(
    videos: Mapping[str, Path],
    alignments: Path,
    tokenizer: Tokenizer,
    min_confidence: float,
    gathered: Gathered[Video],
) -> Iterator[Match]:
    """Each of the named videos with the alignment file of its name; what has no partner is left out.

    Raises ConfigError where there are no alignment files.
    """
    if not alignments.is_dir():
        raise ConfigError(f"there is no folder of alignments {alignments}")
    files = alignment_files(alignments)
    if not files.whole:
        raise ConfigError(
            f"no alignment files in {alignments}", hint="make them with `vidalign align ... -o DIR`"
        )
    taken: set[Path] = set()
    for name, video in videos.items():
        try:
            path = files.find(name)
        except DataError as error:
            gathered.leave_out(error.message, name)
            continue
        if path is None:
            gathered.leave_out("no alignment", name)
            continue
        taken.add(path)
        yield Match(name, video, _sentences(path, tokenizer, min_confidence))
    for name, paths in files.whole.items():
        if not taken.intersection(paths) and name not in videos:
            gathered.leave_out("no video", name)


def read_aligned(path: Path, tokenizer: Tokenizer, min_confidence: float = 0.0) -> Spoken:
    """The aligned sentences of an alignment file at their segments; raises DataError where there is none."""
    found = read_alignment(path)
    rows = zip(found.sentences, found.aligned, found.segments.tolist(), found.confidence, strict=True)
    seen = [(said, span, sure) for said, aligned, span, sure in rows if aligned and span[0] <= span[1]]
    if not seen:
        raise DataError("no sentence is aligned")
    sure_enough = [Said(span[0], span[1], said.text) for said, span, sure in seen if sure >= min_confidence]
    if not sure_enough:
        raise DataError(f"no aligned sentence has a confidence of {min_confidence:g}")
    return make_spoken(sure_enough, tokenizer)


def _sentences(path: Path, tokenizer: Tokenizer, min_confidence: float) -> Callable[[], Spoken]:
    return lambda: read_aligned(path, tokenizer, min_confidence)
