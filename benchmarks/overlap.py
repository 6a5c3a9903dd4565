"""Many videos end to end with the full-size S3D against its halves, each alone on the same cores.

Prints (end-to-end clips/s) / (1 / (1/model-only + 1/read-only)) for a folder of short clips and for one long
file, and how fast the short ones are, a clip, next to the long one. Goal: 0.95 for each. Weights are random;
processes and network are warm. On a GPU see benchmarks/gpu.py.

    python benchmarks/overlap.py
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import footage
import numpy as np
from extract import CARD, random_weights, rate
from gpu import Reading, together

from vidalign.batch.extraction import Extraction
from vidalign.batch.pipeline import Pipeline, Settings, cores
from vidalign.video.clips import cut_clips
from vidalign.video.open import open_video

GOAL = 0.95
HELD = 16
"""Clips that the network alone is given, again and again."""


class Contest:
    """The three ways, over and over."""

    def __init__(self, folder: Path, warm: Path, workers: int | None) -> None:
        weights = random_weights(folder)
        self._whole = Extraction(CARD, weights=weights)
        self._read = Reading(CARD, weights=weights)
        with open_video(warm) as reader:
            clips = list(cut_clips(reader, self._whole.resolved_recipe))
        self._clips = [clips[n % len(clips)].frames for n in range(HELD)]
        self._both, self._alone = Pipeline(Settings(workers)), Pipeline(Settings(cores()))
        for pipeline, extraction in ((self._both, self._whole), (self._alone, self._read)):
            together(pipeline, [warm] * 4, extraction)
        self.model_only(HELD)

    def close(self) -> None:
        """End the processes."""
        self._both.close()
        self._alone.close()

    def model_only(self, count: int) -> int:
        """Encode so many clips that lie in memory."""
        encoder = self._whole.encoder()
        rows = sum(len(encoder.add(self._clips[n % HELD])) for n in range(count))
        return rows + len(encoder.finish())

    def ratio(self, name: str, videos: Sequence[Path], count: int) -> tuple[float, float]:
        """End to end over the sum of the halves, and its clips a second; the order turns the noise around."""
        model = rate(lambda: self.model_only(count))
        read = rate(lambda: together(self._alone, videos, self._read))
        both = rate(lambda: together(self._both, videos, self._whole))
        model_again = rate(lambda: self.model_only(count))
        model = 2 / (1 / model + 1 / model_again)
        ratio = both * (1 / model + 1 / read)
        print(f"{name}: model {model:.2f}, read {read:.2f}, both {both:.2f} clips/s: ratio {ratio:.2f}")
        return ratio, both


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=int, default=200, help="short clips")
    parser.add_argument("--clip-seconds", type=float, default=2)
    parser.add_argument("--seconds", type=float, default=400, help="of the long file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, help="reading processes; by default what the program takes")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        short = footage.write_h264(folder / "short.mp4", given.clip_seconds)
        many = [folder / f"short-{number}.mp4" for number in range(given.videos)]
        for video in many:
            os.link(short, video)
        long = footage.write_h264(folder / "long.mp4", given.seconds)
        contest = Contest(folder, short, given.workers)
        found = []
        for _ in range(given.rounds):
            one, alone = contest.ratio("one long file", [long], int(given.seconds))
            several, among = contest.ratio("many short", many, int(given.videos * given.clip_seconds))
            found.append((one, several, among / alone))
        contest.close()
        one, several, evenness = np.median(found, axis=0)
        print(f"median ratio: one long file {one:.2f}, many short {several:.2f} (goal {GOAL})")
        print(f"median of clips/s of many short over those of one long: {evenness:.2f}")


if __name__ == "__main__":
    main()
