"""What exists in the synthetic world: colours, shapes, actions, and the plan of one video made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from vidalign.errors import ConfigError

Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Colour:
    """A main object's colour and the words that name it."""

    rgb: Rgb
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Phrase:
    """One way to say an action: 'to rise', 'it rises', 'it is rising'."""

    base: str
    third: str
    gerund: str


COLOURS: Mapping[str, Colour] = {
    "red": Colour((225, 30, 30), ("red", "scarlet")),
    "orange": Colour((250, 140, 20), ("orange", "amber")),
    "yellow": Colour((250, 235, 50), ("yellow", "golden")),
    "green": Colour((30, 200, 50), ("green", "emerald")),
    "blue": Colour((40, 80, 245), ("blue", "azure")),
    "purple": Colour((150, 40, 210), ("purple", "violet")),
    "pink": Colour((255, 130, 200), ("pink", "rosy")),
    "white": Colour((245, 245, 245), ("white", "snowy")),
}

SHAPES: Mapping[str, tuple[str, ...]] = {
    "circle": ("circle", "disc"),
    "square": ("square", "box"),
    "triangle": ("triangle", "wedge"),
    "star": ("star", "starlet"),
    "cross": ("cross", "plus"),
    "ring": ("ring", "hoop"),
    "heart": ("heart", "valentine"),
    "moon": ("moon", "crescent"),
}

ACTIONS: Mapping[str, tuple[Phrase, ...]] = {
    "left": (
        Phrase("move left", "moves left", "moving left"),
        Phrase("slide to the left", "slides to the left", "sliding to the left"),
        Phrase("travel leftwards", "travels leftwards", "travelling leftwards"),
    ),
    "right": (
        Phrase("move right", "moves right", "moving right"),
        Phrase("slide to the right", "slides to the right", "sliding to the right"),
        Phrase("travel rightwards", "travels rightwards", "travelling rightwards"),
    ),
    "up": (
        Phrase("move up", "moves up", "moving up"),
        Phrase("rise", "rises", "rising"),
        Phrase("climb upwards", "climbs upwards", "climbing upwards"),
    ),
    "down": (
        Phrase("move down", "moves down", "moving down"),
        Phrase("sink", "sinks", "sinking"),
        Phrase("drop downwards", "drops downwards", "dropping downwards"),
    ),
    "spin": (
        Phrase("spin", "spins", "spinning"),
        Phrase("rotate", "rotates", "rotating"),
        Phrase("turn around", "turns around", "turning around"),
    ),
    "grow": (
        Phrase("grow", "grows", "growing"),
        Phrase("get bigger", "gets bigger", "getting bigger"),
        Phrase("expand", "expands", "expanding"),
    ),
    "shrink": (
        Phrase("shrink", "shrinks", "shrinking"),
        Phrase("get smaller", "gets smaller", "getting smaller"),
        Phrase("contract", "contracts", "contracting"),
    ),
    "split": (
        Phrase("split", "splits", "splitting"),
        Phrase("divide in two", "divides in two", "dividing in two"),
        Phrase("break apart", "breaks apart", "breaking apart"),
    ),
    "merge": (
        Phrase("merge", "merges", "merging"),
        Phrase("join together", "joins together", "joining together"),
        Phrase("unite", "unites", "uniting"),
    ),
    "fill": (
        Phrase("fill", "fills", "filling"),
        Phrase("get filled", "gets filled", "getting filled"),
        Phrase("become full", "becomes full", "becoming full"),
    ),
    "vanish": (
        Phrase("vanish", "vanishes", "vanishing"),
        Phrase("fade away", "fades away", "fading away"),
        Phrase("disappear", "disappears", "disappearing"),
    ),
    "blink": (
        Phrase("blink", "blinks", "blinking"),
        Phrase("flash", "flashes", "flashing"),
        Phrase("flicker", "flickers", "flickering"),
    ),
    "bounce": (
        Phrase("bounce", "bounces", "bouncing"),
        Phrase("hop", "hops", "hopping"),
        Phrase("jump", "jumps", "jumping"),
    ),
}

SIZES: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "small": (26, ("small", "little")),
    "medium": (31, ()),
    "large": (36, ("large", "big")),
}
"""Radius of the object in pixels and the words for it."""

TEXTURES: Mapping[str, tuple[str, ...]] = {
    "plain": (),
    "striped": ("striped",),
    "dotted": ("dotted", "spotted"),
    "checkered": ("checkered",),
}

TASKS = (
    "paper lantern",
    "garden sign",
    "birthday card",
    "wooden puzzle",
    "window mobile",
    "picture frame",
    "festival banner",
    "kitchen clock",
)
"""What the narrator says is being made."""

MIN_SECONDS = 20
MAX_SECONDS = 3000
"""Steps of a longer video could run out of different (colour, shape, action)."""

