"""Frames of a plan, drawn in integers so that every machine draws the same pixels.

Lengths are 1/16 pixel, an object's own coordinates run from -1024 to 1024 over its radius, angles are
degrees.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vidalign.synthetic.lexicon import COLOURS, SIZES, Rgb
from vidalign.synthetic.settings import WorldSettings
from vidalign.synthetic.world import GAIN, Plan, Shot, Step

Ints = NDArray[np.int32]
Mask = NDArray[np.bool_]
Pixels = NDArray[np.uint8]

UNIT = 1024
SUB = 16
OPAQUE = 256
ROOM = 52 * SUB
"""How far from its place an object may reach, so that it stays in the centre square."""

_SINE = tuple(round(UNIT * math.sin(math.radians(degree))) for degree in range(360))
_TRAIL = ((5, 60), (3, 100))
"""How many frames ago, and how opaque (0..256)."""
_TRAILING = frozenset({"left", "right", "up", "down", "grow", "shrink", "split", "merge"})
_NOISE_TILES = 8
_VEILED: Rgb = (150, 150, 150)
_BOARD: Rgb = (96, 84, 72)
_BOARD_HALF = 40
"""Half an edge of the board that hides an object, in pixels."""
_DULL: tuple[Rgb, ...] = ((110, 100, 90), (90, 95, 100), (120, 118, 105), (78, 84, 76), (104, 92, 100))


@dataclass(frozen=True, slots=True)
class Pose:
    """Where and how an object is drawn in one frame.

    `x`, `y` from the frame's centre and `radius` in 1/16 pixel; `opacity` 0..256; `full` is how much of the
    object, from its bottom, is drawn bright (0..1024).
    """

    x: int
    y: int
    radius: int
    angle: int = 0
    opacity: int = OPAQUE
    full: int = UNIT


def draw_frames(plan: Plan) -> Iterator[Pixels]:
    """Every frame of the plan in order, (height, width, 3) uint8 RGB."""
    settings = plan.settings
    noise = _noise_bank(settings)
    for shot in plan.shots:
        backdrop = _backdrop(shot.look, settings)
        gains = np.asarray(plan.cast, np.int32) * shot.light // GAIN
        for frame in range(shot.start, shot.end):
            canvas = np.roll(backdrop, shot.pan * (frame - shot.start) // 2, axis=1)
            if shot.step is not None:
                _draw_step(canvas, plan.steps[shot.step], shot, frame)
            yield _with_noise(canvas * gains // GAIN, noise, shot.look, frame)


def _draw_step(canvas: Pixels, step: Step, shot: Shot, frame: int) -> None:
    """What a step shows in a frame of the video: its object as far as it is not veiled, or a board."""
    if step.hidden(frame):
        _draw_board(canvas, shot)
        return
    shown = frame - step.start if step.acting(frame) else None
    rgb = COLOURS[step.colour].rgb if step.coloured(frame) else _VEILED
    past = [] if shown is None else trail(step, shot, shown)
    for pose in [*past, *poses(step, shot, shown)]:
        _draw_object(canvas, pose, step.shape, rgb, step.texture)


def _draw_board(canvas: Pixels, shot: Shot) -> None:
    height, width = canvas.shape[:2]
    x, y = width // 2 + shot.offset[0], height // 2 + shot.offset[1]
    canvas[max(y - _BOARD_HALF, 0) : y + _BOARD_HALF, x - _BOARD_HALF : x + _BOARD_HALF] = _BOARD


def poses(step: Step, shot: Shot, frame: int | None) -> list[Pose]:
    """How a step's object (or objects) stand in its `frame`-th frame, or while it does nothing (None)."""
    radius = SIZES[step.size][0] * SUB
    dx, dy = (SUB * pixels for pixels in shot.offset)
    if frame is None:
        return [Pose(dx, dy, radius, angle=shot.tilt)]
    return [
        replace(pose, x=pose.x + dx, y=pose.y + dy, angle=pose.angle + shot.tilt)
        for pose in _ACTION_POSES[step.action](frame, radius, shot.pace)
    ]


