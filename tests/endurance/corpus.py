"""Whole files of every kind, to be broken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from tests.alignments import made_alignment
from tests.tiny import draw_video, made_features
from vidalign.batch.failures import Failure
from vidalign.store.alignments import write_alignment
from vidalign.store.exports.formats import Options
from vidalign.store.exports.registry import get_format
from vidalign.store.features import write_features
from vidalign.store.pack import write_pack
from vidalign.store.records import write_record
from vidalign.store.text_features import write_text_features
from vidalign.types import TextFeatures
from vidalign.weights.recipes import get_recipe
from vidalign.weights.tensors import save_tensors

ROOT = Path(__file__).parent.parent.parent
CARDS = ROOT / "vidalign" / "weights" / "cards"
RECIPES = ROOT / "vidalign" / "weights" / "recipes"


def subtitles(folder: Path) -> list[Path]:
    """Every subtitle file of the tests, good and bad."""
    found = sorted((ROOT / "tests" / "data" / "subtitles").iterdir())
    return [path for path in found if path.with_name(f"{path.name}.json") in found]


def cards(folder: Path) -> list[Path]:
    """The cards of this package, and one of a model folder."""
    folder.mkdir(parents=True, exist_ok=True)
    own = folder / "card.yaml"
    own.write_text(FOLDER_CARD)
    return [*[own] * 12, *sorted(CARDS.glob("*.yaml"))]


FOLDER_CARD = """\
name: own-s3d
summary: a narrow S3D
licence: Apache-2.0
citation: none
source: here
knows: nothing
notes: [drawn at random]
backbone:
  family: s3d
  config: {width: 0.05, embedding: 16, vocabulary: 11, word_dim: 8, text_hidden: 16}
  recipe: own-8fps
  recipes:
  - name: own-8fps
    fps: 8.0
    frames: 8
    stride: 1.0
    size: 64
    crop_size: 64
    layer: mixed_5c
    mean: [0.0, 0.0, 0.0]
  layers: {mixed_5c: 50, video_embedding: 16}
aligner:
  scorer: tan
  config: {width: 16, heads: 2, video_layers: 1, joint_layers: 3, video_dim: 50, text_dim: 16, vocabulary: 11,
    word_dim: 8, text_hidden: 16}
  backbone: own-s3d
  layer: mixed_5c
  recipe: own-8fps
  temperature: 0.07
  calibration: {a: 2.0, b: -1.0, threshold: 0.5, fitted_on: nothing}
files:
- {role: backbone, name: backbone.safetensors, size: 1234,
    sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}
- {role: dictionary, name: words.npy}
"""


def recipes(folder: Path) -> list[Path]:
    """The recipes of this package."""
    return sorted(RECIPES.glob("*.yaml"))


def training(folder: Path) -> list[Path]:
    """The configurations of the examples and benchmarks."""
    names = ("cotrain", "tan", "tsp", "finetune", "kinetics_tanet", "htm370k_cotrain", "backbone")
    return [ROOT / "examples" / "training" / f"{name}.yaml" for name in names]


def worlds(folder: Path) -> list[Path]:
    """Knobs of the drawn world."""
    return sorted((ROOT / "examples" / "recipes" / "mini").glob("narrated*.yaml"))


def defaults(folder: Path) -> list[Path]:
    """A project's `vidalign.yaml`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "vidalign.yaml"
    path.write_text(
        "extract:\n  dtype: float32\n  backbone: [mini, s3d-howto100m]\n  overwrite: true\n"
        "align:\n  threshold: 0.4\n  decoder: dtw\n  min_confidence: 0.1\nmodels:\n  list: {json: true}\n"
    )
    return [path]


def alignments_json(folder: Path) -> list[Path]:
    """Alignments as JSON, with and without their matrix."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "whole.json", folder / "bare.json", folder / "empty.json"]
    write_alignment(paths[0], made_alignment(notice="of the tests"))
    write_alignment(paths[1], made_alignment(), matrix=False)
    write_alignment(paths[2], made_alignment((), (), ()))
    return paths


def records(folder: Path) -> list[Path]:
    """Small JSON files: annotations, durations, a tokenizer, a record of verified files."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "htm_align.json": {"v1": [[1, "stir the egg", 1.0, 2.5], [0, "hello", 3.0, 4.0]]},
        "durations.json": {"v1": 12.5, "v2": {"duration": 4.25, "timestamps": [[0, 1]]}},
        "tokenizer.json": {
            "version": "1.0",
            "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": ["a b"]},
        },
        "pins.json": {
            "schema": "vidalign.pins/1",
            "files": {
                "backbone": {"sha256": "0" * 64, "size": 5, "original_name": "a.pth", "original_sha256": "1"}
            },
        },
        "config.json": {
            "model_type": "clip",
            "projection_dim": 8,
            "vision_config": {"image_size": 32, "patch_size": 16},
        },
    }
    for name, content in contents.items():
        (folder / name).write_text(json.dumps(content, indent=1))
    return [folder / name for name in contents]


