"""Where backbones come from: this package and others name their cards and networks by one hook.

A package brings backbones by an entry point of the group `vidalign.backbones` whose value is a `Plugin`.
Networks are named, not imported, so that cards can be listed without torch.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from typing import Any

from vidalign.errors import ModelError, did_you_mean

log = logging.getLogger(__name__)

GROUP = "vidalign.backbones"
"""The entry point group of plugins."""


@dataclass(frozen=True, slots=True)
class Family:
    """What the backbones of one kind have in common; functions and classes are named as "module:name".

    `network` is an nn.Module class: its arguments are a card's config, its forward maps clips
    (B, channels, N, H, W) to a dict layer -> (B, D). Frames, height and width must divide by `divisor`.
    `fixed_frames`: a recipe's clips must have the `frames` (and the `size`, where there is one) of the card's
    config. `names` is a function from a published state dict, under any name scheme it knows, to the
    network's own names; it leaves other names as they are, for the strict check to name them. `text` is a
    function that builds the sentence side of a similarity. `package` is one that the network needs besides,
    brought by `pip install EXTRA`.
    """

    network: str
    divisor: int = 1
    channels: int = 3
    names: str | None = None
    fixed_frames: bool = False
    text: str | None = None
    package: str = ""
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Plugin:
    """Cards and the families of their networks.

    `cards` is the folder of their YAML files, "package:folder" ("package" for the package itself); files of
    cards that are `bundled` lie in the folder `bundled` of the same package.
    """

    cards: str
    families: Mapping[str, Family]

    @property
    def package(self) -> str:
        """The package that holds the cards."""
        return self.cards.partition(":")[0]


def _pair(network: str) -> Family:
    """Towers of pictures (or clips) and sentences."""
    return Family(
        f"vidalign.backbones.hf_pairs:{network}",
        names="vidalign.backbones.hf_pairs:names",
        fixed_frames=True,
        text="vidalign.aligners.scorers.text_towers:pair",
        package="transformers",
        extra="'vidalign[clip]'",
    )


BUILT_IN = Plugin(
    "vidalign.weights:cards",
    {
        "s3d": Family(
            "vidalign.backbones.s3d:S3D", divisor=2, text="vidalign.aligners.scorers.text_towers:s3d"
        ),
        "tsp": Family("vidalign.backbones.tsp:TSP"),
        "video-resnet": Family("vidalign.backbones.video_resnet:VideoResNet"),
        "c3d": Family(
            "vidalign.backbones.c3d:C3D", names="vidalign.backbones.c3d:our_names", fixed_frames=True
        ),
        "i3d": Family("vidalign.backbones.i3d:I3D", names="vidalign.backbones.i3d_names:to_ours"),
        "s3d-kinetics": Family("vidalign.backbones.s3d_kinetics:S3DKinetics"),
        "tanet": Family(
            "vidalign.backbones.tanet:TANet", names="vidalign.backbones.tanet:our_names", fixed_frames=True
        ),
        "clip": _pair("CLIP"),
        "siglip": _pair("SigLIP"),
        "siglip2": _pair("SigLIP2"),
        "xclip": _pair("XCLIP"),
        "videomae": Family(
            "vidalign.backbones.hf_video:VideoMAE",
            names="vidalign.backbones.hf_video:videomae_names",
            fixed_frames=True,
            package="transformers",
            extra="'vidalign[clip]'",
        ),
        "vjepa2": Family(
            "vidalign.backbones.hf_video:VJEPA2",
            divisor=2,
            names="vidalign.backbones.hf_video:vjepa2_names",
            package="transformers",
            extra="'vidalign[clip]'",
        ),
    },
)


def plugins() -> tuple[Plugin, ...]:
    """The built-in backbones, then those of other packages by the names of their entry points.

    A plugin that cannot be loaded is left out, with a warning; `faults` has the reasons.
    """
    return _found(tuple(sys.path))[0]


def faults() -> tuple[str, ...]:
    """Why plugins were left out, one line each."""
    return _found(tuple(sys.path))[1]


def families() -> dict[str, Family]:
    """Every family by name; the built-in ones are not replaced."""
    known: dict[str, Family] = {}
    for plugin in plugins():
        known = {**plugin.families, **known}
    return known


def get_family(name: str) -> Family:
    """The family of that name; raises ModelError for an unknown one."""
    known = families()
    if name not in known:
        raise ModelError(f"no backbones of the family {name!r} are known", hint=did_you_mean(name, known))
    return known[name]


def missing_extra(name: str) -> str:
    """The pip line that brings what a family's networks need besides, empty where it is here."""
    family = get_family(name)
    if not family.package or find_spec(family.package) is not None:
        return ""
    return f"pip install {family.extra}"


def card_files() -> dict[str, tuple[Plugin, Traversable]]:
    """Every card file by the name of its model, sorted; the built-in ones are not replaced."""
    found: dict[str, tuple[Plugin, Traversable]] = {}
    for plugin in plugins():
        for entry in _folder(plugin).iterdir():
            if entry.name.endswith(".yaml"):
                found.setdefault(entry.name.removesuffix(".yaml"), (plugin, entry))
    return dict(sorted(found.items()))


def load_named(reference: str) -> Any:
    """What "module:name" names; raises ModelError where it cannot be imported."""
    module, _, name = reference.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, SyntaxError) as error:
        raise ModelError(f"{reference} cannot be imported: {error}") from error


def _folder(plugin: Plugin) -> Traversable:
    package, _, folder = plugin.cards.partition(":")
    return files(package) / folder if folder else files(package)


@lru_cache(maxsize=4)
def _found(path: tuple[str, ...]) -> tuple[tuple[Plugin, ...], tuple[str, ...]]:
    """The plugins on that import path, and what is wrong with the others."""
    held, wrong = [BUILT_IN], []
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        try:
            held.append(_load(point))
        except ModelError as error:
            log.warning("%s", error.message)
            wrong.append(error.message)
    return tuple(held), tuple(wrong)


def _load(point: EntryPoint) -> Plugin:
    told = f"the backbone plugin {point.name!r} ({point.value})"
    try:
        plugin = point.load()
        if isinstance(plugin, Plugin):
            list(_folder(plugin).iterdir())
    except (ImportError, AttributeError, SyntaxError, TypeError, OSError) as error:
        raise ModelError(f"{told} cannot be loaded: {error}") from error
    if not isinstance(plugin, Plugin):
        raise ModelError(f"{told} gives a {type(plugin).__name__}, not a vidalign.weights.plugins.Plugin")
    return plugin
