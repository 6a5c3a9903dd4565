"""`vidalign extract` against an extractor as research repositories write it, on the same videos and cores.

The straightforward one takes one video after the other: decord, `get_batch` of the frames of four clips, a
tensor (B, 3, N, H, W) as numpy gives it, the network as it was trained, eager, float32. Same network (the
full-size S3D, random weights), same frames, same resize; the features are compared.

Printed: seconds of the straightforward one over seconds of `extract`, with torch and with OpenVINO; all ways
in turn, the least of each counts, for other work on the machine disturbs it least. The same of CPU seconds.
Goals on two cores: 1.8 with torch, 3 with OpenVINO (python -m pip install 'vidalign[openvino]').

    python benchmarks/straight.py
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import decord
import numpy as np
import torch
from extract import CARD, random_weights
from footage import write_h264
from torch import Tensor, nn
from torch.nn.functional import interpolate

from vidalign.backbones.registry import load_network, read_or_locate, rename, state_shapes
from vidalign.batch.extract import Planned, extract_items
from vidalign.batch.extraction import Extraction
from vidalign.store.features import read_features
from vidalign.store.items import find_items
from vidalign.types import Recipe
from vidalign.weights.cards import get_card

GOALS = {"torch": 1.8, "openvino": 3.0}
BATCH = 4


def straight_network(weights: Path) -> nn.Module:
    """The network as its checkpoint has it."""
    card = get_card(CARD)
    spec = card.backbone
    assert spec is not None
    tensors, _ = read_or_locate(card, "backbone", weights, state_shapes(spec), lambda t: rename(spec, t))
    return load_network(spec, tensors)


def straight_clips(video: Path, recipe: Recipe) -> Iterator[Tensor]:
    """Clips (B, 3, N, H, W) in 0..1 of whole seconds."""
    reader = decord.VideoReader(str(video))
    rate, size = reader.get_avg_fps(), int(recipe.crop_size)
    seconds = int(len(reader) / rate)
    for first in range(0, seconds, BATCH):
        starts = range(first, min(first + BATCH, seconds))
        times = [start + k / recipe.sample_rate for start in starts for k in range(recipe.frames)]
        frames = reader.get_batch([int(float(at) * rate + 1e-6) for at in times]).asnumpy()
        height, width = frames.shape[1:3]
        scaled = (
            round(height * size / min(height, width)),
            round(width * size / min(height, width)),
        )
        planes = torch.from_numpy(frames).permute(0, 3, 1, 2)
        if scaled != (height, width):
            planes = interpolate(planes, size=scaled, mode="bilinear", antialias=True)
        top, left = (scaled[0] - size) // 2, (scaled[1] - size) // 2
        planes = planes[:, :, top : top + size, left : left + size].float() / 255
        yield planes.unflatten(0, (len(starts), recipe.frames)).transpose(1, 2).contiguous()


def straight(videos: list[Path], network: nn.Module, recipe: Recipe) -> list[np.ndarray]:
    """Features of each video."""
    made = []
    with torch.inference_mode():
        for video in videos:
            rows = [network(clips)[recipe.layer] for clips in straight_clips(video, recipe)]
            made.append(torch.cat(rows).numpy())
    return made


def extracted(videos: list[Path], extraction: Extraction) -> list[np.ndarray]:
    """Features of each video by the program, through its files."""
    with tempfile.TemporaryDirectory() as name:
        items = find_items([str(videos[0].parent)], Path(name))
        results = list(extract_items([Planned(extraction, items)]))
        assert all(result.status == "done" for result in results), results
        return [read_features(item.output).features for item in items]


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Of the clock and of the CPU, with processes that were started and ended."""
    began, before = time.perf_counter(), sum(os.times()[:4])
    work()
    return time.perf_counter() - began, sum(os.times()[:4]) - before


def check_equal(made: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """The largest difference as a share of the largest value; raises where lengths differ."""
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(made, expected, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=16)
    parser.add_argument("--size", type=int, nargs=2, default=(640, 360), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as name:
        folder, weights = Path(name) / "videos", random_weights(Path(name))
        folder.mkdir()
        width, height = given.size
        videos = [
            write_h264(folder / f"{number}.mp4", given.seconds, width=width, height=height)
            for number in range(given.videos)
        ]
        runtimes = ["torch", *(["openvino"] if find_spec("openvino") else [])]
        ours = {
            runtime: Extraction(CARD, weights=weights, device="cpu", dtype="float32", runtime=runtime)
            for runtime in runtimes
        }
        network, recipe = straight_network(weights), ours["torch"].resolved_recipe

        def plain() -> list[np.ndarray]:
            torch.set_num_threads(threads)
            return straight(videos, network, recipe)

        ways = {"straight": plain} | {
            runtime: lambda runtime=runtime: extracted(videos, ours[runtime]) for runtime in runtimes
        }
        features = {way: work() for way, work in ways.items()}
        for runtime in runtimes:
            apart = check_equal(features[runtime], features["straight"])
            print(f"{runtime}: features differ by {apart:.1e} of the largest")
        spent = np.array([[seconds(work) for work in ways.values()] for _ in range(given.rounds)]).min(0)
        for (clock, cpu), runtime in zip(spent[0] / spent[1:], runtimes, strict=True):
            print(f"{runtime}: {clock:.2f} times as fast (goal {GOALS[runtime]:g}); CPU seconds {cpu:.2f}")


if __name__ == "__main__":
    main()
