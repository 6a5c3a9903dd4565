"""How much of the machine the full-size S3D uses; made for a GPU, taken by itself where there is one.

On the same videos, in one call: clips a second of decoding alone (the same reading processes, no network), of
the network alone (clips that are there already, random weights) and of both together. Printed:

- both / the smaller of the two alone; goal on a GPU: at least 0.90. On a CPU the two share the cores, so the
  bound there is 1 / (1/decode + 1/model), which benchmarks/overlap.py measures.
- model FLOP utilisation: floating-point operations of the network a second, over those of a large matrix
  product in the same precision on the same device.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --compile
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from extract import CARD, random_weights, rate
from footage import write_h264
from torch.utils.flop_counter import FlopCounterMode

from vidalign.backbones.encode import PRECISIONS, Views
from vidalign.batch.device import Place
from vidalign.batch.extraction import Extraction
from vidalign.batch.pipeline import Pipeline, Settings, Work
from vidalign.types import Features
from vidalign.video.clips import cut_clips
from vidalign.video.open import open_video

PRODUCT = {"cuda": 8192, "cpu": 2048}
"""Rows of the square matrices that are multiplied."""


class Nothing:
    """An encoder without a network."""

    def __init__(self, width: int) -> None:
        self._row = np.zeros((1, width), np.float32)

    def add(self, clip: Views) -> np.ndarray:
        return self._row

    def finish(self) -> np.ndarray:
        return self._row[:0]


class Reading(Extraction):
    """An extraction that only reads."""

    def encoder(self, place: Place | None = None, *, pad: bool = False) -> Any:
        return Nothing(1)


def together(pipeline: Pipeline, videos: list[Path], extraction: Extraction) -> int:
    """Clips of all videos."""
    works = (Work(video, video, [extraction]) for video in videos)
    made = [result for done in pipeline.extract_many(works) for result in done.results]
    failed = [result for result in made if not isinstance(result, Features)]
    assert not failed, failed
    return sum(len(result.features) for result in made if isinstance(result, Features))


def model_alone(extraction: Extraction, clips: list[Views], times: int) -> int:
    encoder = extraction.encoder()
    rows = [encoder.add(clip) for _ in range(times) for clip in clips]
    return sum(len(part) for part in [*rows, encoder.finish()])


def clip_flops(extraction: Extraction, clip: Views) -> float:
    """Floating-point operations for one clip."""
    shape = np.asarray(clip[0]).shape
    given = torch.rand(1, shape[0], *shape[1:], device=extraction.place.device).permute(0, 4, 1, 2, 3)
    plain = Extraction(extraction.backbone, weights=extraction.weights, device=extraction.device).model
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        plain.raw(given)
    return float(counter.get_total_flops())


def product_flops(place: Place) -> float:
    """Operations a second of a matrix product."""
    kind = torch.device(place.device).type
    size = PRODUCT.get(kind, 2048)
    factor = torch.rand(size, size, device=place.device, dtype=PRECISIONS[place.precision])
    result = torch.empty_like(factor)

    def multiply(times: int) -> float:
        began = time.perf_counter()
        for _ in range(times):
            torch.mm(factor, factor, out=result)
        result[0, 0].item()  # waits for the device
        return time.perf_counter() - began

    multiply(2)
    return max(2 * size**3 * 10 / multiply(10) for _ in range(3))


def median(work: Callable[[], int], rounds: int) -> float:
    return float(np.median([rate(work) for _ in range(rounds)]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    on_gpu = torch.cuda.is_available()
    parser.add_argument("--videos", type=int, default=64 if on_gpu else 2)
    parser.add_argument("--seconds", type=float, default=60 if on_gpu else 8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compile", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        weights = random_weights(Path(name))
        first = write_h264(Path(name) / "0.mp4", given.seconds)
        videos = [first, *(Path(name) / f"{number}.mp4" for number in range(1, given.videos))]
        for video in videos[1:]:
            video.hardlink_to(first)
        extraction = Extraction(CARD, weights=weights, compiled=given.compile)
        reading = Reading(CARD, weights=weights)
        with open_video(first) as reader:
            clips: list[Views] = [clip.frames for clip in cut_clips(reader, extraction.resolved_recipe)]
        times = max(1, given.videos // 4)
        with Pipeline(Settings()) as pipeline:
            together(pipeline, videos[:1], extraction)
            decode = median(lambda: together(pipeline, videos, reading), given.rounds)
            model = median(lambda: model_alone(extraction, clips, times), given.rounds)
            both = median(lambda: together(pipeline, videos, extraction), given.rounds)
        used = model * clip_flops(extraction, clips[0]) / product_flops(extraction.place)
    where = torch.cuda.get_device_name() if on_gpu else "CPU"
    print(f"{where}, {extraction.place.precision}, {extraction.runtime_told}")
    print(f"decode {decode:.1f}, model {model:.1f}, both {both:.1f} clips/s")
    print(f"both / the smaller alone: {both / min(decode, model):.2f}")
    print(f"model FLOP utilisation: {used:.2f}")


if __name__ == "__main__":
    main()
