"""CPU time of reading 16 frames a second at 256x256, over that of decoding alone; goals 1.8 and 3.0.

The file is H.264, 640x360, 30 frames a second, 60 s, about 1 Mbit/s. Decoding alone means: for PyAV, every
frame decoded, none converted; for decord, every frame decoded, none converted but the one before each key
frame (its cheapest way of reading on without seeking). CPU time is user + system of all threads, after
imports.

    python benchmarks/reading.py
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from itertools import count
from pathlib import Path

import av
import numpy as np

from vidalign.video.decord import Tape
from vidalign.video.look import look
from vidalign.video.open import open_video
from vidalign.video.protocol import Scaling

WIDTH, HEIGHT, FPS, SECONDS = 640, 360, 30, 60
GOALS = {"pyav": 1.8, "decord": 3.0}
REPEATS = 5


def make(path: Path) -> None:
    """A camera that pans over a smooth, grainy scene."""
    rng = np.random.default_rng(0)
    smooth = rng.normal(size=(2 * HEIGHT, 2 * WIDTH, 3)).cumsum(0).cumsum(1)
    smooth = (smooth - smooth.min()) / np.ptp(smooth) * 200
    scene = (smooth + rng.integers(0, 50, smooth.shape)).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for n in range(FPS * SECONDS):
            y, x = 2 * n % HEIGHT, 3 * n % WIDTH
            view = np.ascontiguousarray(scene[y : y + HEIGHT, x : x + WIDTH])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(view, format="rgb24")))
        container.mux(stream.encode(None))


def read(name: str, path: Path) -> int:
    with open_video(path, name) as reader:
        return sum(1 for _ in reader.frames_at((n / 16 for n in count()), Scaling((256, 256))))


def decode_pyav(path: Path) -> int:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        return sum(1 for _ in container.decode(stream))


def decode_decord(path: Path) -> int:
    tape = Tape(look(path), 0)
    tape.wind_to(len(tape.starts))
    return tape.at


TASKS: dict[str, Callable[[Path], int]] = {
    "pyav decode": decode_pyav,
    "pyav read": lambda path: read("pyav", path),
    "decord decode": decode_decord,
    "decord read": lambda path: read("decord", path),
}


def spent(task: str, path: Path) -> float:
    """CPU seconds of one task in a process of its own."""
    done = subprocess.run([sys.executable, __file__, task, path], capture_output=True, text=True, check=True)
    return float(done.stdout)


def child(task: str, path: Path) -> None:
    import_module("torch")  # The scaler's, imported at its first frame: a cost of starting, not of reading.
    before = resource.getrusage(resource.RUSAGE_SELF)
    frames = TASKS[task](path)
    after = resource.getrusage(resource.RUSAGE_SELF)
    wanted = (16 if task.endswith("read") else FPS) * SECONDS
    if frames != wanted:
        raise SystemExit(f"{task}: {frames} frames, not {wanted}")
    print(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        make(path)
        rounds = [{task: spent(task, path) for task in TASKS} for _ in range(REPEATS)]
    best = {task: min(times[task] for times in rounds) for task in TASKS}
    met = True
    for name, goal in GOALS.items():
        alone, reading = best[f"{name} decode"], best[f"{name} read"]
        met = met and reading / alone <= goal
        print(f"{name}: reading {reading:.2f} s, decoding alone {alone:.2f} s of CPU time, ", end="")
        print(f"ratio {reading / alone:.2f} (goal: at most {goal})")
    return 0 if met else 1


if __name__ == "__main__":
    if len(sys.argv) == 3:
        child(sys.argv[1], Path(sys.argv[2]))
    else:
        sys.exit(main())
