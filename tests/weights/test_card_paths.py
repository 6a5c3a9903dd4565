"""Cards by path: which one is meant, and that a hostile folder reaches nothing outside itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.model_folders import aligner_folder, backbone_folder
from vidalign.errors import ConfigError, MissingModelError, ModelError
from vidalign.training.product import feature_source
from vidalign.weights.cache import Pin, file_sha256, locate, weights_sha256, write_pin
from vidalign.weights.cards import backbone_of, get_card, recipe_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A backbone's folder."""
    return Path(backbone_folder(tmp_path / "own").reference)


def rewrite(folder: Path, /, **changes: Any) -> None:
    """Put other values into a card; None takes the key out."""
    path = folder / "card.yaml"
    values = {**yaml.safe_load(path.read_text()), **changes}
    path.write_text(yaml.safe_dump({key: value for key, value in values.items() if value is not None}))


def test_a_name_without_a_slash_is_a_card_first(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folder, tmp_path / "mini")
    monkeypatch.chdir(tmp_path)
    assert get_card("mini").folder is None
    assert get_card("./mini").name == "own-s3d"
    assert get_card("own").folder == folder
    assert get_card(get_card("./mini").reference).folder == tmp_path / "mini"


@pytest.mark.parametrize("name", ["nothing", "x" * 5000, "nul\0", "card.yaml", ""])
def test_a_name_of_nothing_is_an_unknown_model(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="unknown model"):
        get_card(name)


def test_paths_that_are_no_model_folders(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"there is no model folder .*/none"):
        get_card(str(tmp_path / "none"))
    with pytest.raises(ModelError, match="there is no model folder"):
        get_card(str(folder / "dictionary.npy"))
    (tmp_path / "run").mkdir()
    with pytest.raises(ModelError, match=r"no card\.yaml in it$"):
        get_card(str(tmp_path / "run"))
    folder.rename(tmp_path / "run" / "model")
    with pytest.raises(ModelError, match=r"did you mean .*/run/model\?"):
        get_card(str(tmp_path / "run"))


@pytest.mark.parametrize(
    "name",
    ["../secret.npy", "/etc/passwd", "sub/file.npy", "..", ".", "", "a\\b", "nul\0"],
)
def test_files_must_lie_in_the_folder(folder: Path, name: str) -> None:
    rewrite(folder, files=[{"role": "backbone", "name": name}])
    with pytest.raises(ConfigError, match="must lie beside the card"):
        get_card(str(folder))


@pytest.mark.parametrize(
    "more",
    [
        {"bundled": True},
        {"shared_with": "mini"},
        {"sources": ["https://example.org/x"]},
        {"pickle_globals": ["os.system"]},
    ],
)
def test_files_come_from_nowhere_else(folder: Path, more: dict[str, Any]) -> None:
    rewrite(folder, files=[{"role": "backbone", "name": "mini-s3d.safetensors", **more}])
    with pytest.raises(ConfigError, match="a role, a name, a size and a sha256 only"):
        get_card(str(folder))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "../../etc"}, "no name for a model"),
        ({"name": ""}, "no name for a model"),
        ({"folder": "/etc"}, "unknown key 'folder'"),
        ({"files": None}, "files must be a list"),
    ],
)
def test_a_faulty_card_is_refused(folder: Path, changes: dict[str, Any], told: str) -> None:
    rewrite(folder, **changes)
    with pytest.raises(ConfigError, match=told) as caught:
        get_card(str(folder))
    assert str(folder / "card.yaml") in caught.value.message


@pytest.mark.parametrize(
    ("part", "change", "told"),
    [
        ("backbone", {"recipes": ["/etc/passwd"]}, "unknown recipe"),
        ("backbone", {"recipes": "mini-8fps"}, "must be a list"),
        ("backbone", {"layers": {"mixed_5c": -1}}, "width -1"),
        ("backbone", {"recipes": [{"name": "mini-8fps", "fps": 1}]}, "'frames' is missing"),
        ("aligner", {"temperature": 0}, "temperature must be above 0"),
        ("aligner", {"calibration": {"a": 1, "b": 0, "threshold": 2, "fitted_on": "x"}}, "from 0 to 1"),
        (
            "aligner",
            {"calibration": {"a": float("nan"), "b": 0, "threshold": 0.5, "fitted_on": "x"}},
            "must be numbers",
        ),
    ],
)
def test_values_that_cannot_be(folder: Path, part: str, change: dict[str, Any], told: str) -> None:
    values = yaml.safe_load((folder / "card.yaml").read_text())
    rewrite(folder, **{part: {**values[part], **change}})
    with pytest.raises(ConfigError, match=told):
        get_card(str(folder))


