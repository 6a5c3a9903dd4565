"""When the narrator says it: seldom while it is shown, among chatter and things never shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil, floor
from random import Random

from vidalign.errors import ConfigError
from vidalign.synthetic.sentences import absent, captioned, chatter, describe_step
from vidalign.synthetic.settings import WorldSettings
from vidalign.synthetic.world import Plan

_PLACING_ATTEMPTS = 400
_GAP_MS = 80
_SAME_TENDENCY = 0.8


@dataclass(frozen=True, slots=True)
class Spoken:
    """One cue: text, its own times in milliseconds, the step it describes (None: nothing that is shown)."""

    text: str
    start: int
    end: int
    step: int | None


@dataclass(frozen=True, slots=True)
class _Wish:
    """A sentence with a length and the middle it would like to have, in milliseconds."""

    text: str
    middle: int
    length: int
    step: int | None


def narrate(plan: Plan, random: Random) -> tuple[Spoken, ...]:
    """Cues of a plan in order of time, without overlap; raises ConfigError when they do not fit.

    Steps are spoken of in their own order. Drawn anew until at most `max_in_place` of the step sentences are
    spoken while their step is shown.
    """
    for _ in range(_PLACING_ATTEMPTS):
        wishes = _step_wishes(plan, random)
        wishes += _other_wishes(plan, random, len(wishes))
        spoken = _place(wishes, random, round(plan.settings.seconds * 1000))
        if spoken and share_in_place(plan, spoken) <= plan.settings.max_in_place:
            return spoken
    raise ConfigError(
        f"the narration of {plan.name} does not fit its {plan.settings.seconds:g} seconds",
        hint="give more seconds, shorter cues, or more sentences in place",
    )


def in_place(middle: float, start: float, end: float) -> bool:
    """Whether a second counted from `middle` hits [start, end), judged as HTM-Align judges a peak."""
    return floor(start) <= floor(middle) <= ceil(end)


def share_in_place(plan: Plan, spoken: Iterable[Spoken]) -> float:
    """Share of the step sentences that are spoken while their step is shown."""
    hits = [
        in_place((cue.start + cue.end) / 2000, *plan.interval(cue.step))
        for cue in spoken
        if cue.step is not None
    ]
    return sum(hits) / len(hits)


def _step_wishes(plan: Plan, random: Random) -> list[_Wish]:
    """Most steps are spoken of once, some twice, a few never; one of them at least; in the steps' order."""
    late = random.random() < 0.5
    drift = plan.settings.drift * random.uniform(-1, 1)
    wishes: list[_Wish] = []
    while not wishes:
        for index, step in enumerate(plan.steps):
            for _ in range(_mentions(plan.settings, random)):
                middle = _spoken_middle(plan.settings, *plan.interval(index), late, random)
                text = captioned(random, describe_step(random, step, plan.settings), plan.settings)
                wishes.append(_Wish(text, middle, _length(plan.settings, random), index))
    total = plan.settings.seconds * 1000
    middles = sorted(round(wish.middle * (1 + drift * 1000 / total)) for wish in wishes)
    return [replace(wish, middle=middle) for wish, middle in zip(wishes, middles, strict=True)]


def _mentions(settings: WorldSettings, random: Random) -> int:
    once = max(1 - settings.silent_share - settings.twice_share, 0)
    return random.choices((0, 1, 2), weights=(settings.silent_share, once, settings.twice_share))[0]


def _length(settings: WorldSettings, random: Random) -> int:
    low, high = settings.cue_seconds
    return random.randint(round(1000 * low), round(1000 * high))


def _spoken_middle(settings: WorldSettings, start: float, end: float, late: bool, random: Random) -> int:
    """Milliseconds of a sentence's middle: within the step, or seconds too late or too early.

    `late` is what this narrator mostly is when not in time.
    """
    if random.random() < settings.in_place_share:
        return round(1000 * random.uniform(start, end))
    after, before = ceil(end) + random.uniform(*settings.late), floor(start) - random.uniform(*settings.early)
    usual, other = (after, before) if late else (before, after)
    wanted = [usual, other] if random.random() < _SAME_TENDENCY else [other, usual]
    possible = [middle for middle in wanted if 1 < middle < settings.seconds - 1]
    return round(1000 * (possible[0] if possible else random.uniform(1, settings.seconds - 1)))


def _other_wishes(plan: Plan, random: Random, steps: int) -> list[_Wish]:
    """Chatter and absent things, as many as the share of alignable sentences asks for."""
    settings = plan.settings
    shown = {step.kind for step in plan.steps}
    share = random.uniform(*settings.alignable_share)
    wishes = []
    for _ in range(round(steps / share) - steps):
        nowhere = random.random() < settings.absent_share
        text = absent(random, shown) if nowhere else chatter(random, plan.task)
        middle = round(1000 * random.uniform(0, settings.seconds))
        text = captioned(random, text, settings)
        wishes.append(_Wish(text, middle, _length(settings, random), None))
    return wishes


def _place(wishes: list[_Wish], random: Random, total: int) -> tuple[Spoken, ...]:
    """Push wishes apart until none overlap; empty when they do not fit into `total` milliseconds."""
    ordered = sorted(wishes, key=lambda wish: wish.middle)
    starts: list[int] = []
    free_from = 0
    for wish in ordered:
        starts.append(max(wish.middle - wish.length // 2, free_from))
        free_from = starts[-1] + wish.length + _GAP_MS
    free_until = total
    for index in reversed(range(len(ordered))):
        starts[index] = min(starts[index], free_until - ordered[index].length)
        free_until = starts[index] - _GAP_MS
    if starts[0] < 0:
        return ()
    return tuple(
        Spoken(wish.text, start, start + wish.length, wish.step)
        for wish, start in zip(ordered, starts, strict=True)
    )
