"""What examples/training promises: from nothing to a model that is visibly better than chance."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from math import ceil, floor
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tiny import Run, cli  # noqa: F401
from vidalign.evaluation.annotations import read_annotations
from vidalign.weights.cards import backbone_of, get_card

EXAMPLES = Path(__file__).parent.parent / "examples"
SECONDS = 120


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder beside the examples, one thread, and no cache of this user's; gives the folder."""
    (tmp_path / "examples").symlink_to(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIDALIGN_CACHE", str(tmp_path / "cache"))
    threads = torch.get_num_threads()
    torch.set_num_threads(min(2, os.cpu_count() or 1))
    yield tmp_path
    torch.set_num_threads(threads)


def commands(script: str) -> list[list[str]]:
    """The arguments of the script's lines that call vidalign."""
    lines = (EXAMPLES / "training" / script).read_text("utf-8").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("vidalign ")]


def chance(truth: Path) -> float:
    """R@1 of seconds drawn at random."""
    rows = [row for rows in read_annotations(truth).values() for row in rows if row.alignable]
    return sum(ceil(row.end) - floor(row.start) + 1 for row in rows) / (SECONDS * len(rows))


def records(run: Path) -> list[dict[str, Any]]:
    """The journal of a training run."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_small_tan_learns_to_align(cli: Run) -> None:  # noqa: F811
    table: dict[str, float] = {}
    for line in commands("walk.sh"):
        code, out, err = cli(*line, *(["--json"] if line[0] == "eval" else []))
        assert code == 0, f"{line}: {err}"
        if line[0] == "eval":
            rows = [json.loads(row) for row in out.splitlines()]
            table = {row["method"]: row["recall"]["value"] for row in rows}
    random = chance(Path("world/test/truth.json"))
    watched = [
        found["validation/recall"] for found in records(Path("runs/tan")) if "validation/recall" in found
    ]
    assert random < 0.1
    assert watched[0] < 0.16
    assert watched[-1] > 3 * chance(Path("world/check/truth.json"))
    assert table["runs/tan/model"] > max(3 * random, table["times"])
    card = get_card("runs/tan/model")
    assert backbone_of(card) == get_card("mini")
    assert card.aligner is not None and card.aligner.calibration is not None
    assert "sentences of truth.json" in card.aligner.calibration.fitted_on
    assert Path("runs/howto-3-0000.vtt").read_text().startswith("WEBVTT")


def test_a_small_backbone_learns_and_is_taken_by_all_commands(cli: Run) -> None:  # noqa: F811
    """The script shortened: fewer videos, fewer steps."""
    shorter = {"synth": ["--videos", "4"], "train": ["--set", "training.steps=40"]}
    for line in commands("backbone.sh"):
        code, _, err = cli(*line, *shorter.get(line[0], []))
        assert code == 0, f"{line}: {err}"
    losses = [found["loss"] for found in records(Path("runs/backbone")) if "loss" in found]
    assert losses[-1] < 0.9 * losses[0]
    card = get_card("runs/backbone/model")
    assert card.backbone is not None and card.backbone.recipe.name == "tiny-4fps"
    changes = {
        "data.training.features": "pictures/features/train/videos",
        "data.training.subtitles": "pictures/train/subtitles",
        "truth": "null",
        "words": "null",
        "network": "{heads: 4, video_layers: 1, joint_layers: 3}",
        "warm_start": "runs/backbone/model",
        "training.steps": "2",
    }
    sets = [part for key, value in changes.items() for part in ("--set", f"{key}={value}")]
    code, _, err = cli("train", "examples/training/tan.yaml", "-o", "runs/own", *sets)
    assert code == 0, err
    held = backbone_of(get_card("runs/own/model"))
    assert (held.name, held.folder) == ("tiny-s3d", Path("runs/own/model/backbone").absolute())
    video, subtitles = (
        f"pictures/test/{kind}" for kind in ("videos/howto-3-0000.mp4", "subtitles/howto-3-0000.vtt")
    )
    code, out, err = cli("align", video, subtitles, "--model", "runs/own/model", "-o", "own.json")
    assert (code, out.strip()) == (0, "own.json"), err
