"""Small models with the published names, and a cache of their own for every test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fill_rule import fill_shapes, read_keys
from vidalign.text.words import load_dictionary
from vidalign.weights.add import Checks
from vidalign.weights.cards import ModelCard

Shapes = dict[str, tuple[int, ...]]


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache and configuration folders of this test; gives the cache."""
    monkeypatch.setenv("VIDALIGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("VIDALIGN_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.delenv("VIDALIGN_OFFLINE", raising=False)
    return tmp_path / "cache"


def _small(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Every dimension but those of kernels shrunk to a few entries; the rank stays."""
    return tuple(size if size <= 7 else 2 + size % 5 for size in shape)


@pytest.fixture(scope="session")
def tan_shapes(golden: Path) -> Shapes:
    return {name: _small(shape) for name, shape in read_keys(golden / "tan_e6d6_keys.tsv").items()}


@pytest.fixture(scope="session")
def twin_shapes(golden: Path) -> Shapes:
    return {name: _small(shape) for name, shape in read_keys(golden / "tan_twin_keys.tsv").items()}


@pytest.fixture(scope="session")
def s3d_shapes(golden: Path) -> Shapes:
    return {name: _small(shape) for name, shape in read_keys(golden / "s3d_keys.tsv").items()}


@pytest.fixture
def checks(tan_shapes: Shapes, s3d_shapes: Shapes) -> Checks:
    """The shrunken networks in place of the full ones."""

    def shapes(card: ModelCard, role: str) -> Mapping[str, tuple[int, ...]]:
        return {"tan-htm370k": tan_shapes, "s3d-howto100m": s3d_shapes}.get(card.name, {})

    return Checks(shapes, load_dictionary)


@pytest.fixture
def twin_checkpoint(tmp_path: Path, twin_shapes: Shapes) -> Path:
    """A twin TAN checkpoint as published: beside the weights an epoch, a numpy score and optimiser state."""
    online = fill_shapes(twin_shapes)
    state = {name: tensor + name.startswith("target.") for name, tensor in online.items()}
    path = tmp_path / "twin.pth.tar"
    optimizer = {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 1e-4}]}
    torch.save(
        {
            "epoch": 9,
            "state_dict": state,
            "best_acc": np.float64(0.5),
            "optimizer": optimizer,
            "iteration": 7,
        },
        path,
    )
    return path


@pytest.fixture
def s3d_checkpoint(tmp_path: Path, s3d_shapes: Shapes) -> Path:
    """A plain state dict, as `s3d_howto100m.pth` is."""
    path = tmp_path / "plain.pth"
    torch.save(fill_shapes(s3d_shapes), path)
    return path


@pytest.fixture
def dictionary(tmp_path: Path) -> Path:
    path = tmp_path / "some_words.npy"
    np.save(path, np.array(["whisk", "the", "eggs"]))
    return path


@pytest.fixture
def save(tmp_path: Path) -> Callable[[object], Path]:
    """Write a checkpoint with torch.save."""

    def write(content: object, name: str = "some.pth", **options: bool) -> Path:
        torch.save(content, tmp_path / name, **options)
        return tmp_path / name

    return write
