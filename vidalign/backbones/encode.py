"""Clips -> features, in batches, one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from vidalign.backbones.batching import BatchSize
from vidalign.backbones.lane import Arriving, Lane
from vidalign.backbones.registry import Backbone
from vidalign.types import Recipe

PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

Views = Sequence[Sequence[NDArray[Any]]] | NDArray[Any]
"""A clip: V views of N pictures (H, W, 3), uint8 or float32 in 0..255; or all of it as one array."""


def clip_tensor(pixels: NDArray[Any], recipe: Recipe, device: torch.device) -> Tensor:
    """Clips (B, N, H, W, 3) -> (B, 3, N, H, W) float32 in the recipe's range, channels last."""
    return scale_pixels(torch.from_numpy(pixels).to(device).permute(0, 4, 1, 2, 3), recipe)


def scale_pixels(clips: Tensor, recipe: Recipe) -> Tensor:
    """Clips (B, 3, N, H, W) with pixels in 0..255 -> float32 in the recipe's range, a copy."""
    scaled = clips.to(torch.float32, copy=True)
    if recipe.range == "0-1":
        scaled = scaled.div_(255)
    elif recipe.range == "-1-1":
        scaled = scaled.div_(127.5).sub_(1)
    if recipe.mean != (0.0, 0.0, 0.0) or recipe.std != (1.0, 1.0, 1.0):
        shape = (1, 3, 1, 1, 1)
        mean, std = (torch.tensor(v, device=clips.device).view(shape) for v in (recipe.mean, recipe.std))
        scaled = scaled.sub_(mean).div_(std)
    return scaled


class PreparedFrames:
    """Batches of clips out of frames that are scaled to the recipe's range once, however clips overlap.

    Frames are known by the object they are; those of the last batch are held.
    """

    def __init__(self, recipe: Recipe, lane: Lane) -> None:
        self._recipe, self._lane = recipe, lane
        self._held: dict[int, tuple[NDArray[Any], Tensor]] = {}

    def batch(self, clips: Sequence[Sequence[NDArray[Any]]]) -> Tensor:
        """B clips of N pictures (H, W, 3) -> (B, 3, N, H, W) float32, channels last."""
        frames = [frame for clip in clips for frame in clip]
        wanted = {id(frame): frame for frame in frames}
        fresh = {key: frame for key, frame in wanted.items() if key not in self._held}
        if fresh:
            sent = self._lane.send(list(fresh.values()))
            made = scale_pixels(sent[None].permute(0, 4, 1, 2, 3), self._recipe)
            parts = made[0].permute(1, 2, 3, 0).unbind()
            self._held |= {key: (fresh[key], part) for key, part in zip(fresh, parts, strict=True)}
        self._held = {key: self._held[key] for key in wanted}
        stacked = torch.stack([self._held[id(frame)][1] for frame in frames])
        return stacked.view(len(clips), -1, *stacked.shape[1:]).permute(0, 4, 1, 2, 3)


class Encoder:
    """Runs a backbone over clips in batches, as they come; a row is the mean of its clip's views.

    `precision` is float32, bf16 or fp16. Rows come in the order of adding, on a GPU a batch late, so that the
    next one is under way while they are fetched. With `pad` every batch has one shape: a short one is filled
    with its last clip. Where memory runs out the batch is halved; ModelError where one clip is too much.
    """

    def __init__(
        self, backbone: Backbone, *, device: str = "cpu", precision: str = "float32", pad: bool = False
    ) -> None:
        self._backbone = backbone
        self._place = torch.device(device)
        self._dtype = PRECISIONS[precision]
        self._pad = pad
        self._size = BatchSize(self._place, fixed=pad)
        self._lane = Lane(self._place)
        self._late = 1 if self._place.type == "cuda" else 0
        self._frames = PreparedFrames(backbone.recipe, self._lane)
        self._waiting: list[list[NDArray[Any]]] = []
        self._counts: deque[int] = deque()
        self._arriving: deque[Arriving] = deque()
        self._encoded: list[Tensor] = []

    def add(self, clip: Views) -> NDArray[np.float32]:
        """Rows (B, D) that are now ready: none until a batch is full."""
        views = [list(view) for view in clip]
        self._counts.append(len(views))
        self._waiting += views
        while len(self._waiting) >= self._size.clips:
            self._run()
        return self._rows(self._late)

    def finish(self) -> NDArray[np.float32]:
        """The rows that are left; clips may be added after it as before."""
        while self._waiting:
            self._run()
        return self._rows(0)

    def _run(self) -> None:
        """One batch, or a smaller size for the next attempt."""
        group = self._waiting[: self._size.clips]
        self._size.begin()
        try:
            made = self._features(group)
        except torch.OutOfMemoryError:
            made = None  # what the error holds is let go before memory is asked for again
        if made is None:
            self._frames = PreparedFrames(self._backbone.recipe, self._lane)
            self._size.halve(self._size.clips if self._pad else len(group))
            return
        self._arriving.append(self._lane.fetch(made))
        del self._waiting[: len(group)]
        self._size.done(len(group))

    def _features(self, group: list[list[NDArray[Any]]]) -> Tensor:
        filling = [group[-1]] * (self._size.clips - len(group)) if self._pad else []
        with (
            torch.inference_mode(),
            torch.autocast(self._place.type, self._dtype, enabled=self._dtype is not torch.float32),
        ):
            return self._backbone.raw(self._frames.batch(group + filling)).float()[: len(group)]

    def _rows(self, late: int) -> NDArray[np.float32]:
        """The rows of all clips whose views have arrived; the last `late` batches are not waited for."""
        while len(self._arriving) > late:
            self._encoded += self._arriving.popleft().wait().unbind()
        rows = []
        while self._counts and len(self._encoded) >= self._counts[0]:
            count = self._counts.popleft()
            rows.append(torch.stack(self._encoded[:count]).mean(0))
            del self._encoded[:count]
        if not rows:
            return np.empty((0, self._backbone.width), np.float32)
        features = torch.stack(rows)
        if self._backbone.recipe.l2:
            features = F.normalize(features, dim=-1)
        return features.numpy()


def encode(
    backbone: Backbone, clips: Iterable[Views], *, device: str = "cpu", precision: str = "float32"
) -> Iterator[NDArray[np.float32]]:
    """Features (B, D) float32 of clips (V, N, H, W, 3), batch by batch; see `Encoder`."""
    encoder = Encoder(backbone, device=device, precision=precision)
    for clip in clips:
        rows = encoder.add(clip)
        if len(rows):
            yield rows
    rows = encoder.finish()
    if len(rows):
        yield rows
