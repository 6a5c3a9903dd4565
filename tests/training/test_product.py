"""The model folder that training leaves: complete, checked, and taken at once by extract and align."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from tests.model_folders import (
    LAYERS,
    aligner_folder,
    aligner_spec,
    aligner_weights,
    backbone_folder,
    backbone_spec,
)
from tests.tiny import WORDS, random_state
from vidalign.aligners.registry import load_aligner
from vidalign.backbones.registry import load_backbone, state_shapes
from vidalign.errors import ConfigError, DataError, ModelError, StoreError
from vidalign.training import checkpoint
from vidalign.training.product import (
    ModelOptions,
    aligner_card,
    backbone_card,
    encoder_card,
    feature_source,
    write_model_folder,
)
from vidalign.types import Recipe
from vidalign.weights.cache import file_sha256
from vidalign.weights.cards import Calibration, backbone_of, get_card, recipe_of
from vidalign.weights.recipes import get_recipe
from vidalign.weights.tensors import load_tensors
from vidalign.weights.verify import verify_model

OWN = Recipe("slow", fps=4, frames=4, stride=1, size=32, crop_size=32, layer="mixed_5c", tail="repeat")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Folders of a backbone and of an aligner that reads its features."""
    backbone_folder(tmp_path / "s3d")
    aligner_folder(tmp_path / "tan", feature_source(str(tmp_path / "s3d")))
    return tmp_path / "s3d", tmp_path / "tan"


def test_the_folder_reads_back_as_it_was_written(tmp_path: Path) -> None:
    written = backbone_folder(tmp_path / "s3d")
    assert get_card(str(tmp_path / "s3d")) == written
    assert get_card(str(tmp_path / "s3d" / "card.yaml")) == written
    assert [v.verdict for v in verify_model(written)] == ["ok", "ok"]
    names = sorted(path.name for path in (tmp_path / "s3d").iterdir())
    assert names == ["backbone.safetensors", "card.yaml", "dictionary.npy"]
    assert [path.name for path in tmp_path.iterdir()] == ["s3d"]


def test_a_backbone_that_knows_no_words(tmp_path: Path) -> None:
    spec = backbone_spec()
    card = encoder_card(ModelOptions("seer"), spec, "sees")
    state = random_state(state_shapes(spec), 1)
    written = write_model_folder(tmp_path / "seer", card, {"backbone": state})
    assert get_card(str(tmp_path / "seer")) == written
    assert (written.summary, written.uses) == ("sees", ("extract",))
    assert {path.name for path in (tmp_path / "seer").iterdir()} == {"backbone.safetensors", "card.yaml"}
    assert load_backbone(str(tmp_path / "seer")).width == LAYERS["mixed_5c"]


def test_an_aligner_carries_its_backbone(folders: tuple[Path, Path]) -> None:
    s3d, tan = folders
    held = backbone_of(get_card(str(tan)))
    assert (held.name, held.folder) == ("own-s3d", tan / "backbone")
    assert file_sha256(held, "backbone") == file_sha256(get_card(str(s3d)), "backbone")
    assert load_backbone(held.reference).width == LAYERS["mixed_5c"]
    aligner = load_aligner(str(tan))
    assert (aligner.card.name, aligner.scorer.name) == ("own-tan", "tan")
    assert load_aligner(str(tan), scorer="similarity").scorer.name == "similarity"


def test_an_aligner_is_cleared_with_its_backbone(folders: tuple[Path, Path], tmp_path: Path) -> None:
    _, tan = folders
    run = tmp_path / "run"
    run.mkdir()
    tan.rename(run / checkpoint.MODEL)
    checkpoint.clear(run)
    assert not list((run / checkpoint.MODEL).iterdir())


def test_a_backbone_by_name_is_referred_to(tmp_path: Path) -> None:
    card = aligner_folder(tmp_path / "tan", feature_source(None, backbone="mini"))
    assert not (tmp_path / "tan" / "backbone").exists()
    assert backbone_of(card) == get_card("mini")


def test_a_backbone_given_by_name_is_copied(tmp_path: Path) -> None:
    source = feature_source("mini", backbone="mini")
    card = aligner_folder(tmp_path / "tan", source)
    held = backbone_of(card)
    assert (held.name, held.folder) == ("mini", tmp_path / "tan" / "backbone")
    assert held.aligner is None
    assert [entry.role for entry in held.files] == ["backbone", "dictionary"]
    assert file_sha256(held, "backbone") == file_sha256("mini", "backbone")


