"""H.264 files for the benchmarks: moving gradients with noise, so that decoding has real work.

Import it before torch: like the console script it lets the model's idle threads leave the cores.
"""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def write_h264(path: Path, seconds: float, *, width: int = 640, height: int = 360, fps: int = 30) -> Path:
    """A file of `seconds` at constant rate, a key frame every 2 s; made once, then reused."""
    if path.exists():
        return path
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:height, :width]
    grain = [rng.integers(0, 24, (height, width, 3), dtype=np.int16) for _ in range(8)]
    draft = path.with_name(f"draft-{path.name}")
    with av.open(str(draft), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "veryfast", "g": str(2 * fps)})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(round(seconds * fps)):
            waves = [rows + 3 * number, columns - 2 * number, rows + columns + number]
            picture = np.stack(waves, axis=-1) % 232 + grain[number % len(grain)]
            frame = av.VideoFrame.from_ndarray(np.clip(picture, 0, 255).astype(np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    draft.replace(path)
    return path