ROUND_SHAPES = frozenset({"circle", "ring"})
RESIZING_ACTIONS = frozenset({"grow", "shrink", "split", "merge"})


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """The knobs of the world; ranges are inclusive (low, high).

    `max_in_place` bounds the share of step sentences whose own midpoint lies inside their true interval.
    """

    width: int = 160
    height: int = 120
    fps: int = 12
    seconds: float = 160.0
    step_seconds: tuple[int, int] = (4, 12)
    idle_seconds: tuple[int, int] = (1, 5)
    direct_cut_share: float = 0.2
    shot_change_share: float = 0.35
    cue_ms: tuple[int, int] = (1500, 3500)
    alignable_share: tuple[float, float] = (0.36, 0.48)
    in_place_share: float = 0.22
    max_in_place: float = 0.4
    absent_share: float = 0.45

    def __post_init__(self) -> None:
        if not MIN_SECONDS <= self.seconds <= MAX_SECONDS:
            raise ConfigError(
                f"a synthetic video lasts {MIN_SECONDS} to {MAX_SECONDS} seconds, not {self.seconds:g}"
            )

    @property
    def frames(self) -> int:
        """Frames of a whole video."""
        return round(self.seconds * self.fps)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is shown: an object doing something in frames [start, end)."""

    colour: str
    shape: str
    action: str
    size: str
    texture: str
    start: int
    end: int

    @property
    def kind(self) -> tuple[str, str, str]:
        """What tells two steps of a video apart."""
        return self.colour, self.shape, self.action


@dataclass(frozen=True, slots=True)
class Shot:
    """Frames [start, end) between two cuts. `step` indexes the plan's steps; None shows scenery only.

    `offset` moves the object (pixels), `look` seeds backdrop and distractors, `pace` is the action's speed.
    """

    start: int
    end: int
    step: int | None
    look: int
    offset: tuple[int, int] = (0, 0)
    tilt: int = 0
    pace: int = 0
    pan: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is shown in one video; `shots` cover all frames without gap."""

    name: str
    task: str
    settings: WorldSettings
    steps: tuple[Step, ...]
    shots: tuple[Shot, ...]

    def interval(self, step: int) -> tuple[float, float]:
        """Seconds [start, end) in which a step is shown."""
        fps = self.settings.fps
        return self.steps[step].start / fps, self.steps[step].end / fps


def plan_video(name: str, random: Random, settings: WorldSettings) -> Plan:
    """Draw the steps and shots of one video; no two steps share colour, shape and action."""
    steps = _draw_steps(random, settings)
    shots: list[Shot] = []
    shown_until = 0
    for index, step in enumerate(steps):
        if step.start > shown_until:
            shots.append(_scenery(random, shown_until, step.start))
        shots.extend(_step_shots(random, index, step, settings))
        shown_until = step.end
    if settings.frames > shown_until:
        shots.append(_scenery(random, shown_until, settings.frames))
    return Plan(name, random.choice(TASKS), settings, tuple(steps), tuple(shots))


def draw_kind(random: Random) -> tuple[str, str, str]:
    """Any (colour, shape, action)."""
    return random.choice(tuple(COLOURS)), random.choice(tuple(SHAPES)), random.choice(tuple(ACTIONS))


def _draw_steps(random: Random, settings: WorldSettings) -> list[Step]:
    fps = settings.fps
    shortest, longest = (seconds * fps for seconds in settings.step_seconds)
    steps: list[Step] = []
    start = _idle_frames(random, settings)
    last_start = settings.frames - fps - shortest
    while start <= last_start:
        end = min(start + random.randint(shortest, longest), settings.frames - fps)
        taken = {step.kind for step in steps}
        kind = draw_kind(random)
        while kind in taken:
            kind = draw_kind(random)
        texture = random.choice(tuple(TEXTURES))
        if kind[2] == "spin" and kind[1] in ROUND_SHAPES:
            texture = "striped"
        steps.append(Step(*kind, random.choice(tuple(SIZES)), texture, start, end))
        start = end
        if random.random() >= settings.direct_cut_share:
            start += _idle_frames(random, settings)
    return steps


def _idle_frames(random: Random, settings: WorldSettings) -> int:
    low, high = settings.idle_seconds
    return random.randint(low * settings.fps, high * settings.fps)


def _scenery(random: Random, start: int, end: int) -> Shot:
    return Shot(start, end, None, random.getrandbits(32), pan=random.choice((-1, 0, 0, 1)))


def _step_shots(random: Random, index: int, step: Step, settings: WorldSettings) -> list[Shot]:
    """One shot, or two with a cut inside the step after which only background and place differ."""
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
        )
        for start, end in pairwise(borders)
    ]
