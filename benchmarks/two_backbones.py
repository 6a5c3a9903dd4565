"""Two backbones on one decoding of a video against one backbone, and against two runs.

`read` takes no network: frames given to networks per CPU second (user + system of all threads) by one pass
for both recipes, over those of a pass for one (the mean of either alone). A frame counts once for each recipe
that samples it. Goal: not below 1, for one pass must serve the second at less than the cost of the first.
Printed too: frames decoded and converted to RGB per CPU second, and all frames of the stream. The last stay
the same where both recipes sample the same frames and scale alike; else more of them are converted.

`whole` is end to end with a network, the bundled one twice by different recipes: CPU time of two runs over
that of one run for both.

The file is H.264, 640x360, 30 frames a second. Rounds of all ways are interleaved; the least of each counts,
which other work on the machine disturbs least.

    python benchmarks/two_backbones.py
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from footage import write_h264

from vidalign.batch.encoding import extract_features, extract_together
from vidalign.batch.extraction import Extraction
from vidalign.types import Recipe
from vidalign.video.clips import cut_many
from vidalign.video.open import open_video
from vidalign.video.protocol import Shot, Wanted
from vidalign.weights.recipes import get_recipe

GOAL = 1.0


def spent(work: Callable[[], object]) -> float:
    """CPU seconds."""
    began = time.process_time()
    work()
    return time.process_time() - began


def read(video: Path, recipes: Sequence[Recipe]) -> None:
    with open_video(video, "pyav") as reader:
        for _ in cut_many(reader, recipes):
            pass


def converted(video: Path, recipes: Sequence[Recipe]) -> int:
    """Frames that one pass for these recipes converts to RGB."""
    count = 0
    with open_video(video, "pyav") as reader:
        once = reader.pictures

        def counted(wanted: Wanted) -> Iterator[Shot]:
            nonlocal count
            for shot in once(wanted):
                count += bool(shot.pixels)
                yield shot

        reader.pictures = counted  # type: ignore[method-assign]
        for _ in cut_many(reader, recipes):
            pass
    return count


def least(ways: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """The least CPU seconds of each way."""
    return np.min([[spent(way) for way in ways] for _ in range(rounds)], axis=0).tolist()


def compare_reading(name: str, video: Path, recipes: Sequence[Recipe], rounds: int) -> float:
    frames, all_of_them = [converted(video, [recipe]) for recipe in recipes], converted(video, recipes)
    ways = [partial(read, video, [recipe]) for recipe in recipes]
    *alone, together = least([*ways, partial(read, video, recipes)], rounds)
    one = float(np.mean([n / cpu for n, cpu in zip(frames, alone, strict=True)]))
    both, decoded = sum(frames) / together, (1 / together) / np.mean([1 / cpu for cpu in alone])
    print(
        f"read, {name}: {both:.0f} frames/s given by one pass for both, {one:.0f} by a pass for one: "
        f"ratio {both / one:.2f}; frames converted per second: ratio {all_of_them / together / one:.2f}; "
        f"all frames of the stream: {decoded:.2f}"
    )
    return both / one


def compare_whole(video: Path, folder: Path, rounds: int) -> None:
    wide = folder / "wide.yaml"
    wide.write_text(
        "fps: 8\nframes: 8\nstride: 1\nsize: [64, 96]\nresize: exact\ncrop: none\n"
        "layer: mixed_5c\ntail: repeat\n"
    )
    extractions = [Extraction("mini", device="cpu"), Extraction("mini", wide, device="cpu")]

    def apart() -> None:
        for extraction in extractions:
            extract_features(video, extraction)

    def together() -> None:
        extract_together(video, extractions)

    together()
    two, one = least([apart, together], rounds)
    print(f"whole, mini twice: two runs take {two / one:.2f} times the CPU time of one for both")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    s3d, tsp = get_recipe("s3d-16fps"), get_recipe("tsp-activitynet")
    pairs = {
        "S3D and TSP": [s3d, tsp],
        "S3D twice, other clips": [s3d, replace(s3d, name="own", frames=32, stride=2.0)],
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = write_h264(folder / "video.mp4", given.seconds)
        worst = min(compare_reading(pair, video, recipes, given.rounds) for pair, recipes in pairs.items())
        compare_whole(video, folder, given.rounds)
    print(f"lowest ratio of frames given per second {worst:.2f}; goal {GOAL:g}")


if __name__ == "__main__":
    main()
