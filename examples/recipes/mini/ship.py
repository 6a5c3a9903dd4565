"""Puts a trained model folder and the fitted rule where the package keeps its bundled model."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import yaml

PARTS = {
    "backbone": "backbone/backbone.safetensors",
    "aligner": "aligner.safetensors",
    "dictionary": "dictionary.npy",
}
"""Where a model folder of an aligner keeps what ships."""
FILES = {
    "backbone": "mini-s3d.safetensors",
    "aligner": "mini-tan.safetensors",
    "dictionary": "mini-words.npy",
}
LARGEST = 8_000_000


def ship(model: Path, rule: Path, package: Path) -> None:
    """Write the bundled files, the rule, and what changes in the card; `package` is vidalign's folder."""
    trained, backbone = (
        yaml.safe_load((folder / "card.yaml").read_text("utf-8")) for folder in (model, model / "backbone")
    )
    bundled = package / "weights" / "bundled"
    card = package / "weights" / "cards" / "mini.yaml"
    bundled.mkdir(parents=True, exist_ok=True)
    for role, name in FILES.items():
        shutil.copyfile(model / PARTS[role], bundled / name)
    (package / "synthetic").mkdir(exist_ok=True)
    shutil.copyfile(rule, package / "synthetic" / "mini-rule.safetensors")
    shipped = [*(bundled / name for name in FILES.values()), package / "synthetic" / "mini-rule.safetensors"]
    size = sum(path.stat().st_size for path in shipped)
    if size > LARGEST:
        raise ValueError(f"the bundled files are {size} bytes together, more than {LARGEST}")
    if card.exists():
        known = yaml.safe_load(card.read_text("utf-8"))
        card.write_text(
            yaml.safe_dump(
                _changed(known, trained["aligner"], backbone["backbone"], bundled), sort_keys=False, width=110
            ),
            "utf-8",
        )


def _changed(
    card: dict[str, Any], aligner: dict[str, Any], backbone: dict[str, Any], bundled: Path
) -> dict[str, Any]:
    """The package's card with the trained networks, calibration and files."""
    card["backbone"]["config"] = backbone["config"]
    card["aligner"] |= {key: aligner[key] for key in ("config", "temperature", "calibration")}
    card["aligner"]["calibration"]["fitted_on"] = "generated videos of seeds that training never saw"
    card["files"] = [
        {
            "role": role,
            "name": name,
            "size": (bundled / name).stat().st_size,
            "sha256": hashlib.sha256((bundled / name).read_bytes()).hexdigest(),
            "bundled": True,
        }
        for role, name in FILES.items()
    ]
    return card
