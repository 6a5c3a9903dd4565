"""What an extraction says of its runtime and device before any work, and where its networks come from."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch

from vidalign.backbones import registry
from vidalign.backbones.registry import Backbone
from vidalign.backbones.runtimes.openvino import OpenVINONetwork
from vidalign.batch import extraction as room
from vidalign.batch.device import Place
from vidalign.batch.extraction import Extraction
from vidalign.batch.settings import AlignRun
from vidalign.errors import MissingExtraError, UsageError

CPU = Extraction("mini", device="cpu")


@pytest.mark.parametrize(
    ("extraction", "family", "told"),
    [
        (CPU, "torch", f"torch {torch.__version__}"),
        (replace(CPU, compiled=True), "torch", f"torch {torch.__version__} compiled"),
        (replace(CPU, runtime="openvino"), "openvino", f"openvino {version('openvino')}"),
    ],
)
def test_what_computes_is_told(extraction: Extraction, family: str, told: str) -> None:
    assert (extraction.runtime_family, extraction.runtime_told) == (family, told)


def test_openvino_is_checked_before_any_work(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = replace(CPU, runtime="openvino")
    asked.check()
    with pytest.raises(UsageError, match="--compile is torch's"):
        replace(asked, compiled=True).check()
    monkeypatch.setattr(room, "choose_places", lambda device: (Place("cuda:0", "bf16"),))
    with pytest.raises(UsageError, match="openvino runs on the CPU, not on cuda:0") as caught:
        replace(asked, device="cuda:0").check()
    assert caught.value.hint == "add --device cpu"
    monkeypatch.setattr(room, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="--runtime openvino needs the package openvino"):
        replace(asked).check()


def test_a_runtime_makes_the_network(tiny: Path) -> None:
    assert isinstance(replace(CPU, runtime="openvino").model.network, OpenVINONetwork)


def test_places_that_are_one_device_share_a_network_between_threads(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As two GPUs do, each with a thread and a network of its own."""
    loaded: list[str] = []
    load = registry.load_backbone

    def counted(name: str, weights: Path | None = None, *, device: str, recipe: object) -> Backbone:
        loaded.append(device)
        return load(name, weights, device=device)

    monkeypatch.setattr(registry, "load_backbone", counted)
    places = (Place("cpu", "float32"), Place("cpu:0", "float32"), Place("cpu", "float32"))
    monkeypatch.setattr(room, "choose_places", lambda device: places)
    extraction = Extraction("mini", device="cpu")
    clips = np.random.default_rng(0).integers(0, 256, (3, 1, 8, 32, 32, 3), dtype=np.uint8)

    def encode(place: Place) -> np.ndarray:
        encoder = extraction.encoder(place)
        return np.concatenate([*(encoder.add(clip) for clip in clips), encoder.finish()])

    with ThreadPoolExecutor(3) as pool:
        rows = list(pool.map(encode, extraction.places))
    assert sorted(loaded) == ["cpu", "cpu:0"]
    assert all(np.array_equal(part, rows[0]) for part in rows)


def test_it_travels_without_what_it_loaded(tiny: Path) -> None:
    extraction = Extraction("mini", device="cpu")
    _ = extraction.places, extraction.card, extraction.model
    moved = pickle.loads(pickle.dumps(extraction))
    assert moved == extraction
    assert set(vars(moved)) == set(Extraction.__dataclass_fields__)
    assert len(pickle.dumps(extraction)) < 2000 < len(pickle.dumps(extraction.model.network.state_dict()))


def test_settings_that_follow_share_what_is_loaded(tiny: Path) -> None:
    """Workers are told the threads and the runtime of a folder anew with every video."""
    extraction = Extraction("mini", device="cpu")
    network = extraction.model
    assert replace(extraction, runtime="torch", dtype="float32").model is network
    for other in ({"threads": 1}, {"runtime": "openvino"}, {"weights": tiny / "mini-s3d.safetensors"}):
        assert replace(extraction, **other).model is not network
    assert Extraction("mini", device="cpu").model is not network


def test_so_do_the_runs_of_alignments(tiny: Path) -> None:
    run = AlignRun("mini", device="cpu")
    aligner, network = run.aligner, run.extraction.model
    other = replace(run, threshold=0.1, runtime="torch", matrix=False)
    assert other.aligner is aligner and other.extraction.model is network
    assert replace(run, scorer="similarity").aligner is not aligner
    moved = pickle.loads(pickle.dumps(run))
    assert moved == run and set(vars(moved)) == set(AlignRun.__dataclass_fields__)
    assert len(pickle.dumps(run)) < 2000