def tables(folder: Path) -> list[Path]:
    """A table of pairs."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pairs.csv"
    path.write_text("video,subtitles,features\na.mp4,a.vtt,\nsub/b.mp4,sub/b.srt,sub/b.h5\nc.mkv,track:1,\n")
    return [path]


def lists(folder: Path) -> list[Path]:
    """Lists of paths as they come on stdin."""
    folder.mkdir(parents=True, exist_ok=True)
    lines, zeros = folder / "lines.txt", folder / "zeros.txt"
    lines.write_bytes(b"a.mp4\nsub/b.mp4\r\nsub/../c.mkv\n")
    zeros.write_bytes(b"a.mp4\0sub/b.mp4\0a\nb.mp4\0")
    return [lines, zeros]


def safetensors(folder: Path) -> list[Path]:
    """Weights, and features as safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "weights.safetensors"
    save_tensors(weights, {"a.weight": torch.zeros(4, 3), "a.bias": torch.ones(4), "n": torch.tensor(3)})
    return [weights, _exported(folder, "safetensors", "f.safetensors")]


def checkpoints(folder: Path) -> list[Path]:
    """Checkpoints in both formats of torch, and a dictionary of words."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {"state_dict": {"module.a.weight": torch.zeros(4, 3), "module.n": torch.tensor(3)}, "epoch": 4}
    zipped, legacy, words = folder / "zip.pth", folder / "legacy.pth", folder / "words.npy"
    torch.save(state, zipped)
    torch.save(state, legacy, _use_new_zipfile_serialization=False)
    np.save(words, np.array(["bowl", "cut", "egg"]))
    return [zipped, legacy, words]


def layouts(folder: Path) -> list[Path]:
    """Features as other tools keep them."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / "f.npz"
    np.savez(archive, features=np.ones((4, 8), np.float32))
    return [
        _exported(folder, "tan", "f.npy"),
        _exported(folder, "webdataset", "up.tar", "../../../up"),
        _exported(folder, "webdataset", "f.tar"),
        _exported(folder, "safetensors", "f.safetensors"),
        archive,
    ]


def _exported(folder: Path, layout: str, name: str, video: str = "sub/clip") -> Path:
    form = get_format(layout)
    path = folder / name
    form.write(path, [(video, made_features(5))], Options())
    return path


def stored_hdf5(folder: Path) -> list[Path]:
    """Features, alignments and sentence features as HDF5."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("features.h5", "wide.h5", "bare.align.h5", "whole.align.h5", "text.h5")
    paths = [folder / name for name in names]
    write_features(paths[0], made_features(5, width=8, reader="decord", duration=5.0, video_size=100))
    write_features(paths[1], replace(made_features(3), features=np.ones((3, 256), np.float16)))
    write_alignment(paths[2], made_alignment(), matrix=False)
    write_alignment(paths[3], made_alignment(notice="of the tests", temperature=0.07))
    texts = ("stir the egg", "put water")
    write_text_features(paths[4], TextFeatures(np.ones((2, 8), np.float32), texts, "mini"))
    return paths


def packs(folder: Path) -> list[Path]:
    """Merged files, copied and pointing, and other tools' features in one HDF5."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [("sub/a", folder / "a.h5"), ("b", folder / "b.h5")]
    for number, (_, path) in enumerate(names):
        write_features(path, made_features(4, width=8, seed=number))
    copied, pointing = folder / "copied.h5", folder / "pointing.h5"
    write_pack(copied, "features", names)
    write_pack(pointing, "features", names, virtual=True)
    return [copied, pointing, _exported(folder, "mad", "flat.hdf5")]


def videos(folder: Path) -> list[Path]:
    """Small videos in several containers, one with a text track."""
    tracks = {"eng": ["stir the egg", "put water"]}
    paths = [draw_video(folder / f"clip.{kind}", 1.5) for kind in ("mp4", "mkv", "avi", "mov", "ts")]
    return [*paths[:1] * 3, *paths[1:2], *paths, draw_video(folder / "words.mkv", 1.5, tracks=tracks)]


def notes(folder: Path) -> list[Path]:
    """What a batch notes beside its outputs."""
    folder.mkdir(parents=True, exist_ok=True)
    run, failure = folder / "run.json", folder / "a.error.json"
    making = {"backbone": "mini", "weights_sha256": "0" * 64, "precision": "float32", "dtype": "float16"}
    recipe = json.loads(get_recipe("mini-8fps").to_json())
    dealing = {"total": 8, "first": 1, "step": 1}
    head = {"schema": "vidalign.run/1", "task": "extract"}
    write_record(run, {**head, **making, "recipe": recipe, "runtime": "torch", "shards": dealing})
    failed = Failure("a.mp4", "in/a.mp4", "VideoError", "is empty", "", "decord", 1, True, ((0, 1), None))
    write_record(failure, failed.as_json())
    return [run, failure]
