"""The plan of one video: which steps are shown when, in which shots, and how each shot looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Literal

from vidalign.synthetic.lexicon import ACTIONS, COLOURS, ROUND_SHAPES, SHAPES, SIZES, TASKS, TEXTURES
from vidalign.synthetic.settings import Range, WorldSettings

Kind = tuple[str, str, str]
"""Colour, shape and action."""
Veil = Literal["", "colour first", "action first"]
ATTRIBUTES: tuple[tuple[str, ...], ...] = (tuple(COLOURS), tuple(SHAPES), tuple(ACTIONS))
GAIN = 256
SHORTEST_VEILED_SECONDS = 6


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is shown: an object doing something in frames [start, end).

    With a `veil`, the object stands still in its colour on one side of frame `turn` and acts without colour
    on the other; a board stands before it in frames [hidden_from, hidden_to). `goes_on`: with the object of
    the step before. `again`: an earlier step once more.
    """

    colour: str
    shape: str
    action: str
    size: str
    texture: str
    start: int
    end: int
    veil: Veil = ""
    turn: int = 0
    hidden_from: int = 0
    hidden_to: int = 0
    goes_on: bool = False
    again: bool = False

    @property
    def kind(self) -> Kind:
        """What a complete sentence about it says."""
        return self.colour, self.shape, self.action

    def coloured(self, frame: int) -> bool:
        """Whether the colour is seen in a frame of the video."""
        return not self.veil or (frame < self.turn) == (self.veil == "colour first")

    def acting(self, frame: int) -> bool:
        """Whether the action is seen in a frame of the video."""
        return not self.veil or not self.coloured(frame)

    def hidden(self, frame: int) -> bool:
        """Whether the board stands before it in a frame of the video."""
        return self.hidden_from <= frame < self.hidden_to


