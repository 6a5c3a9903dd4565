"""Model cards as frozen dataclasses: what a set of weights is, where its files come from, what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vidalign.errors import ModelError
from vidalign.types import Recipe

Role = Literal["backbone", "aligner", "dictionary", "vocab", "tokenizer", "tokenizer_config"]
Text = Literal["word2vec", "bert", "transformer", "file"]

_SUFFIXES = {
    "backbone": ".safetensors",
    "aligner": ".safetensors",
    "dictionary": ".npy",
    "vocab": ".txt",
    "tokenizer": ".json",
    "tokenizer_config": ".json",
}


@dataclass(frozen=True, slots=True)
class Calibration:
    """alignability = sigmoid(a * score + b), its default threshold, and the data these were fitted on."""

    a: float
    b: float
    threshold: float
    fitted_on: str


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """A clip encoder: `config` are its class's arguments, `layers` maps each output to its width."""

    family: str
    config: Mapping[str, Any]
    recipe: Recipe
    recipes: tuple[Recipe, ...]
    layers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class AlignerSpec:
    """A scorer with the backbone card, layer and recipe that its features must come from.

    Where no model here makes these, all three are empty; the config then has their width, `video_dim`.
    `text` file: it reads no words, but sentence features.
    """

    scorer: str
    config: Mapping[str, Any]
    backbone: str
    layer: str
    recipe: str
    temperature: float = 0.07
    calibration: Calibration | None = None
    text: Text = "word2vec"
    decoder: str = "peak"


@dataclass(frozen=True, slots=True)
class CardFile:
    """One file of a model, as published.

    `sha256` and `size` (bytes) are None where nobody has published them; `sha256_prefix` is what some file
    names say of the hash (its first 8 or more digits). `sources` are tried in order.
    `bundled` files lie inside the card's package; a file `shared_with` another card is kept once, under that
    card. `pickle_globals` are the classes that a published pickle may mention beside the usual ones; they
    are bound to inert stand-ins.
    """

    role: Role
    name: str
    size: int | None = None
    sha256: str | None = None
    sha256_prefix: str = ""
    sources: tuple[str, ...] = ()
    bundled: bool = False
    shared_with: str = ""
    pickle_globals: tuple[str, ...] = ()

    @property
    def stored_name(self) -> str:
        """Name of the converted file in the cache."""
        return self.role + _SUFFIXES[self.role]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One set of weights; `knows` says in plain words what world and vocabulary it was trained on.

    `name` is "CARD@CHECKPOINT" for one of several sets of weights of the same network. `format_only` says
    that names, shapes and parameter count are those published, but that no output of the reference was there
    to compare with. `folder` is where a model folder's card lies, beside its files; None: a card of
    `package`, this one or a plugin's. `hub`: the folder lies in the cache of the hub that the name is of.
    """

    name: str
    summary: str
    licence: str
    citation: str
    source: str
    knows: str
    files: tuple[CardFile, ...]
    notes: tuple[str, ...] = ()
    backbone: BackboneSpec | None = None
    aligner: AlignerSpec | None = None
    format_only: bool = False
    package: str = field(default="vidalign.weights", metadata={"key": False})
    folder: Path | None = field(default=None, metadata={"key": False})
    hub: bool = field(default=False, metadata={"key": False})

    @property
    def reference(self) -> str:
        """What `get_card` and the command line find it by: its name, or the path of its folder."""
        return self.name if self.folder is None or self.hub else str(self.folder)

    @property
    def folder_name(self) -> str:
        """What a folder of its outputs is called; names of the hub hold a slash."""
        return self.name.replace(":", "--").replace("/", "--")

    def file(self, role: str) -> CardFile:
        """The file of that role; a scorer without weights of its own reads its backbone's."""
        for entry in self.files:
            if entry.role == role:
                return entry
        if role == "aligner" and self.aligner is not None and self.aligner.backbone == self.name:
            return self.file("backbone")
        held = ", ".join(entry.role for entry in self.files)
        raise ModelError(f"model {self.name!r} has no {role} file", hint=f"it has: {held}")

    @property
    def uses(self) -> tuple[str, ...]:
        """What it is for: `extract`, `align`."""
        return tuple(
            use for use, spec in (("extract", self.backbone), ("align", self.aligner)) if spec is not None
        )
