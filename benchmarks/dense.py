"""Dense extraction, a clip of 16 frames at every frame of 15 a second, against reading clip by clip.

Clip by clip is how the published TSP extraction works: for each clip the file is opened, sought to the key
frame before it, decoded up to its end, and its 16 frames are converted to float, scaled to 128x171,
normalised and cropped to 112x112. vidalign decodes the file once and prepares each frame once, whatever
clips share it. Both run the same network in batches of the same size, and give the same features, which is
checked.

Prints (CPU time a clip, clip by clip) / (CPU time a clip, dense); goal: at least 3 with `mean`, a network
that does next to nothing, so that the ratio is that of everything around a network, as it is where the
network runs on another device. `mini` is the bundled network, `tsp-r2plus1d-34` TSP's own with random
weights: on a CPU it takes all the time, and reading hardly matters. The network's share is printed, and what
a clip takes where the file is decoded once but each clip's frames are prepared on their own.

CPU time is user + system of all threads, the least of the rounds. The file is H.264, 640x360, 30 frames a
second, a key frame every 2 s.

    python benchmarks/dense.py --network mean --network mini
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from footage import write_h264
from torch import Tensor, nn
from torch.nn.functional import interpolate

from vidalign.backbones.batching import CPU_BATCH
from vidalign.backbones.encode import Encoder
from vidalign.backbones.registry import Backbone, build, load_backbone
from vidalign.types import Recipe
from vidalign.video.clips import cut_clips
from vidalign.video.open import open_video
from vidalign.weights.cards import get_card
from vidalign.weights.recipes import get_recipe

GOAL = 3.0
TSP = "tsp-r2plus1d-34"


class Mean(nn.Module):
    """A network almost without work: the mean colours of a clip's frames, over and over."""

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        return {"features": clips[:, :, :, ::16, ::16].mean((3, 4)).flatten(1).repeat(1, 11)[:, :512]}


class Timed(nn.Module):
    """A network and the CPU seconds spent in it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.seconds = network, 0.0

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        began = time.process_time()
        layers: dict[str, Tensor] = self.network(clips)
        self.seconds += time.process_time() - began
        return layers


def backbone(name: str, recipe: Recipe) -> Backbone:
    """The network of that name, timed, whatever its weights."""
    if name == "mini":
        made = load_backbone("mini", recipe=recipe)
        made.network = Timed(made.network)
        return made
    card = get_card(TSP)
    assert card.backbone is not None
    torch.manual_seed(0)
    network = Mean() if name == "mean" else build(card.backbone).eval()
    return Backbone(Timed(network), card, recipe, "").eval()


def dense(video: Path, made: Backbone, *, shared: bool = True) -> np.ndarray:
    """Features (T, D) by vidalign's own way; not `shared`: each clip gets copies of its pictures."""
    encoder = Encoder(made)
    with open_video(video, "pyav") as reader:
        clips = cut_clips(reader, made.recipe)
        rows = [encoder.add(clip.frames if shared else clip.pixels) for clip in clips]
    return np.concatenate([*rows, encoder.finish()])


def clip_by_clip(video: Path, made: Backbone, numbers: list[int]) -> np.ndarray:
    """Features of some clips, each read from the file anew."""
    rows = []
    for first in range(0, len(numbers), CPU_BATCH):
        group = [prepared(video, number, made.recipe) for number in numbers[first : first + CPU_BATCH]]
        with torch.inference_mode():
            rows.append(made(torch.stack(group)).numpy())
    return np.concatenate(rows)


def prepared(video: Path, number: int, recipe: Recipe) -> Tensor:
    """Clip `number` as the network sees it, (3, 16, 112, 112)."""
    start = Fraction(number, 15)
    pictures = list(read_from(video, start, start + Fraction(16, 15)))[::2][: recipe.frames]
    clip = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    scaled = interpolate(clip, size=(128, 171), mode="bilinear", align_corners=False)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (recipe.mean, recipe.std))
    return ((scaled - mean) / std)[:, :, 8:120, 30:142].permute(1, 0, 2, 3)


def read_from(video: Path, start: Fraction, end: Fraction) -> Iterator[np.ndarray]:
    """The pictures of [start, end), (H, W, 3)."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        container.seek(int(start / stream.time_base), stream=stream)
        for frame in container.decode(stream):
            shown = frame.pts * stream.time_base
            if shown >= end:
                return
            if shown >= start:
                yield frame.to_ndarray(format="rgb24")


def compare(name: str, video: Path, seconds: float, apart: int, rounds: int) -> None:
    recipe = get_recipe("tsp-thumos14")
    if name == "mini":
        recipe = Recipe.from_mapping({**vars_of(recipe), "name": "own", "layer": "mixed_5c"})
    made = backbone(name, recipe)
    whole = dense(video, made)
    count, numbers = len(whole), list(range(0, len(whole), apart))
    assert count == int(seconds * 15) - 15
    assert np.array_equal(dense(video, made, shared=False), whole)
    some = clip_by_clip(video, made, numbers)
    away = np.abs(whole[numbers] - some).max() / np.abs(some).max()
    assert away < 0.01, f"the two ways differ by {away:.3f}"
    spent = np.array([measure(video, made, numbers, count) for _ in range(rounds)])
    slow, copied, fast = 1000 * spent[:, :3].min(0)
    print(
        f"{name}: {slow:.1f} ms a clip one by one, {fast:.2f} ms dense: ratio {slow / fast:.1f}. "
        f"The network takes {100 * spent[spent[:, 2].argmin(), 3]:.0f} % of the latter. Decoded once, but "
        f"each clip prepared on its own: {copied:.2f} ms. Features differ by {away:.0e} of the largest"
    )


def measure(video: Path, made: Backbone, numbers: list[int], count: int) -> list[float]:
    """CPU seconds a clip: one by one, dense with copies, dense; and the network's share of the last."""
    began = time.process_time()
    clip_by_clip(video, made, numbers)
    slow = time.process_time() - began
    began = time.process_time()
    dense(video, made, shared=False)
    copied = time.process_time() - began
    began, made.network.seconds = time.process_time(), 0.0
    dense(video, made)
    fast = time.process_time() - began
    return [slow / len(numbers), copied / count, fast / count, made.network.seconds / fast]


def vars_of(recipe: Recipe) -> dict[str, object]:
    return {key: getattr(recipe, key) for key in Recipe.__dataclass_fields__}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", action="append", choices=["mean", "mini", TSP])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--apart", type=int, default=8, help="every how many clips one is read on its own")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        video = write_h264(Path(folder) / "video.mp4", given.seconds)
        for name in given.network or ["mean"]:
            compare(name, video, given.seconds, given.apart, given.rounds)
    print(f"goal for mean: at least {GOAL:g}")


if __name__ == "__main__":
    main()