def trail(step: Step, shot: Shot, frame: int) -> list[Pose]:
    """Fainter poses of a moment ago, oldest first, of an action that has a direction in time."""
    if step.action not in _TRAILING:
        return []
    since_start = frame % period(shot.pace)
    return [
        replace(pose, opacity=opacity)
        for lag, opacity in _TRAIL
        if lag <= since_start
        for pose in poses(step, shot, frame - lag)
    ]


def period(pace: int) -> int:
    """Frames until an action starts over."""
    return 20 + 4 * pace


def _cycle(frame: int, pace: int) -> int:
    """Progress 0..1024 of an action that starts over every two seconds or so."""
    length = period(pace)
    return UNIT * (frame % length) // (length - 1)


def _between(start: int, end: int, progress: int) -> int:
    return start + (end - start) * progress // UNIT


def _travel(dx: int, dy: int) -> Callable[[int, int, int], list[Pose]]:
    def move(frame: int, radius: int, pace: int) -> list[Pose]:
        moved = radius * 4 // 5
        place = _between(moved - ROOM, ROOM - moved, _cycle(frame, pace))
        return [Pose(dx * place, dy * place, moved)]

    return move


def _spin(frame: int, radius: int, pace: int) -> list[Pose]:
    return [Pose(0, 0, radius * 6 // 5, angle=(8 + 2 * pace) * frame)]


def _grow(frame: int, radius: int, pace: int) -> list[Pose]:
    return [Pose(0, 0, _between(radius // 2, radius * 7 // 5, _cycle(frame, pace)))]


def _shrink(frame: int, radius: int, pace: int) -> list[Pose]:
    return [Pose(0, 0, _between(radius * 7 // 5, radius // 2, _cycle(frame, pace)))]


def _apart(radius: int, progress: int) -> list[Pose]:
    """One object (progress up to a fifth), then two halves ever farther apart."""
    spread = max(progress - UNIT // 5, 0) * 5 // 4
    if not spread:
        return [Pose(0, 0, radius)]
    half = radius * 2 // 3
    distance = _between(0, ROOM - half, spread)
    return [Pose(-distance, 0, half), Pose(distance, 0, half)]


def _split(frame: int, radius: int, pace: int) -> list[Pose]:
    return _apart(radius, _cycle(frame, pace))


def _merge(frame: int, radius: int, pace: int) -> list[Pose]:
    return _apart(radius, UNIT - _cycle(frame, pace))


def _fill(frame: int, radius: int, pace: int) -> list[Pose]:
    return [Pose(0, 0, radius * 6 // 5, full=_cycle(frame, pace))]


def _vanish(frame: int, radius: int, pace: int) -> list[Pose]:
    left = max(UNIT - _cycle(frame, pace) * 5 // 4, 0)
    return [Pose(0, 0, radius * 6 // 5, opacity=OPAQUE * left // UNIT)]


def _blink(frame: int, radius: int, pace: int) -> list[Pose]:
    half = 3 + pace // 2
    return [Pose(0, 0, radius * 6 // 5, opacity=OPAQUE if frame // half % 2 == 0 else 0)]


def _bounce(frame: int, radius: int, pace: int) -> list[Pose]:
    period = 9 + pace
    phase = UNIT * (frame % period) // period
    height = 4 * phase * (UNIT - phase) // UNIT
    hopping = radius * 4 // 5
    return [Pose(0, _between(ROOM - hopping, hopping - ROOM, height), hopping)]


_ACTION_POSES: dict[str, Callable[[int, int, int], list[Pose]]] = {
    "left": _travel(-1, 0),
    "right": _travel(1, 0),
    "up": _travel(0, -1),
    "down": _travel(0, 1),
    "spin": _spin,
    "grow": _grow,
    "shrink": _shrink,
    "split": _split,
    "merge": _merge,
    "fill": _fill,
    "vanish": _vanish,
    "blink": _blink,
    "bounce": _bounce,
}


def _draw_object(canvas: Pixels, pose: Pose, shape: str, rgb: Rgb, texture: str) -> None:
    """Blend one object into the canvas, four samples a pixel."""
    height, width = canvas.shape[:2]
    center_x, center_y = width * SUB // 2 + pose.x, height * SUB // 2 + pose.y
    left, right = max((center_x - pose.radius) // SUB, 0), min((center_x + pose.radius) // SUB + 1, width)
    top, bottom = max((center_y - pose.radius) // SUB, 0), min((center_y + pose.radius) // SUB + 1, height)
    if left >= right or top >= bottom or pose.opacity == 0:
        return
    u, v, upright = _own_coordinates(pose, (left, right), (top, bottom), (center_x, center_y))
    inside = _SHAPE_MASKS[shape](u, v)
    bright = np.where(upright > UNIT - 2 * pose.full, OPAQUE, 70)
    shade = _mean_of_four(np.where(inside, bright * _texture_shade(texture, u, v) // OPAQUE, 0))
    cover = _mean_of_four(np.where(inside, OPAQUE, 0)) * pose.opacity // OPAQUE
    shade = shade * pose.opacity // OPAQUE
    box = canvas[top:bottom, left:right]
    colour = np.asarray(rgb, np.int32)
    box[:] = (box * (OPAQUE - cover)[..., None] + colour * shade[..., None]) // OPAQUE


def _own_coordinates(
    pose: Pose, across: tuple[int, int], down: tuple[int, int], center: tuple[int, int]
) -> tuple[Ints, Ints, Ints]:
    """Object coordinates (u, v) of the samples of a box of pixels, turned, and v without the turn."""
    x = (np.arange(2 * across[0], 2 * across[1], dtype=np.int32) * SUB // 2 + SUB // 4 - center[0])[None, :]
    y = (np.arange(2 * down[0], 2 * down[1], dtype=np.int32) * SUB // 2 + SUB // 4 - center[1])[:, None]
    sine, cosine = _SINE[pose.angle % 360], _SINE[(pose.angle + 90) % 360]
    u = (x * cosine + y * sine) // pose.radius
    v = (y * cosine - x * sine) // pose.radius
    return u, v, y * UNIT // pose.radius


def _mean_of_four(samples: Ints) -> Ints:
    rows = samples[0::2] + samples[1::2]
    mean: Ints = (rows[:, 0::2] + rows[:, 1::2]) // 4
    return mean


def _texture_shade(texture: str, u: Ints, v: Ints) -> Ints:
    """256 where the object has its full colour, less where its texture darkens it."""
    if texture == "striped":
        dark = (v + UNIT) // 250 % 2 == 1
    elif texture == "checkered":
        dark = ((u + UNIT) // 340 + (v + UNIT) // 340) % 2 == 1
    elif texture == "dotted":
        dark = ((u + UNIT) % 420 - 210) ** 2 + ((v + UNIT) % 420 - 210) ** 2 < 120**2
    else:
        dark = np.zeros(np.broadcast_shapes(u.shape, v.shape), np.bool_)
    return np.where(dark, 150, OPAQUE).astype(np.int32)


def _circle(u: Ints, v: Ints) -> Mask:
    return u * u + v * v <= 960**2


def _square(u: Ints, v: Ints) -> Mask:
    return np.maximum(np.abs(u), np.abs(v)) <= 790


def _triangle(u: Ints, v: Ints) -> Mask:
    return (v <= 640) & (np.abs(u) * 5 <= (v + 960) * 3)


def _star(u: Ints, v: Ints) -> Mask:
    """A point belongs to a pentagram if it lies outside of at most one of its five lines."""
    within = np.zeros(np.broadcast_shapes(u.shape, v.shape), np.int32)
    for degree in range(54, 414, 72):
        within += u * _SINE[(degree + 90) % 360] + v * _SINE[degree % 360] <= 335 * UNIT
    return within >= 4


def _cross(u: Ints, v: Ints) -> Mask:
    thin, long = np.minimum(np.abs(u), np.abs(v)), np.maximum(np.abs(u), np.abs(v))
    return (thin <= 290) & (long <= 930)


def _ring(u: Ints, v: Ints) -> Mask:
    distance = u * u + v * v
    return (distance <= 980**2) & (distance >= 560**2)


def _heart(u: Ints, v: Ints) -> Mask:
    side = np.abs(u)
    lobe = (side - 440) ** 2 + (v + 330) ** 2 <= 490**2
    point = (v >= -240) & (side * 10 <= (900 - v) * 8)
    return lobe | point


def _moon(u: Ints, v: Ints) -> Mask:
    return (u * u + v * v <= 980**2) & ((u - 480) ** 2 + (v + 60) ** 2 > 800**2)


_SHAPE_MASKS: dict[str, Callable[[Ints, Ints], Mask]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "cross": _cross,
    "ring": _ring,
    "heart": _heart,
    "moon": _moon,
}


def _backdrop(look: int, settings: WorldSettings) -> Pixels:
    """A dull picture without a main object: two-tone sky, ground, scenery, small distractors."""
    draw = np.random.RandomState(look)
    height, width = settings.height, settings.width
    upper = draw.randint(25, 95, size=3) // 2 + draw.randint(15, 55)
    lower = draw.randint(25, 95, size=3) // 2 + draw.randint(15, 55)
    share = np.arange(height, dtype=np.int64)[:, None] * UNIT // height
    rows = (upper * (UNIT - share) + lower * share) // UNIT
    picture = np.repeat(rows[:, None, :], width, axis=1)
    _SCENERY[draw.randint(len(_SCENERY))](picture, draw)
    canvas = picture.clip(0, 255).astype(np.uint8)
    for _ in range(draw.randint(0, settings.distractors + 1)):
        _draw_distractor(canvas, draw)
    return canvas


def _plain(picture: NDArray[np.int64], draw: np.random.RandomState) -> None:
    """Nothing on it."""


def _hills(picture: NDArray[np.int64], draw: np.random.RandomState) -> None:
    height, width = picture.shape[:2]
    across = np.arange(width)
    horizon = height * 3 // 5
    for degrees in draw.randint(3, 9, size=2):
        wave = np.asarray(_SINE)[(across * degrees + draw.randint(360)) % 360]
        top = horizon + wave * 12 // UNIT
        below = np.arange(height)[:, None] >= top[None, :]
        picture[below] = (picture[below] * 3 + draw.randint(20, 110, size=3)) // 4
        horizon += height // 6


def _houses(picture: NDArray[np.int64], draw: np.random.RandomState) -> None:
    height, width = picture.shape[:2]
    for left in range(0, width, 24):
        top = height - draw.randint(10, height // 2)
        picture[top:, left : left + draw.randint(14, 24)] += draw.randint(-14, 15)


def _tiles(picture: NDArray[np.int64], draw: np.random.RandomState) -> None:
    height, width = picture.shape[:2]
    edge = draw.randint(12, 30)
    odd = (np.arange(height)[:, None] // edge + np.arange(width)[None, :] // edge) % 2 == 1
    picture[odd] += draw.randint(6, 14)


_SCENERY: tuple[Callable[[NDArray[np.int64], np.random.RandomState], None], ...] = (
    _plain,
    _hills,
    _houses,
    _tiles,
)


def _draw_distractor(canvas: Pixels, draw: np.random.RandomState) -> None:
    height, width = canvas.shape[:2]
    radius = draw.randint(5, 9)
    x = draw.randint(width // 5, width // 2 - radius) * (1 if draw.randint(2) else -1)
    y = draw.randint(radius - height // 2, height // 2 - radius)
    shape = tuple(_SHAPE_MASKS)[draw.randint(len(_SHAPE_MASKS))]
    pose = Pose(int(x) * SUB, int(y) * SUB, int(radius) * SUB, angle=int(draw.randint(360)))
    _draw_object(canvas, pose, shape, _DULL[draw.randint(len(_DULL))], "plain")


def _noise_bank(settings: WorldSettings) -> NDArray[np.int16]:
    """A few tiles of grain, (tiles, height, width, 1), used in turn and shifted."""
    draw = np.random.RandomState(7)
    size = (_NOISE_TILES, settings.height, settings.width, 1)
    return (draw.randint(0, 2 * settings.noise + 1, size=size) - settings.noise).astype(np.int16)


def _with_noise(canvas: Ints, noise: NDArray[np.int16], look: int, frame: int) -> Pixels:
    tile = np.roll(noise[(look + frame) % _NOISE_TILES], (look + 37 * frame) % 101, axis=0)
    noisy: Pixels = (canvas + tile).clip(0, 255).astype(np.uint8)
    return noisy
