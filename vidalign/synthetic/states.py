"""What every second of a plan shows, as numbers: what features without pictures are made from."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vidalign.synthetic.drawing import period
from vidalign.synthetic.lexicon import ACTIONS, COLOURS, SHAPES, SIZES, TEXTURES
from vidalign.synthetic.world import GAIN, Plan, Shot, Step

_VALUES = (*COLOURS, "veiled", *SHAPES, *ACTIONS, "still", *SIZES, *TEXTURES, "board", "scenery")
_INDEX = {name: index for index, name in enumerate(_VALUES)}
_LIGHT = len(_VALUES)
_PHASE = _LIGHT + 3
_OFFSET = _PHASE + 4
STATES = _OFFSET + 2
"""Columns of a state: shares of what is seen, then light, the action's phase and the object's place."""


def second_states(plan: Plan) -> NDArray[np.float32]:
    """States (T, STATES), each the mean of what the frames of one whole second show."""
    fps = plan.settings.fps
    frames = np.zeros((plan.settings.frames, STATES), np.float32)
    for shot in plan.shots:
        for frame in range(shot.start, shot.end):
            _describe(frames[frame], plan, shot, frame)
    seconds = len(frames) // fps
    return np.asarray(frames[: seconds * fps].reshape(seconds, fps, STATES).mean(axis=1), np.float32)


def shot_of_seconds(plan: Plan) -> NDArray[np.intp]:
    """The shot (T,) that is on at the middle of every whole second."""
    fps = plan.settings.fps
    starts = np.array([shot.start for shot in plan.shots])
    middles = np.arange(plan.settings.frames // fps) * fps + fps // 2
    return np.asarray(np.searchsorted(starts, middles, side="right") - 1)


def _describe(row: NDArray[np.float32], plan: Plan, shot: Shot, frame: int) -> None:
    row[_LIGHT:_PHASE] = [1 - gain * shot.light / GAIN**2 for gain in plan.cast]
    if shot.step is None:
        row[_INDEX["scenery"]] = 1
        return
    step = plan.steps[shot.step]
    if step.hidden(frame):
        row[_INDEX["board"]] = 1
        return
    for name in _seen(step, frame):
        row[_INDEX[name]] = 1
    angle = 2 * math.pi * (frame - step.start) / period(shot.pace)
    row[_PHASE:_OFFSET] = (math.sin(angle), math.cos(angle), shot.pace / 2, shot.tilt / 12)
    row[_OFFSET:] = (shot.offset[0] / 8, shot.offset[1] / 6)


def _seen(step: Step, frame: int) -> tuple[str, ...]:
    colour = step.colour if step.coloured(frame) else "veiled"
    action = step.action if step.acting(frame) else "still"
    return colour, step.shape, action, step.size, step.texture
