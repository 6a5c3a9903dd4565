"""What the narrator says: steps in many wordings, at wrong times, among chatter and things never shown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor
from random import Random
from typing import Literal

from vidalign.errors import ConfigError
from vidalign.synthetic.world import (
    ACTIONS,
    COLOURS,
    RESIZING_ACTIONS,
    SHAPES,
    SIZES,
    TASKS,
    TEXTURES,
    Plan,
    Step,
    WorldSettings,
    draw_kind,
)

Form = Literal["base", "third", "gerund"]

STEP_TEMPLATES: tuple[tuple[str, Form], ...] = (
    ("the {thing} {action}", "third"),
    ("now the {thing} {action}", "third"),
    ("next the {thing} {action}", "third"),
    ("and then the {thing} {action}", "third"),
    ("watch how the {thing} {action}", "third"),
    ("as you can see the {thing} {action}", "third"),
    ("here the {thing} slowly {action}", "third"),
    ("after that the {thing} {action}", "third"),
    ("now let the {thing} {action}", "base"),
    ("go ahead and make the {thing} {action}", "base"),
    ("we want the {thing} to {action}", "base"),
    ("you should see a {thing} {action}", "base"),
    ("now the {thing} starts {action}", "gerund"),
    ("here is a {thing} {action}", "gerund"),
    ("keep the {thing} {action} for a moment", "gerund"),
    ("the {thing} is {action} now", "gerund"),
    ("notice the {thing} {action}", "gerund"),
)

CHATTER = (
    "hi everyone and welcome back to my channel",
    "don't forget to subscribe",
    "please leave a comment below",
    "give this video a thumbs up if you like it",
    "today we are making a {task}",
    "this {task} was a gift for my sister",
    "i learned this from my grandmother",
    "i have been doing this for twenty years",
    "you can find the links in the description",
    "this is my favourite part",
    "take your time with this",
    "it took me a while to get the hang of it",
    "if you have any questions let me know",
    "my kids love a {task} like this",
    "you don't need expensive tools for it",
    "thank you so much for watching",
    "see you in the next video",
    "this usually works the first time",
    "don't worry if it looks strange at first",
    "that is really all there is to it",
    "some people do this in a different way",
    "i used to get this wrong all the time",
    "my neighbour painted her house {colour} last year",
    "{colour} is my favourite colour by the way",
    "i love anything {colour}",
    "it was raining all week where i live",
    "sorry about the noise outside",
    "let me know what you think about it",
    "we are almost done with our {task}",
    "so that was easy wasn't it",
    "i made one of these for a friend last summer",
    "you could also do this with your children",
    "the weather is lovely today",
    "let me tell you a little story",
    "okay so where were we",
    "it is cheaper than buying a {task} in the shop",
    "practice makes perfect",
    "just be patient and have fun with it",
    "i will show you another trick next week",
    "have a look at my other videos",
)

_PLACING_ATTEMPTS = 400
_GAP_MS = 80


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


def describe(random: Random, kind: tuple[str, str, str], size: str = "", texture: str = "") -> str:
    """One of many sentences that say what (colour, shape, action) is shown, sometimes size and texture."""
    colour, shape, action = kind
    adjectives = [random.choice(COLOURS[colour].words)]
    for word in (_maybe(random, TEXTURES.get(texture, ())), _maybe(random, _size_words(size, action))):
        if word:
            adjectives.insert(0, word)
    template, form = random.choice(STEP_TEMPLATES)
    phrase = random.choice(ACTIONS[action])
    thing = " ".join([*adjectives, random.choice(SHAPES[shape])])
    return template.format(thing=thing, action=getattr(phrase, form))


def describe_step(random: Random, step: Step) -> str:
    """`describe` for a step of a plan."""
    return describe(random, step.kind, step.size, step.texture)


def chatter(random: Random, task: str) -> str:
    """A sentence that nothing can show."""
    return random.choice(CHATTER).format(task=task, colour=random.choice(tuple(COLOURS)))


def absent(random: Random, plan: Plan) -> str:
    """A sentence about something that the plan never shows."""
    shown = {step.kind for step in plan.steps}
    kind = draw_kind(random)
    while kind in shown:
        kind = draw_kind(random)
    return describe(random, kind, random.choice(tuple(SIZES)), random.choice(tuple(TEXTURES)))


def narrate(plan: Plan, random: Random) -> tuple[Spoken, ...]:
    """Cues of a plan in order of time, without overlap; raises ConfigError when they do not fit.

    Drawn anew until at most `max_in_place` of the step sentences are spoken while their step is shown.
    """
    for _ in range(_PLACING_ATTEMPTS):
        wishes = _step_wishes(plan, random)
        wishes += _other_wishes(plan, random, len(wishes))
        spoken = _place(wishes, random, round(plan.settings.seconds * 1000))
        if spoken and _share_in_place(plan, spoken) <= plan.settings.max_in_place:
            return spoken
    raise ConfigError(
        f"the narration of {plan.name} does not fit its {plan.settings.seconds:g} seconds",
        hint="give more seconds or shorter cues",
    )


def vocabulary() -> list[str]:
    """Every word that can be spoken, sorted."""
    sources: list[str] = [template for template, _ in STEP_TEMPLATES]
    sources += [line.replace("{task}", "").replace("{colour}", "") for line in CHATTER]
    sources += [*TASKS, *COLOURS]
    sources += [word for colour in COLOURS.values() for word in colour.words]
    sources += [word for words in SHAPES.values() for word in words]
    sources += [word for _, words in SIZES.values() for word in words]
    sources += [word for words in TEXTURES.values() for word in words]
    phrases = [phrase for group in ACTIONS.values() for phrase in group]
    sources += [text for phrase in phrases for text in (phrase.base, phrase.third, phrase.gerund)]
    words = {word for source in sources for word in re.findall(r"[\w']+", source)}
    return sorted(words - {"thing", "action"})


def in_place(middle: float, start: float, end: float) -> bool:
    """Whether a second counted from `middle` hits [start, end), judged as HTM-Align judges a peak."""
    return floor(start) <= floor(middle) <= ceil(end)


def _maybe(random: Random, words: tuple[str, ...]) -> str:
    return random.choice(words) if words and random.random() < 0.4 else ""


def _size_words(size: str, action: str) -> tuple[str, ...]:
    return SIZES[size][1] if size and action not in RESIZING_ACTIONS else ()


def _step_wishes(plan: Plan, random: Random) -> list[_Wish]:
    """Most steps are spoken of once, some twice, a few never; one of them at least."""
    wishes: list[_Wish] = []
    while not wishes:
        for index, step in enumerate(plan.steps):
            times = random.choices((0, 1, 2), weights=(8, 80, 12))[0]
            for _ in range(times):
                middle = _spoken_middle(plan.settings, *plan.interval(index), random)
                length = random.randint(*plan.settings.cue_ms)
                wishes.append(_Wish(describe_step(random, step), middle, length, index))
    return wishes


def _spoken_middle(settings: WorldSettings, start: float, end: float, random: Random) -> int:
    """Milliseconds of a sentence's middle: seldom within the step, else seconds too late or too early."""
    if random.random() < settings.in_place_share:
        return round(1000 * random.uniform(start, end))
    late = ceil(end) + random.uniform(1.5, 9)
    early = floor(start) - random.uniform(0.5, 8)
    choices = [middle for middle in (late, early) if 1 < middle < settings.seconds - 1]
    return round(1000 * random.choice(choices or [random.uniform(1, settings.seconds - 1)]))


def _other_wishes(plan: Plan, random: Random, steps: int) -> list[_Wish]:
    """Chatter and absent things, as many as the share of alignable sentences asks for."""
    settings = plan.settings
    share = random.uniform(*settings.alignable_share)
    count = min(max(round(steps / share) - steps, steps), 2 * steps)
    wishes = []
    for _ in range(count):
        nowhere = random.random() < settings.absent_share
        text = absent(random, plan) if nowhere else chatter(random, plan.task)
        middle = round(1000 * random.uniform(0, settings.seconds))
        wishes.append(_Wish(text, middle, random.randint(*settings.cue_ms), None))
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


def _share_in_place(plan: Plan, spoken: Iterable[Spoken]) -> float:
    hits = [
        in_place((cue.start + cue.end) / 2000, *plan.interval(cue.step))
        for cue in spoken
        if cue.step is not None
    ]
    return sum(hits) / len(hits)