@dataclass(frozen=True, slots=True)
class Shot:
    """Frames [start, end) between two cuts. `step` indexes the plan's steps; None shows scenery only.

    `offset` moves the object (pixels), `look` seeds backdrop and distractors, `pace` is the action's speed,
    `light` (of 256) darkens the picture.
    """

    start: int
    end: int
    step: int | None
    look: int
    offset: tuple[int, int] = (0, 0)
    tilt: int = 0
    pace: int = 0
    pan: int = 0
    light: int = GAIN


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is shown in one video; `shots` cover all frames without gap.

    `cast` is what is left (of 256) of red, green and blue in the whole video.
    """

    name: str
    task: str
    settings: WorldSettings
    steps: tuple[Step, ...]
    shots: tuple[Shot, ...]
    cast: tuple[int, int, int] = (GAIN, GAIN, GAIN)

    def interval(self, step: int) -> tuple[float, float]:
        """Seconds [start, end) in which a step is shown."""
        fps = self.settings.fps
        return self.steps[step].start / fps, self.steps[step].end / fps


def plan_video(name: str, random: Random, settings: WorldSettings) -> Plan:
    """Draw the steps and shots of one video."""
    steps = _draw_steps(random, settings)
    shots: list[Shot] = []
    shown_until = 0
    for index, step in enumerate(steps):
        if step.start > shown_until:
            shots.append(_scenery(random, shown_until, step.start, settings))
        shots.extend(_step_shots(random, index, step, settings))
        shown_until = step.end
    if settings.frames > shown_until:
        shots.append(_scenery(random, shown_until, settings.frames, settings))
    red, green, blue = (_gain(random, settings.cast) for _ in range(3))
    return Plan(name, random.choice(TASKS), settings, tuple(steps), tuple(shots), (red, green, blue))


def draw_kind(random: Random) -> Kind:
    """Any (colour, shape, action)."""
    colour, shape, action = (random.choice(values) for values in ATTRIBUTES)
    return colour, shape, action


def lookalike(random: Random, kind: Kind) -> Kind:
    """The same but for one attribute."""
    changed = random.randrange(len(kind))
    attributes = list(kind)
    attributes[changed] = random.choice([value for value in ATTRIBUTES[changed] if value != kind[changed]])
    return attributes[0], attributes[1], attributes[2]


def frames_of(random: Random, seconds: Range, settings: WorldSettings) -> int:
    """A length in frames within a range of seconds."""
    low, high = seconds
    return random.randint(round(low * settings.fps), round(high * settings.fps))


def _draw_steps(random: Random, settings: WorldSettings) -> list[Step]:
    steps: list[Step] = []
    start = frames_of(random, settings.idle_seconds, settings)
    last_start = settings.frames - settings.fps - round(settings.step_seconds[0] * settings.fps)
    while start <= last_start:
        end = min(start + frames_of(random, settings.step_seconds, settings), settings.frames - settings.fps)
        steps.append(_draw_step(random, steps, start, end, settings))
        start = end
        if random.random() >= settings.direct_cut_share:
            start += frames_of(random, settings.idle_seconds, settings)
    return steps


def _draw_step(random: Random, before: Sequence[Step], start: int, end: int, settings: WorldSettings) -> Step:
    kind, goes_on, again = _draw_next_kind(random, before, settings)
    if goes_on:
        size, texture = before[-1].size, before[-1].texture
    else:
        size, texture = random.choice(tuple(SIZES)), random.choice(tuple(TEXTURES))
    if kind[2] == "spin" and kind[1] in ROUND_SHAPES:
        texture = "striped"
    veil, turn = _draw_veil(random, start, end, settings)
    hidden_from, hidden_to = _draw_board(random, start, end, settings) if not veil else (0, 0)
    return Step(*kind, size, texture, start, end, veil, turn, hidden_from, hidden_to, goes_on, again)


def _draw_next_kind(
    random: Random, before: Sequence[Step], settings: WorldSettings
) -> tuple[Kind, bool, bool]:
    """What comes next, whether it goes on with the last object, and whether it was there before.

    Only what `repeat_share` asks for is shown twice, and never twice in a row.
    """
    taken = {step.kind for step in before}
    if before and random.random() < settings.same_object_share:
        last = before[-1]
        actions = [action for action in ACTIONS if (last.colour, last.shape, action) not in taken]
        if actions:
            return (last.colour, last.shape, random.choice(actions)), True, False
    if len(before) > 1 and random.random() < settings.repeat_share:
        return random.choice(before[:-1]).kind, False, True
    kind = draw_kind(random)
    if before and random.random() < settings.lookalike_share:
        kind = lookalike(random, random.choice(before).kind)
    while kind in taken:
        kind = draw_kind(random)
    return kind, False, False


def _draw_veil(random: Random, start: int, end: int, settings: WorldSettings) -> tuple[Veil, int]:
    if random.random() >= settings.veil_share or end - start < SHORTEST_VEILED_SECONDS * settings.fps:
        return "", 0
    turn = start + (end - start) * random.randint(40, 60) // 100
    return random.choice(("colour first", "action first")), turn


def _draw_board(random: Random, start: int, end: int, settings: WorldSettings) -> tuple[int, int]:
    if random.random() >= settings.hidden_share:
        return 0, 0
    length = (end - start) * random.randint(30, 60) // 100
    hidden_from = start + random.randint(0, end - start - length)
    return hidden_from, hidden_from + length


def _gain(random: Random, strength: float) -> int:
    return GAIN - random.randint(0, round(strength * GAIN))


def _scenery(random: Random, start: int, end: int, settings: WorldSettings) -> Shot:
    light = _gain(random, settings.exposure)
    return Shot(start, end, None, random.getrandbits(32), pan=random.choice((-1, 0, 0, 1)), light=light)


def _step_shots(random: Random, index: int, step: Step, settings: WorldSettings) -> list[Shot]:
    """One shot, or two with a cut inside the step after which only background, place and light differ."""
    borders = [step.start, step.end]
    if random.random() < settings.shot_change_share:
        borders.insert(1, random.randint(step.start + settings.fps, step.end - settings.fps))
    pace = random.randrange(3)
    return [
        Shot(
            start,
            end,
            index,
            random.getrandbits(32),
            offset=(random.randint(-8, 8), random.randint(-6, 6)),
            tilt=random.randint(-12, 12),
            pace=pace,
            light=_gain(random, settings.exposure),
        )
        for start, end in pairwise(borders)
    ]
