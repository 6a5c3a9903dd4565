"""Makes the example again: howto.mp4, howto.vtt and howto.truth.json beside this script."""

from __future__ import annotations

from pathlib import Path

from vidalign.synthetic.generate import draw_sample, write_sample
from vidalign.synthetic.truth import write_truth
from vidalign.synthetic.world import WorldSettings

SEED = 20260001
SETTINGS = WorldSettings(seconds=170)
HERE = Path(__file__).parent


def main() -> None:
    """Write the three files beside this script."""
    sample = draw_sample(SEED, 0, SETTINGS)
    write_sample(sample, HERE / "howto.mp4", HERE / "howto.vtt")
    write_truth(HERE / "howto.truth.json", {"howto": sample.truth})


if __name__ == "__main__":
    main()