def test_a_card_of_megabytes_is_not_read(folder: Path) -> None:
    with (folder / "card.yaml").open("a") as file:
        file.write("#" * 2_000_000)
    with pytest.raises(ConfigError, match="too long"):
        get_card(str(folder))


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: b: c", b"- 1", b"!!python/object/apply:os.getcwd []"])
def test_what_is_no_card_is_refused(folder: Path, content: bytes) -> None:
    (folder / "card.yaml").write_bytes(content)
    with pytest.raises((ConfigError, ModelError), match=r"card\.yaml"):
        get_card(str(folder))


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"width": "wide"}, "makes no s3d"),
        ({"colour": "red"}, "makes no s3d"),
        ({"embedding": -3}, "makes no s3d|does not fit"),
        ({"embedding": 17}, "does not fit"),
    ],
)
def test_a_config_that_makes_no_network_is_told(folder: Path, config: dict[str, Any], told: str) -> None:
    from vidalign.backbones.registry import load_backbone

    values = yaml.safe_load((folder / "card.yaml").read_text())
    values["backbone"]["config"].update(config)
    rewrite(folder, **values)
    with pytest.raises(ModelError, match=told):
        load_backbone(str(folder))


def test_unknown_families_and_scorers_are_told(folder: Path) -> None:
    from vidalign.aligners.registry import load_aligner
    from vidalign.backbones.registry import load_backbone

    values = yaml.safe_load((folder / "card.yaml").read_text())
    rewrite(
        folder, backbone={**values["backbone"], "family": "x"}, aligner={**values["aligner"], "scorer": "y"}
    )
    with pytest.raises(ModelError, match="family 'x'"):
        load_backbone(str(folder))
    with pytest.raises(ModelError, match="scorer 'y'"):
        load_aligner(str(folder))


def test_size_and_hash_are_checked(folder: Path) -> None:
    card = get_card(str(folder))
    words = folder / "dictionary.npy"
    content = words.read_bytes()
    words.write_bytes(content + b"x")
    with pytest.raises(ModelError, match=rf"{len(content) + 1} bytes instead of {len(content)}"):
        locate(card, "dictionary")
    words.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ModelError, match="sha256"):
        file_sha256(card, "dictionary")
    words.write_bytes(content)
    assert locate(card, "dictionary") == words
    words.unlink()
    with pytest.raises(MissingModelError, match=r"dictionary\.npy is missing.*copy it again"):
        locate(card, "dictionary")


def test_the_cache_of_a_model_of_the_same_name_plays_no_part(folder: Path) -> None:
    card = get_card(str(folder))
    weights = folder / "backbone.safetensors"
    digest = file_sha256(card, "backbone")
    write_pin("own-s3d", "backbone", Pin("0" * 64, weights.stat().st_size, "a.pth", digest, 3))
    assert file_sha256(card, "backbone") == digest
    assert weights_sha256(card, "backbone", weights) == digest


def test_a_backbone_that_is_not_there_is_told(folder: Path, tmp_path: Path) -> None:
    card = aligner_folder(tmp_path / "tan", feature_source(str(folder)))
    shutil.rmtree(tmp_path / "tan" / "backbone")
    with pytest.raises(ModelError, match=r"features of 'own-s3d', which is not here .*tan/backbone"):
        backbone_of(card)
    backbone_folder(tmp_path / "tan" / "backbone", "another")
    with pytest.raises(ModelError, match="holds the model 'another'"):
        backbone_of(card)


def test_a_recipe_that_the_backbone_has_not_is_told(folder: Path) -> None:
    values = yaml.safe_load((folder / "card.yaml").read_text())
    rewrite(folder, aligner={**values["aligner"], "recipe": "s3d-16fps"})
    with pytest.raises(ModelError, match="recipe 's3d-16fps', which 'own-s3d' has not"):
        recipe_of(get_card(str(folder)))
