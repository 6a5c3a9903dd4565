"""Draw docs/images/figure.png, the figure in the README: the example aligned by two methods, with its truth.

Run from the top of the repository: python docs/make_figure.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "howto"
FIGURE = ROOT / "docs" / "images" / "figure.png"
METHODS = {"TAN": ("--scorer", "tan"), "dot product": ("--scorer", "similarity", "--threshold", "0.5")}


def vidalign(*args: str | Path) -> None:
    """One command of vidalign."""
    program = "from vidalign.cli.main import run; run()"
    subprocess.run([sys.executable, "-c", program, *map(str, args)], check=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        vidalign("extract", f"{EXAMPLE}.mp4", "-o", folder)
        features, files, labels = Path(folder) / "howto.h5", [], []
        for number, (name, how) in enumerate(METHODS.items()):
            files.append(Path(folder) / f"{number}.align.h5")
            labels += ["--label", name]
            vidalign(
                *("align", f"{EXAMPLE}.mp4", f"{EXAMPLE}.vtt"),
                *("--features", features, "-o", files[-1], *how),
            )
        vidalign(
            *("plot", *files, *labels, "--truth", f"{EXAMPLE}.truth.json"),
            *("--dpi", "110", "--overwrite", "-o", FIGURE),
        )


if __name__ == "__main__":
    main()
