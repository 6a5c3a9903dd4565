"""Model folders on the command line and from Python, wherever a card's name is taken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vidalign
from tests.model_folders import LAYERS, aligner_folder, backbone_folder
from tests.tiny import Run, write_vtt
from vidalign.errors import DataError
from vidalign.store.features import read_features
from vidalign.training.product import feature_source
from vidalign.video import open as opening


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of this test, which no model folder may touch; gives its path."""
    monkeypatch.setenv("VIDALIGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("VIDALIGN_CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path / "cache"


@pytest.fixture
def s3d(tmp_path: Path) -> Path:
    """A backbone's folder."""
    return Path(backbone_folder(tmp_path / "s3d").reference)


@pytest.fixture
def tan(tmp_path: Path, s3d: Path) -> Path:
    """The folder of an aligner that carries that backbone."""
    return Path(aligner_folder(tmp_path / "tan", feature_source(str(s3d))).reference)


@pytest.fixture
def subtitles(tmp_path: Path) -> Path:
    return write_vtt(tmp_path / "clip.vtt", "put the egg", "stir the red bowl")


def status(said: tuple[int, str, str]) -> str:
    """What became of the one item."""
    code, out, err = said
    assert code == 0, err
    return str(json.loads(out)["status"])


def test_extract_names_the_card_in_its_files(s3d: Path, clip_file: Path, cli: Run, tmp_path: Path) -> None:
    line = ("extract", clip_file, "-o", tmp_path / "f", "--backbone", s3d / "card.yaml", "--json")
    said = cli(*line)
    assert status(said) == "done"
    kept = read_features(Path(json.loads(said[1])["output"]))
    assert (kept.backbone, kept.features.shape) == ("own-s3d", (3, LAYERS["mixed_5c"]))
    assert status(cli(*line)) == "skipped"


def test_align_takes_a_video_with_an_aligners_folder_at_once(
    tan: Path, clip_file: Path, subtitles: Path, cli: Run, tmp_path: Path, places: Path
) -> None:
    line = ("align", clip_file, subtitles, "--model", tan, "-o", tmp_path / "a.json", "--json")
    assert [status(cli(*line)), status(cli(*line))] == ["done", "skipped"]
    assert json.loads((tmp_path / "a.json").read_text())["model"] == "own-tan"
    assert not places.exists()


def test_align_takes_features_of_the_copied_backbone(
    s3d: Path, tan: Path, clip_file: Path, subtitles: Path, cli: Run, tmp_path: Path
) -> None:
    _, out, _ = cli("extract", clip_file, "-o", tmp_path / "f", "--backbone", s3d)
    output = tmp_path / "b.json"
    line = ("align", clip_file, subtitles, "--features", out.strip(), "-o", output, "--json")
    assert status(cli(*line, "--model", tan)) == "done"
    assert status(cli(*line, "--model", tan, "--scorer", "similarity", "--overwrite")) == "done"
    assert status(cli(*line, "--model", s3d, "--overwrite")) == "done"


def test_align_refuses_features_of_another_backbone(
    tan: Path, clip_file: Path, subtitles: Path, tmp_path: Path
) -> None:
    other = backbone_folder(tmp_path / "other", seed=7)
    features = vidalign.extract(clip_file, backbone=other.reference)
    with pytest.raises(DataError, match="other weights of own-s3d"):
        vidalign.align(clip_file, subtitles, model=str(tan), features=features)
    renamed = replace(features, backbone="x", weights_sha256=None)
    with pytest.raises(DataError, match=r"from backbone x, own-tan needs own-s3d.*--backbone .*tan/backbone"):
        vidalign.align(clip_file, subtitles, model=str(tan), features=renamed)
    unnamed = replace(features, weights_sha256=None)
    assert vidalign.align(clip_file, subtitles, model=str(tan), features=unnamed).model == "own-tan"


def test_a_file_that_has_changed_is_refused(
    tan: Path, clip_file: Path, subtitles: Path, cli: Run, tmp_path: Path
) -> None:
    weights = tan / "aligner.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    line = ("align", clip_file, subtitles, "--model", tan, "-o", tmp_path / "a.json")
    code, _, err = cli(*line)
    assert (code, "is not the file that its card names: sha256" in err) == (2, True)
    code, out, err = cli("models", "verify", tan)
    assert (code, str(weights) in out, "has changed" in err) == (1, True, True)
    weights.unlink()
    code, _, err = cli(*line)
    assert (code, "aligner.safetensors is missing" in err, "copy it again" in err) == (2, True, True)


def test_features_of_two_backbones_of_one_name_are_not_mixed(
    s3d: Path, clip_file: Path, cli: Run, tmp_path: Path
) -> None:
    other = backbone_folder(tmp_path / "other", seed=7).reference
    line = ("extract", clip_file, "-o", tmp_path / "f", "--backbone", s3d)
    code, _, err = cli(*line, "--backbone", other)
    assert (code, "two backbones are called own-s3d" in err) == (2, True)
    code, out, err = cli(*line, "--backbone", "mini")
    assert code == 0, err
    assert [Path(path).parent.name for path in out.splitlines()] == ["own-s3d", "mini"]


def test_models_show_verify_and_use_take_a_folder(tan: Path, s3d: Path, cli: Run, tmp_path: Path) -> None:
    code, out, err = cli("models", "show", tan)
    assert code == 0, err
    assert "own-tan: temporal alignment network over features of own-s3d" in out
    assert f"aligner: aligner.safetensors, {tan}/aligner.safetensors" in out
    code, out, _ = cli("models", "show", s3d, "--json")
    assert (code, json.loads(out)["installed"]) == (0, True)
    code, out, err = cli("models", "verify", tan, s3d)
    assert (code, len(out.splitlines()), err.count("is as it came")) == (0, 4, 4)
    code, out, _ = cli("models", "use", tan)
    assert (code, out.strip()) == (0, str(tan))
    code, out, _ = cli("models", "use")
    assert out.strip() == str(tan)


def test_nothing_is_added_to_a_folder(tan: Path, cli: Run) -> None:
    code, _, err = cli("models", "add", tan, tan / "aligner.safetensors")
    assert (code, "nothing can be added to it" in err) == (2, True)
    code, _, err = cli("models", "fetch", tan)
    assert (code, "all files are here already" in err) == (0, True)


def test_two_backbones_read_a_video_once(
    s3d: Path, clip_file: Path, cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    once = opening.open_video

    def noted(path: Path, *args: Any, **how: Any) -> Any:
        opened.append(path)
        return once(path, *args, **how)

    monkeypatch.setattr(opening, "open_video", noted)
    both = ("--backbone", s3d, "--backbone", "mini")
    code, out, err = cli("extract", clip_file, "-o", tmp_path / "out", *both)
    assert (code, len(opened)) == (0, 1)
    made = [tmp_path / "out" / name / "clip.h5" for name in ("own-s3d", "mini")]
    assert out.splitlines() == [str(path) for path in made]
    assert "2 items: 2 done" in err
    for path, backbone in zip(made, (str(s3d), "mini"), strict=True):
        alone = vidalign.extract(clip_file, backbone=backbone)
        together = vidalign.load_features(path)
        assert np.array_equal(together.features, alone.features)
        assert together.backbone == path.parent.name
    made[0].unlink()
    opened.clear()
    code, _, err = cli("extract", clip_file, "-o", tmp_path / "out", *both)
    assert (code, len(opened), made[0].exists()) == (0, 1, True)
    assert "2 items: 1 done, 1 already done" in err
