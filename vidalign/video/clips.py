"""A video becomes clips, in one pass, by one recipe or several."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from vidalign.recipe import Recipe
from vidalign.video.cutters import Clip, cutter, measure, no_beat
from vidalign.video.framing import check_fits, scaling
from vidalign.video.protocol import Scaling, VideoReader

__all__ = ["Clip", "cut_clips", "cut_many"]


def cut_clips(reader: VideoReader, recipe: Recipe) -> Iterator[Clip]:
    """Cut the whole video in one pass; every frame is decoded and converted once, however clips overlap.

    Clip i samples the frames shown at i * stride + k * step / fps, k < frames; see `Recipe` for dense and
    uniform sampling, before which a pass counts the pictures. Where frames are missing, at the end or before
    the first picture, the recipe's tail says: drop leaves the clip out, but a sample at most half a sampling
    period before the first picture takes that picture; zero fills with black; repeat with the clip's nearest
    frame. A clip without any frame of the video is never made. Raises VideoError where pictures are smaller
    than the crop.
    """
    return (clip for _, clip in cut_many(reader, [recipe]))


def cut_many(
    reader: VideoReader, recipes: Sequence[Recipe], beat: Callable[[], None] = no_beat
) -> Iterator[tuple[int, Clip]]:
    """The clips of several recipes with the recipe's number, each recipe's in order, from one pass.

    Every picture is decoded once, converted to RGB once, scaled once for each scaling, cropped once for each
    recipe. `beat` is called at each picture, as a sign of life where there is long no clip.
    """
    info = reader.info
    for recipe in recipes:
        check_fits(info, recipe)
    whole = any(recipe.sampling != "stride" for recipe in recipes)
    length = measure(reader, beat) if whole else None
    cutters = [cutter(recipe, info, length) for recipe in recipes]
    scalings = [scaling(info, recipe) for recipe in recipes]

    def wanted(start: float, end: float) -> Collection[Scaling]:
        asked = zip(cutters, scalings, strict=True)
        return dict.fromkeys(how for each, how in asked if each.wants(start, end))

    for shot in reader.pictures(wanted):
        beat()
        for number, each in enumerate(cutters):
            for clip in each.take(shot):
                yield number, clip
    for number, each in enumerate(cutters):
        for clip in each.finish(reader.decoded_until):
            yield number, clip
