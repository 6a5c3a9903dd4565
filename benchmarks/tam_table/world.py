"""Videos of coloured blocks that move in one of eight directions and come in again on the other side.

The picture is a torus and the blocks begin anywhere, so that each frame alone has the same distribution
whatever the direction; all frames of a video in no order tell the axis, but not which way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from vidalign.store.atomic import atomic_path
from vidalign.synthetic.encoding import encode

DIRECTIONS = {
    **{"right": (0, 1), "down-right": (1, 1), "down": (1, 0), "down-left": (1, -1)},
    **{"left": (0, -1), "up-left": (-1, -1), "up": (-1, 0), "up-right": (-1, 1)},
}
"""Class -> rows and columns of a step; the opposite way is four further."""
SIZE, FRAMES, FPS = 32, 16, 8
BLOCKS = 3
SPEEDS = (1.5, 2.0)
"""Pixels a frame, along each axis of the direction."""


def make_world(folder: Path, videos: int, seed: int) -> None:
    """Write FOLDER/DIRECTION/NAME.mp4, equally many of each, where they are not there yet."""
    names = tuple(DIRECTIONS)
    for number in range(videos):
        direction = names[number % len(names)]
        path = folder / direction / f"{seed}-{number:04d}.mp4"
        if not path.exists():
            with atomic_path(path) as temporary:
                encode(temporary, draw(direction, Random(f"tam {seed}/{number}")), FPS)


def draw(direction: str, random: Random) -> Iterator[NDArray[np.uint8]]:
    """The frames (SIZE, SIZE, 3) of one video."""
    picture = np.full((SIZE, SIZE, 3), random.randint(20, 60), np.uint8)
    for _ in range(BLOCKS):
        height, width = (random.randint(SIZE // 8, SIZE // 4 - 1) for _ in range(2))
        block = np.zeros((SIZE, SIZE), bool)
        block[:height, :width] = True
        place = random.randrange(SIZE), random.randrange(SIZE)
        picture[np.roll(block, place, (0, 1))] = [random.randint(120, 250) for _ in range(3)]
    speed = random.choice(SPEEDS)
    rows, columns = (speed * part for part in DIRECTIONS[direction])
    for number in range(FRAMES):
        yield np.roll(picture, (round(number * rows), round(number * columns)), (0, 1))
