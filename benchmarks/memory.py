"""Peak memory of extracting a long file against a file a sixth as long, each in a process of its own.

Prints the ratio of peak resident memory, 60 min / 10 min; the goal is at most 1.10.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from footage import write_h264

from vidalign.batch.encoding import extract_features
from vidalign.batch.extraction import Extraction


def extract_here(video: Path) -> None:
    """Extract and print the peak memory of this process in MiB."""
    features = extract_features(video, Extraction("mini"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(features.features)} {peak:.1f}")


def peak_of(video: Path) -> float:
    done = subprocess.run(
        [sys.executable, __file__, "--extract", str(video)], check=True, capture_output=True, text=True
    )
    clips, peak = done.stdout.split()
    print(f"{video.name}: {clips} clips, peak {peak} MiB")
    return float(peak)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--extract", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.extract is not None:
        extract_here(given.extract)
        return
    with tempfile.TemporaryDirectory() as name:
        videos = [
            write_h264(Path(name) / f"{minutes:g}min.mp4", 60 * minutes, width=320, height=180, fps=15)
            for minutes in (given.minutes / 6, given.minutes)
        ]
        short, long = (peak_of(video) for video in videos)
        print(f"ratio {long / short:.3f}")


if __name__ == "__main__":
    main()
