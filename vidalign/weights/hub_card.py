"""A folder as a hub serves it (config.json, weights, tokenizer) becomes a model card."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vidalign.errors import ConfigError, ModelError
from vidalign.outside import load_yaml
from vidalign.types import Recipe
from vidalign.weights.card import AlignerSpec, BackboneSpec, CardFile, ModelCard
from vidalign.weights.hub_kinds import KINDS, Kind, Shape, Values, supported
from vidalign.weights.tokenizer_files import read_json

CONFIG = "config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""In the order of preference."""

TOKENIZERS = ("tokenizer.json", "vocab.json", "spiece.model")
"""In the order of preference; vocab.json goes with merges.txt."""

PREPROCESSORS = ("preprocessor_config.json", "video_preprocessor_config.json")

_INTERPOLATION = {0: "nearest", 2: "bilinear", 3: "bicubic"}
"""By the number that PIL gives it."""

_SETTINGS = ("architectures", "model_type", "transformers_version", "torch_dtype", "dtype", "_name_or_path")
"""Of a config.json: what says nothing of the network."""

_HASH = re.compile("[0-9a-f]{64}")


def card_of_folder(folder: Path, name: str, *, source: str, hub: bool = False) -> ModelCard:
    """The card of a folder that holds a config.json of a supported kind.

    Raises ModelError where it is of another kind, holds no weights, or is preprocessed in a way that recipes
    do not know.
    """
    values = read_json(folder / CONFIG)
    kind = kind_of(values, name)
    family = str(values["model_type"])
    shape = kind.shape(values)
    recipe = _recipe(folder, family, kind, shape)
    config = {key: value for key, value in values.items() if key not in _SETTINGS}
    fixed = {"frames": shape.frames} if family in ("xclip", "videomae") else {}
    backbone = BackboneSpec(
        family=family,
        config={"size": shape.size, **fixed, **(shape.more or {}), **config},
        recipe=recipe,
        recipes=(recipe,),
        layers=dict(shape.layers),
    )
    return ModelCard(
        name=name,
        summary=f"{kind.title} in the format of transformers",
        licence=_licence(folder),
        citation=kind.citation,
        source=source,
        knows=kind.knows,
        files=tuple(_files(folder, kind, hub=hub)),
        backbone=backbone,
        aligner=_aligner(name, kind, recipe) if kind.text else None,
        folder=folder.absolute(),
        hub=hub,
    )


def kind_of(values: Values, name: str) -> Kind:
    """The kind of a config.json; raises ModelError for one that is not supported."""
    found = values.get("model_type")
    if not isinstance(found, str) or found not in KINDS:
        told = f"of the kind {found!r}" if found else "of no kind that its config.json names"
        raise ModelError(f"{name} is {told}, which is not supported", hint=f"supported: {supported()}")
    return KINDS[found]


def _aligner(name: str, kind: Kind, recipe: Recipe) -> AlignerSpec:
    return AlignerSpec(
        scorer="similarity",
        config={"score": "cosine"},
        backbone=name,
        layer=recipe.layer,
        recipe=recipe.name,
        temperature=kind.temperature,
        text="transformer",
    )


def _files(folder: Path, kind: Kind, *, hub: bool) -> Iterator[CardFile]:
    """The files that it needs, there or not; a file in several parts is refused."""
    weights = next((name for name in WEIGHTS if (folder / name).is_file()), None)
    parts = sorted(folder.glob("*.index.json"))
    if weights is None and parts:
        raise ModelError(
            f"{folder} holds its weights in several files ({parts[0].name}), which is not supported",
            hint="save them as one model.safetensors",
        )
    yield _file("backbone", folder, weights or WEIGHTS[0], hub)
    if not kind.text:
        return
    tokenizer = next((name for name in TOKENIZERS if (folder / name).is_file()), TOKENIZERS[0])
    yield _file("tokenizer", folder, tokenizer, hub)
    if (folder / "tokenizer_config.json").is_file():
        yield _file("tokenizer_config", folder, "tokenizer_config.json", hub)


