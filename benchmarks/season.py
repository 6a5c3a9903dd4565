"""3,600 sentences x 60,000 s aligned exactly: wall time and peak memory, each method in a process of its own.

The goal is at most 1.5 GB, of which the float32 matrix has 0.86.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import numpy as np

from vidalign.aligners.decoders import get_decoder
from vidalign.aligners.decoders.evidence import Evidence

GOAL = 1500.0
DECODERS = ("dtw", "otam", "drop-dtw", "viterbi", "steps")


def season(sentences: int, clips: int) -> Evidence:
    """Each sentence like the clips of its share of the time, among noise; filled a row at a time."""
    rng = np.random.default_rng(0)
    similarity = np.empty((sentences, clips), dtype=np.float32)
    width = clips // sentences
    for k in range(sentences):
        rng.random(out=similarity[k], dtype=np.float32)
        similarity[k] *= 0.5
        similarity[k, k * width + 2 : k * width + width // 2] += 0.5
    start = np.arange(clips, dtype=np.float64)
    return Evidence(similarity, np.stack([start, start + 1], axis=1))


def decode_here(written: str, sentences: int, clips: int) -> None:
    given = season(sentences, clips)
    began = time.perf_counter()
    found = get_decoder(written)(given)
    took = time.perf_counter() - began
    width = clips // sentences
    right = (found.clips // width == np.arange(sentences)).mean()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"{written}: {took:.1f} s, peak {peak:.0f} MB, {100 * right:.1f} % of the sentences right")
    sys.exit(peak > GOAL)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=3600)
    parser.add_argument("--clips", type=int, default=60000)
    parser.add_argument("--without-numba", action="store_true", help="as without the extra fast")
    parser.add_argument("--decoder", action="append", help="default: " + ", ".join(DECODERS))
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.without_numba:
        sys.modules["numba"] = None  # type: ignore[assignment]
    if given.here:
        decode_here(given.decoder[0], given.sentences, given.clips)
    missed = 0
    for written in given.decoder or DECODERS:
        command = [sys.executable, __file__, "--here", "--decoder", written]
        command += ["--sentences", str(given.sentences), "--clips", str(given.clips)]
        command += ["--without-numba"] * given.without_numba
        missed |= subprocess.run(command, check=False).returncode
    print(f"goal {GOAL:.0f} MB: {'missed' if missed else 'met'}")
    return missed


if __name__ == "__main__":
    sys.exit(main())
