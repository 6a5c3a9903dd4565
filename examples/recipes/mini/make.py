"""Makes the bundled mini model: `python examples/recipes/mini/make.py --work DIR`.

Generates the videos, trains S3D and TAN, calibrates, measures, and writes the shipped files. Every stage
keeps what it made in the work folder and is not repeated.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from footage import Footage, make_footage
from measure import baseline_recalls, run, summary
from torch import Tensor
from train_aligner import make_track, train_aligner
from train_backbone import extract_features, train_backbone

import vidalign
from vidalign.aligners.registry import TAN_WORDS
from vidalign.aligners.scorers.tan import TAN
from vidalign.aligners.scorers.windowed_tan import TanScorer
from vidalign.aligners.tokens import DictionaryTokens
from vidalign.backbones.s3d import S3D
from vidalign.evaluation.calibration import fit_calibration
from vidalign.synthetic.narration import vocabulary
from vidalign.text.words import WordTokenizer
from vidalign.types import Recipe
from vidalign.weights.recipes import get_recipe
from vidalign.weights.tensors import load_tensors, save_tensors

BUNDLED = Path(vidalign.__file__).parent / "weights" / "bundled"
CARD = BUNDLED.parent / "cards" / "mini.yaml"


def main() -> None:
    """Run all stages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for videos, frames and checkpoints")
    parser.add_argument("--output", type=Path, default=BUNDLED, help="folder for the shipped files")
    arguments = parser.parse_args()
    config = yaml.safe_load((Path(__file__).parent / "mini.yaml").read_text("utf-8"))
    torch.set_num_threads(config["threads"])
    started = time.monotonic()
    recipe = get_recipe(config["recipe"])
    worlds = {name: make_footage(arguments.work, parts, recipe) for name, parts in config["worlds"].items()}
    words = vocabulary()
    backbone = make_backbone(arguments.work, worlds["train"], words, recipe, config)
    vectors = {name: cached_features(arguments.work, name, backbone, worlds[name], recipe) for name in worlds}
    aligner = make_aligner(arguments.work, worlds["train"], vectors["train"], backbone, words, config)
    ship(arguments.output, backbone, aligner, words)
    report = score(shipped(aligner), backbone, words, worlds, vectors)
    if arguments.output == BUNDLED:
        write_card(CARD, report["calibration"], sorted(BUNDLED.glob("mini-*")))
    report["minutes"] = round((time.monotonic() - started) / 60, 1)
    text = json.dumps(report, indent=2)
    (arguments.work / "report.json").write_text(text + "\n")
    print(text)


def make_backbone(
    work: Path, footage: Sequence[Footage], words: Sequence[str], recipe: Recipe, config: Mapping[str, Any]
) -> S3D:
    """Train the backbone, or load what an earlier run trained; rounded to float16 as it ships."""
    kept = work / "backbone.safetensors"
    if not kept.exists():
        tokenizer, seed = WordTokenizer(words), config["random_seed"]
        trained = train_backbone(footage, tokenizer, recipe, config["backbone"], seed)
        save_tensors(kept, trained.state_dict())
    model = S3D(vocabulary=len(words) + 1, **config["backbone"]["model"])
    model.load_state_dict(halved(load_tensors(kept)))
    return model.eval()


def cached_features(
    work: Path, name: str, backbone: S3D, footage: Sequence[Footage], recipe: Recipe
) -> list[Tensor]:
    """mixed_5c and video_embedding of every clip of every video, side by side."""
    kept = work / f"features-{name}.pt"
    if not kept.exists():
        torch.save([extract_features(backbone, item, recipe.frames) for item in footage], kept)
    return list(torch.load(kept, weights_only=True))


def make_aligner(
    work: Path,
    footage: Sequence[Footage],
    vectors: Sequence[Tensor],
    backbone: S3D,
    words: Sequence[str],
    config: Mapping[str, Any],
) -> TAN:
    """Train the aligner, or load what an earlier run trained."""
    kept = work / "aligner.safetensors"
    width = backbone.layers["mixed_5c"]
    if not kept.exists():
        tracks = [make_track(*pair) for pair in zip(footage, (v[:, :width] for v in vectors), strict=True)]
        tokenizer, seed = WordTokenizer(words), config["random_seed"]
        save_tensors(kept, train_aligner(tracks, backbone, tokenizer, config["aligner"], seed).state_dict())
    model = TAN(video_dim=width, vocabulary=len(words) + 1, **config["aligner"]["model"])
    model.load_state_dict(load_tensors(kept))
    return model.eval()


def halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Floats rounded to what float16 holds; counters as they are."""
    return {name: value.half() if value.is_floating_point() else value for name, value in tensors.items()}


def shipped(aligner: TAN) -> TAN:
    """The aligner with its weights rounded as they ship."""
    aligner.load_state_dict(halved(aligner.state_dict()))
    return aligner


def ship(folder: Path, backbone: S3D, aligner: TAN, words: Sequence[str]) -> None:
    """Write the weights in float16 and the dictionary."""
    folder.mkdir(parents=True, exist_ok=True)
    save_tensors(folder / "mini-s3d.safetensors", halved(backbone.state_dict()))
    save_tensors(folder / "mini-tan.safetensors", halved(aligner.state_dict()))
    np.save(folder / "mini-words.npy", np.array(words))
    for path in folder.glob("mini-*"):
        path.chmod(0o644)


def score(
    aligner: TAN,
    backbone: S3D,
    words: Sequence[str],
    worlds: Mapping[str, Sequence[Footage]],
    vectors: Mapping[str, Sequence[Tensor]],
) -> dict[str, Any]:
    """Calibration for the card, and what the model scores on videos of unseen seeds."""
    width = backbone.layers["mixed_5c"]
    scorer = TanScorer(aligner, DictionaryTokens(words, length=TAN_WORDS, unknown="keep"))
    outcomes = {
        name: run(scorer, worlds[name], [vector[:, :width] for vector in vectors[name]])
        for name in ("calibration", "test")
    }
    known = outcomes["calibration"]
    calibration = fit_calibration(
        known.logits, known.labels, "generated videos of seeds that training never saw"
    )
    embeddings = [vector[:, width:] for vector in vectors["test"]]
    return {
        "calibration": asdict(calibration),
        "calibration videos": summary(outcomes["calibration"], calibration),
        "test videos": summary(outcomes["test"], calibration),
        "baselines, R@1": baseline_recalls(worlds["test"], embeddings, backbone, words),
    }


def write_card(card: Path, calibration: Mapping[str, Any], shipped_files: Sequence[Path]) -> None:
    """Put the calibration, and size and hash of the shipped files, into the model card."""
    lines = "".join(f"    {key}: {value}\n" for key, value in calibration.items())
    text = card.read_text("utf-8")
    changed, count = re.subn(r"(?m)^  calibration:\n(?:    .*\n)+", f"  calibration:\n{lines}", text)
    if count != 1:
        raise ValueError(f"{card} holds no calibration to replace")
    for path in shipped_files:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        now = f"name: {path.name}\n    size: {path.stat().st_size}\n    sha256: {digest}\n"
        changed = re.sub(rf"name: {path.name}\n    size: .*\n    sha256: .*\n", now, changed)
    card.write_text(changed, "utf-8")


if __name__ == "__main__":
    main()
