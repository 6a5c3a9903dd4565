"""What the narrator says: steps in many wordings, chatter, things never shown, and misheard words."""

from __future__ import annotations

import re
from collections.abc import Collection
from random import Random
from typing import Literal

from vidalign.synthetic.lexicon import ACTIONS, COLOURS, RESIZING_ACTIONS, SHAPES, SIZES, TASKS, TEXTURES
from vidalign.synthetic.settings import WorldSettings
from vidalign.synthetic.world import Kind, Step, draw_kind, lookalike

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

IT_TEMPLATES: tuple[tuple[str, Form], ...] = (
    ("it {action}", "third"),
    ("now it {action}", "third"),
    ("and then it {action}", "third"),
    ("watch how it {action}", "third"),
    ("after that it {action}", "third"),
    ("now let it {action}", "base"),
    ("go ahead and make it {action}", "base"),
    ("we want this to {action}", "base"),
    ("now it starts {action}", "gerund"),
    ("keep it {action} for a moment", "gerund"),
    ("this is {action} now", "gerund"),
)
"""For an object that the sentence before has named."""

FILLERS = ("um", "uh", "you know", "like", "well", "i mean")

MISHEARD = {
    "red": "read",
    "blue": "blew",
    "green": "grin",
    "white": "wide",
    "pink": "think",
    "golden": "holding",
    "star": "start",
    "ring": "bring",
    "heart": "hard",
    "moon": "mood",
    "cross": "across",
    "box": "books",
    "plus": "pulse",
    "wedge": "wetch",
    "hoop": "hope",
    "circle": "cycle",
    "square": "scare",
    "spins": "pins",
    "spinning": "spending",
    "rises": "rices",
    "sinks": "thinks",
    "grows": "crows",
    "grow": "crow",
    "splits": "spits",
    "merges": "emerges",
    "fills": "feels",
    "flashes": "flushes",
    "hops": "hopes",
    "left": "lift",
    "up": "op",
}
"""What captions make of a word; any other word that is misheard is lost."""


def describe(random: Random, kind: Kind, size: str = "", texture: str = "") -> str:
    """One of many sentences that say what (colour, shape, action) is shown, sometimes size and texture."""
    colour, shape, action = kind
    adjectives = [random.choice(COLOURS[colour].words)]
    for word in (_maybe(random, TEXTURES.get(texture, ())), _maybe(random, _size_words(size, action))):
        if word:
            adjectives.insert(0, word)
    return _fill(random, STEP_TEMPLATES, action, " ".join([*adjectives, random.choice(SHAPES[shape])]))


def describe_half(random: Random, kind: Kind) -> str:
    """The same without the colour or without the shape."""
    colour, shape, action = kind
    colourless = random.random() < 0.5
    words = SHAPES[shape] if colourless else tuple(f"{word} one" for word in COLOURS[colour].words)
    return _fill(random, STEP_TEMPLATES, action, random.choice(words))


def describe_it(random: Random, action: str) -> str:
    """Only the action, of something that was named before."""
    return _fill(random, IT_TEMPLATES, action, "it")


def describe_step(random: Random, step: Step, settings: WorldSettings) -> str:
    """A sentence for a step of a plan: whole, half, or with 'it' where the object goes on."""
    if step.goes_on and random.random() < settings.pronoun_share:
        return describe_it(random, step.action)
    if random.random() < settings.partial_share:
        return describe_half(random, step.kind)
    return describe(random, step.kind, step.size, step.texture)


def chatter(random: Random, task: str) -> str:
    """A sentence that nothing can show."""
    return random.choice(CHATTER).format(task=task, colour=random.choice(tuple(COLOURS)))


def absent(random: Random, shown: Collection[Kind]) -> str:
    """A sentence about something that is not among `shown`, half of the times nearly."""
    kind = draw_kind(random)
    if shown and random.random() < 0.5:
        kind = lookalike(random, random.choice(sorted(shown)))
    while kind in shown:
        kind = draw_kind(random)
    return describe(random, kind, random.choice(tuple(SIZES)), random.choice(tuple(TEXTURES)))


def captioned(random: Random, text: str, settings: WorldSettings) -> str:
    """The text as captions have it: with fillers, and with words misheard or lost, but never all of them."""
    words = text.split()
    if random.random() < settings.filler_share:
        words.insert(random.randint(0, len(words)), random.choice(FILLERS))
    heard = [MISHEARD.get(word, "") if random.random() < settings.error_share else word for word in words]
    return " ".join(word for word in heard if word) or text


def vocabulary() -> list[str]:
    """Every word that can be spoken or misheard, sorted."""
    sources: list[str] = [template for template, _ in (*STEP_TEMPLATES, *IT_TEMPLATES)]
    sources += [line.replace("{task}", "").replace("{colour}", "") for line in CHATTER]
    sources += [*TASKS, *COLOURS, *FILLERS, *MISHEARD.values(), "one"]
    sources += [word for colour in COLOURS.values() for word in colour.words]
    sources += [word for words in SHAPES.values() for word in words]
    sources += [word for _, words in SIZES.values() for word in words]
    sources += [word for words in TEXTURES.values() for word in words]
    phrases = [phrase for group in ACTIONS.values() for phrase in group]
    sources += [text for phrase in phrases for text in (phrase.base, phrase.third, phrase.gerund)]
    words = {word for source in sources for word in re.findall(r"[\w']+", source)}
    return sorted(words - {"thing", "action"})


def _fill(random: Random, templates: tuple[tuple[str, Form], ...], action: str, thing: str) -> str:
    template, form = random.choice(templates)
    return template.format(thing=thing, action=getattr(random.choice(ACTIONS[action]), form))


def _maybe(random: Random, words: tuple[str, ...]) -> str:
    return random.choice(words) if words and random.random() < 0.4 else ""


def _size_words(size: str, action: str) -> tuple[str, ...]:
    return SIZES[size][1] if size and action not in RESIZING_ACTIONS else ()
