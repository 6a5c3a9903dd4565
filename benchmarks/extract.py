"""Extraction end to end with the full-size S3D against its halves, each measured alone on the same cores.

Prints (end-to-end clips/s) / (1 / (1/model-only + 1/read-only)); goal: at least 0.90. Weights are random.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from footage import write_h264

from vidalign.backbones.encode import encode
from vidalign.backbones.registry import build
from vidalign.batch.encoding import extract_features
from vidalign.batch.extraction import Extraction
from vidalign.video.clips import cut_clips
from vidalign.video.open import open_video
from vidalign.weights.cards import get_card
from vidalign.weights.tensors import save_tensors

CARD = "s3d-howto100m"


def random_weights(folder: Path) -> Path:
    """A checkpoint of the full-size S3D."""
    spec = get_card(CARD).backbone
    assert spec is not None
    torch.manual_seed(0)
    path = folder / "s3d.safetensors"
    save_tensors(path, build(spec).state_dict())
    return path


def rate(work: Callable[[], int]) -> float:
    """Clips a second."""
    began = time.perf_counter()
    return work() / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = write_h264(folder / "video.mp4", given.seconds)
        extraction = Extraction(CARD, weights=random_weights(folder))
        recipe, place = extraction.resolved_recipe, extraction.place
        with open_video(video) as reader:
            clips = [clip.frames for clip in cut_clips(reader, recipe)]

        def read_only() -> int:
            with open_video(video) as reader:
                return sum(1 for _ in cut_clips(reader, recipe))

        def model_only() -> int:
            batches = encode(extraction.model, clips, device=place.device, precision=place.precision)
            return sum(len(batch) for batch in batches)

        model_only()
        ratios = []
        for _ in range(given.rounds):
            model, read = rate(model_only), rate(read_only)
            whole = rate(lambda: len(extract_features(video, extraction).features))
            ratios.append(whole * (1 / model + 1 / read))
            print(f"model {model:.2f}, read {read:.2f}, both {whole:.2f} clips/s: ratio {ratios[-1]:.2f}")
        print(f"median ratio {np.median(ratios):.2f} on {place.device}")


if __name__ == "__main__":
    main()
