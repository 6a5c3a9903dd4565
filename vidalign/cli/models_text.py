"""How model cards are shown: the table of `models list`, the page of `models show`, both as JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vidalign.weights.cache import how_to_get, lies_beside, missing_roles, owner, read_pins, stored_path
from vidalign.weights.cards import AlignerSpec, CardFile, ModelCard, siblings
from vidalign.weights.defaults import default_model

_HEAD = ("model", "for", "installed", "size", "licence", "knows")
_FORMAT_ONLY = "format only: names, shapes and their number are the published ones, its output is uncompared"


def listing(cards: Sequence[ModelCard]) -> str:
    """A table, one line a model, the default marked."""
    chosen = default_model()
    rows = [_HEAD, *(_row(card, chosen) for card in cards)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([line.rstrip() for line in lines] + ["* the default"])


def record(card: ModelCard) -> dict[str, Any]:
    """One model as a JSON value."""
    size = _size(card)
    return {
        "name": card.name,
        "summary": card.summary,
        "uses": list(card.uses),
        "installed": not missing_roles(card),
        "default": card.reference == default_model(),
        "size": size,
        "licence": card.licence,
        "knows": card.knows,
        "format_only": card.format_only,
        "citation": card.citation,
        "source": card.source,
        "notes": list(card.notes),
        "recipes": [recipe.name for recipe in card.backbone.recipes] if card.backbone else [],
        "layers": dict(card.backbone.layers) if card.backbone else {},
        "needs": _needs(card),
        "files": [_file_record(card, entry) for entry in card.files],
    }


def description(card: ModelCard) -> str:
    """A card as lines for people."""
    lines = [f"{card.name}: {card.summary}"]
    facts = {"knows": card.knows, "licence": card.licence, "citation": card.citation, "source": card.source}
    lines += [f"  {key}: {value}" for key, value in facts.items()]
    if card.backbone is not None:
        names = ", ".join(recipe.name for recipe in card.backbone.recipes)
        layers = ", ".join(f"{layer} ({width})" for layer, width in card.backbone.layers.items())
        lines += [f"  extract: recipes {names} (default {card.backbone.recipe.name})", f"  layers: {layers}"]
    if card.aligner is not None:
        spec = card.aligner
        lines.append(f"  align: scorer {spec.scorer}, {spec.text} text, decoder {spec.decoder}")
        lines.append(f"  reads: {_reads(spec)}")
    if card.format_only:
        lines.append(f"  {_FORMAT_ONLY}")
    lines += [f"  note: {note}" for note in card.notes]
    if others := siblings(card):
        lines.append(f"  other checkpoints: {', '.join(other.name for other in others)}")
    lines += [f"  {_file_line(card, entry)}" for entry in card.files]
    if missing_roles(card) and not any(entry.bundled for entry in card.files):
        lines.append(f"  to install: {how_to_get(card)}")
    return "\n".join(lines)


def _row(card: ModelCard, chosen: str) -> tuple[str, ...]:
    missing = missing_roles(card)
    here = "yes" if not missing else "no" if len(missing) == len(card.files) else f"without {missing[0]}"
    size = _size(card)
    told = "unknown" if size is None else f"{size / 1e6:.1f} MB"
    mark = " *" if card.name == chosen else ""
    uses = (*card.uses, "format only") if card.format_only else card.uses
    return card.name + mark, ", ".join(uses), here, told, card.licence, card.knows


def _size(card: ModelCard) -> int | None:
    """Bytes of the files as stored, else as published; None where one is unknown."""
    sizes = []
    for entry in card.files:
        path = stored_path(card, entry.role)
        sizes.append(path.stat().st_size if path.is_file() else owner(card, entry.role)[1].size)
    return None if None in sizes else sum(size for size in sizes if size is not None)


def _reads(spec: AlignerSpec) -> str:
    if spec.backbone:
        return f"{spec.layer} of {spec.backbone}, recipe {spec.recipe}"
    return f"features {spec.config.get('video_dim')} wide, made elsewhere; sentence features, too"


def _needs(card: ModelCard) -> dict[str, str] | None:
    if card.aligner is None or not card.aligner.backbone:
        return None
    return {"backbone": card.aligner.backbone, "layer": card.aligner.layer, "recipe": card.aligner.recipe}


def _file_record(card: ModelCard, entry: CardFile) -> dict[str, Any]:
    held, origin = owner(card, entry.role)
    path = stored_path(card, entry.role)
    pin = None if lies_beside(held, origin) else read_pins(held.name).get(origin.role)
    return {
        "role": entry.role,
        "name": entry.name,
        "kept_under": held.name,
        "installed": path.is_file(),
        "path": str(path),
        "published_sha256": origin.sha256,
        "published_sha256_prefix": origin.sha256_prefix or None,
        "pinned_sha256": pin.original_sha256 if pin else None,
        "sources": list(origin.sources),
    }


def _file_line(card: ModelCard, entry: CardFile) -> str:
    values = _file_record(card, entry)
    where = values["path"] if values["installed"] else "not on this machine"
    if entry.bundled:
        return f"{entry.role}: {entry.name}, inside the package"
    if card.folder is not None and not values["published_sha256"]:
        return f"{entry.role}: {entry.name}, {where}"
    return f"{entry.role}: {entry.name}, {where}; {_hash_told(values)}"


def _hash_told(values: Mapping[str, Any]) -> str:
    if values["published_sha256"]:
        return f"sha256 {values['published_sha256']}"
    if begins := values["published_sha256_prefix"]:
        pinned = values["pinned_sha256"]
        return f"sha256 begins with {begins}" + (f", pinned here: {pinned}" if pinned else "")
    if values["pinned_sha256"]:
        return f"no published sha256, pinned here: {values['pinned_sha256']}"
    return "no published sha256: that of the first file that fits is pinned"
