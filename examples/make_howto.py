"""Makes the example again: howto.mp4, howto.vtt and howto.truth.json beside this script."""

from __future__ import annotations

from pathlib import Path

from vidalign.store.atomic import write_text
from vidalign.synthetic.generate import draw_sample, encode_sample, webvtt
from vidalign.synthetic.settings import WorldSettings
from vidalign.synthetic.truth import write_truth

SEED = 20260001
SETTINGS = WorldSettings(seconds=170)
HERE = Path(__file__).parent


def main() -> None:
    """Write the three files beside this script."""
    sample = draw_sample(SEED, 0, SETTINGS)
    encode_sample(sample, HERE / "howto.mp4")
    write_text(HERE / "howto.vtt", webvtt(sample.narration))
    write_truth(HERE / "howto.truth.json", {"howto": sample.truth})


if __name__ == "__main__":
    main()
