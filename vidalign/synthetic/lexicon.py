"""What can be shown in the synthetic world, and its words: colours, shapes, actions, sizes, textures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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

ROUND_SHAPES = frozenset({"circle", "ring"})
RESIZING_ACTIONS = frozenset({"grow", "shrink", "split", "merge"})