def test_a_recipe_of_the_users_own_travels(tmp_path: Path) -> None:
    backbone_folder(tmp_path / "s3d", recipe=OWN)
    card = aligner_folder(tmp_path / "tan", feature_source(str(tmp_path / "s3d")))
    assert recipe_of(get_card(card.reference)) == OWN


def test_a_recipe_that_the_package_does_not_know_is_added_to_the_copy(tmp_path: Path) -> None:
    source = feature_source(None, backbone="mini", recipe=OWN)
    assert source.copied
    card = aligner_folder(tmp_path / "tan", source)
    assert recipe_of(get_card(card.reference)) == OWN


@pytest.mark.parametrize(
    ("given", "known", "told"),
    [
        (None, {}, "do not say what made them"),
        (None, {"backbone": "own-s3d"}, "no model of the package"),
        ("mini", {"backbone": "own-s3d"}, "from own-s3d, not from mini"),
        ("mini", {"weights_sha256": "0" * 64}, "other weights of mini"),
        (None, {"backbone": "mini", "weights_sha256": "0" * 64}, "other weights of mini"),
    ],
)
def test_features_of_another_model_are_refused(given: str | None, known: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        feature_source(given, **known)  # type: ignore[arg-type]


def test_an_aligner_is_no_source_of_features(folders: tuple[Path, Path]) -> None:
    with pytest.raises(ModelError, match=r"own-tan.*is not a backbone.*tan/backbone"):
        feature_source(str(folders[1]))


def test_float16_halves_the_file_and_keeps_the_network(tmp_path: Path) -> None:
    backbone_folder(tmp_path / "full")
    backbone_folder(tmp_path / "half", precision="float16")
    sizes = [(tmp_path / name / "backbone.safetensors").stat().st_size for name in ("full", "half")]
    assert sizes[1] < 0.65 * sizes[0]
    clips = torch.rand(1, 3, 8, 32, 32)
    full, half = (load_backbone(str(tmp_path / name))(clips) for name in ("full", "half"))
    assert full.dtype == half.dtype == torch.float32
    torch.testing.assert_close(half, full, rtol=0.05, atol=0.05)
    assert not torch.equal(half, full)


def test_what_float16_cannot_hold_is_stored_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spec = aligner_spec(feature_source("mini"))
    weights = aligner_weights(spec)
    weights["mlp.weight"][0, 0] = 1e6
    with caplog.at_level(logging.WARNING, "vidalign.training"):
        card = aligner_card(ModelOptions("own"), spec)
        write_model_folder(tmp_path / "tan", card, {"aligner": weights}, WORDS, precision="float16")
    assert "too large for float16" in caplog.text
    assert load_tensors(tmp_path / "tan" / "aligner.safetensors")["mlp.weight"][0, 0] == 1e6


def test_weights_that_are_no_numbers_are_not_written(tmp_path: Path) -> None:
    spec = aligner_spec(feature_source("mini"))
    weights = aligner_weights(spec)
    weights["mlp.bias"][0] = float("nan")
    with pytest.raises(DataError, match=r"NaN or infinity \(mlp.bias\)"):
        write_model_folder(
            tmp_path / "tan", aligner_card(ModelOptions("own"), spec), {"aligner": weights}, WORDS
        )
    assert not list(tmp_path.iterdir())


def test_weights_of_another_network_are_not_written(tmp_path: Path) -> None:
    spec = backbone_spec()
    with pytest.raises(ModelError, match="the backbone: does not fit"):
        write_model_folder(tmp_path / "x", backbone_card(ModelOptions("own"), spec), {"backbone": {}}, WORDS)


def test_a_second_folder_takes_the_place_of_the_first(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    aligner_folder(folders[1], feature_source(None, backbone="mini"), seed=9)
    assert not (folders[1] / "backbone").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s3d", "tan"]


def test_a_folder_of_something_else_stays(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="no model folder"):
        backbone_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("name", ["mini", "", "../x", "a b", ".hidden", "x" * 101])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(ConfigError, match="name"):
        ModelOptions(name)


def test_a_calibration_is_kept(tmp_path: Path) -> None:
    known = Calibration(1.5, -0.25, 0.4, "a few videos")
    card = aligner_folder(tmp_path / "tan", feature_source(None, backbone="mini"), calibration=known)
    found = get_card(card.reference).aligner
    assert found is not None and found.calibration == known
    assert found.recipe == get_recipe("mini-8fps").name
