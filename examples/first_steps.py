"""Align the example from Python and say where each sentence can be seen.

Run from the top of the repository: python examples/first_steps.py
"""

from __future__ import annotations

from pathlib import Path

import vidalign

HERE = Path(__file__).parent


def main() -> None:
    features = vidalign.extract(HERE / "howto.mp4", dtype="float32")
    print(
        f"{len(features.features)} clips of {features.features.shape[1]} numbers, {features.times[-1, 1]:g} s"
    )

    alignment = vidalign.align(HERE / "howto.mp4", HERE / "howto.vtt", features=features)
    for sentence, aligned, (start, end) in zip(
        alignment.sentences, alignment.aligned, alignment.segments, strict=True
    ):
        where = f"{start:6.1f} - {end:5.1f} s" if aligned else "   not to be seen"
        print(f"{where:<17}  {sentence.text}")


if __name__ == "__main__":
    main()