def _file(role: Any, folder: Path, name: str, hub: bool) -> CardFile:
    """A file's entry; the hub's cache calls large files by their hash."""
    path = folder / name
    if not path.is_file():
        return CardFile(role, name)
    kept = path.resolve().name
    return CardFile(role, name, path.stat().st_size, kept if hub and _HASH.fullmatch(kept) else None)


def _recipe(folder: Path, family: str, kind: Kind, shape: Shape) -> Recipe:
    """How the model's own preprocessor prepares pictures, once a second."""
    own = next((folder / name for name in PREPROCESSORS if (folder / name).is_file()), None)
    pre = {**kind.pre(shape.size), **(read_json(own) if own is not None else {})}
    if family == "vjepa2":  # its preprocessor works the shorter side out itself
        pre["size"] = kind.pre(shape.size)["size"]
    where = str(own or folder)
    numbers = {"fps": kind.fps, "frames": shape.frames, "stride": 1.0}
    rate = f"{shape.frames}x{kind.fps:g}fps" if shape.frames > 1 else f"{kind.fps:g}fps"
    values = {
        "name": f"{family}-{rate}-{shape.size}",
        "layer": next(iter(shape.layers)),
        **numbers,
        **_sides(pre, shape.size, where),
        **_scaling(pre, where),
        "interpolation": _interpolation(pre, where),
        "long_side": "floor",
        "tail": "repeat" if shape.frames > 1 else "drop",
    }
    try:
        return Recipe.from_mapping(values, where=where)
    except ConfigError as error:
        raise ModelError(f"{where}: makes no recipe: {error.message}", hint=error.hint) from None


def _sides(pre: Values, side: int, where: str) -> dict[str, Any]:
    """Resizing and cropping."""
    size = pre.get("size")
    found: dict[str, Any] = {"size": side, "resize": "none"}
    if pre.get("do_resize", True):
        if isinstance(size, Mapping) and {"height", "width"} <= set(size):
            both = [size["height"], size["width"]]
            found = {"resize": "exact", "size": both[0] if both[0] == both[1] else both}
        else:
            shorter = size.get("shortest_edge") if isinstance(size, Mapping) else size
            found = {"resize": "short", "size": shorter if isinstance(shorter, int) else side}
    if not pre.get("do_center_crop", False):
        return {**found, "crop": "none", "crop_size": side}
    crop = pre.get("crop_size", side)
    sides = {crop["height"], crop["width"]} if isinstance(crop, Mapping) else {crop}
    if len(sides) > 1:
        raise ModelError(f"{where}: crops that are not square are not supported")
    return {**found, "crop": "center", "crop_size": sides.pop()}


def _scaling(pre: Values, where: str) -> dict[str, Any]:
    """The range of pixels and what is taken off."""
    if abs(float(pre.get("rescale_factor", 1 / 255)) * 255 - 1) > 1e-3:
        raise ModelError(f"{where}: pixels are scaled by {pre['rescale_factor']}, which is not supported")
    found: dict[str, Any] = {"range": "0-1" if pre.get("do_rescale", True) else "0-255"}
    if pre.get("do_normalize", True):
        found |= {"mean": pre["image_mean"], "std": pre["image_std"]}
    return found


def _interpolation(pre: Values, where: str) -> str:
    found = pre.get("resample", 2)
    if found not in _INTERPOLATION:
        raise ModelError(
            f"{where}: pictures are scaled by filter {found} of PIL, which is not supported",
            hint=f"supported: {', '.join(_INTERPOLATION.values())}",
        )
    return _INTERPOLATION[found]


def _licence(folder: Path) -> str:
    """What the front matter of the model's README.md says."""
    try:
        text = (folder / "README.md").read_text("utf-8")
        head = load_yaml(text.split("---", 2)[1]) if text.startswith("---") else None
    except (OSError, ValueError, IndexError):
        head = None
    found = head.get("license") if isinstance(head, Mapping) else None
    return str(found) if found else "not stated in its folder"
