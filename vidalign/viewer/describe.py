"""What a features or alignment file holds, in lines for a terminal and as values for programs."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from vidalign.store.jsonfile import value
from vidalign.types import Alignment, Features, Recipe, Sentence
from vidalign.viewer.heatmap import clock, heat_map, time_axis

HEIGHT = 24
_INDENTED_FROM = 12
Paint = Callable[[str, bool], str]
"""Gives a label its colour; the flag says aligned."""
Shade = Callable[[str], str]
"""Gives a line of the heat map its colours."""


def features_values(features: Features) -> dict[str, Any]:
    """Shape, times and attributes of features as JSON values."""
    kept = {
        name: getattr(features, name)
        for name in Features.__dataclass_fields__
        if name not in ("features", "times", "recipe")
    }
    times = features.times
    return {
        "kind": "features",
        "clips": len(times),
        "width": int(features.features.shape[1]),
        "dtype": str(features.features.dtype),
        "start": value(times[0, 0]) if len(times) else None,
        "end": value(times[-1, 1]) if len(times) else None,
        "recipe": None if features.recipe is None else asdict(features.recipe),
        **kept,
    }


def _clip(recipe: Recipe) -> str:
    """What a clip is and how clips follow one another, in words."""
    rate = "of the stream" if recipe.fps == "native" else f"at {recipe.fps:g} a second"
    step = f", one of {recipe.step} taken" if recipe.step > 1 else ""
    frames = f"{recipe.frames} frames {rate}{step}"
    shape = recipe.frame_shape
    seen = "in their own shape" if shape is None else f"{shape[0]} pixels square"
    if shape is not None and shape[0] != shape[1]:
        seen = f"{shape[1]}x{shape[0]} pixels"
    seen += f", {recipe.crop} crops" if recipe.row_views > recipe.views else ""
    if recipe.sampling != "stride":
        return f"one row a video: the mean of {recipe.views} {recipe.sampling} clips of {frames}, {seen}"
    unit = "s" if recipe.stride_unit == "seconds" else "frames"
    return f"a clip: {frames}, one every {recipe.stride:g} {unit}, {seen}, tail {recipe.tail}"


def describe_features(features: Features) -> list[str]:
    """Lines for people."""
    values = features_values(features)
    recipe = features.recipe
    lines = [
        f"features of {features.video or 'an unnamed video'}",
        f"  {values['clips']} clips of {values['width']} numbers ({values['dtype']}), {_span(features)}",
        f"  backbone {_said(features.backbone)}, recipe {_said(recipe.name if recipe else None)}, "
        f"precision {_said(features.precision)}",
    ]
    if recipe is not None:
        lines.append(f"  {_clip(recipe)}, layer {recipe.layer}")
    lines.append(f"  read with {_said(features.reader)}, video length {_length(features.duration)}")
    if features.pooling is not None:
        lines.append(
            f"  the {features.pooling} over all clips of the video, as a global feature for training"
        )
    if features.truncated:
        lines.append(f"  the video breaks off at {_length(features.decoded_until)}")
    return lines


def describe_alignment(
    alignment: Alignment,
    width: int,
    paint: Paint = lambda text, aligned: text,
    shade: Shade = lambda line: line,
) -> list[str]:
    """Lines for people, no longer than `width` characters: header, heat map, one line a sentence."""
    count, aligned = len(alignment.sentences), int(alignment.aligned.sum())
    lines = [
        f"alignment of {alignment.video or 'an unnamed video'} with {alignment.subtitles or 'subtitles'}",
        f"  {aligned} of {count} sentences aligned (threshold {_number(alignment.threshold)}, "
        f"{_said(alignment.alignability_kind)}), model {_said(alignment.model)}, "
        f"scorer {_said(alignment.scorer)}, decoder {_said(alignment.decoder)}",
    ]
    if alignment.notice:
        lines.append(f"  {alignment.notice}")
    lines = [shorten(line, width) for line in lines]
    if alignment.similarity is not None and alignment.times is not None and alignment.similarity.size:
        indent = "  " if width >= _INDENTED_FROM else ""
        drawn = heat_map(alignment.similarity, max(1, width - len(indent)), HEIGHT)
        lines += ["", *(indent + shade(line) for line in drawn)]
        start, end = float(alignment.times[0, 0]), float(alignment.times[-1, 1])
        lines.append(shorten(indent + time_axis(start, end, len(drawn[0])), width))
    lines.append("")
    return lines + [_sentence_line(alignment, k, width, paint) for k in range(count)]


def alignment_values(alignment: Alignment, values: dict[str, Any]) -> dict[str, Any]:
    """The file's own JSON without the matrix, with counts."""
    return {
        "kind": "alignment",
        "clips": None if alignment.times is None else len(alignment.times),
        "aligned_sentences": int(alignment.aligned.sum()),
        **values,
    }


def shorten(text: str, width: int) -> str:
    """The text cut to `width` columns, with an ellipsis; wide characters count two."""
    shown, used = "", 0
    clean = "".join(c if c.isprintable() else " " for c in text)
    for character in clean:
        size = _columns(character)
        if used + size > width:
            while shown and used + 1 > width:
                used -= _columns(shown[-1])
                shown = shown[:-1]
            return shown + "…" if width > 0 else ""
        shown, used = shown + character, used + size
    return shown


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _sentence_line(alignment: Alignment, k: int, width: int, paint: Paint) -> str:
    sentence, aligned = alignment.sentences[k], bool(alignment.aligned[k])
    start, end = alignment.segments[k]
    shown = f"-> {clock(start)}-{clock(end)}" if aligned else ""
    label = "aligned" if aligned else "unaligned"
    head = f"{label:<9} {alignment.alignability[k]:.2f}  {_said_at(sentence):>13} {shown:<16}  "
    line = shorten(head + sentence.text, width)
    return paint(line[: len(label)], aligned) + line[len(label) :]


def _said_at(sentence: Sentence) -> str:
    if sentence.start is None or sentence.end is None:
        return "no time"
    return f"{clock(sentence.start)}-{clock(sentence.end)}"


def _span(features: Features) -> str:
    times = features.times
    return f"from {clock(times[0, 0])} to {clock(times[-1, 1])}" if len(times) else "empty"


def _said(value: str | None) -> str:
    return value or "unknown"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g}"


def _length(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"{seconds:.2f} s"
