"""The example of a backbone from another package, installed as pip would and used like any other."""

from __future__ import annotations

import importlib.util
import json
import tomllib
from pathlib import Path

import pytest
import torch

from tests.tiny import draw_video
from vidalign.backbones.registry import load_backbone
from vidalign.cli.main import main
from vidalign.store.features import read_features
from vidalign.weights.cache import hash_file, locate
from vidalign.weights.cards import get_card
from vidalign.weights.plugins import GROUP, faults
from vidalign.weights.verify import verify_model

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugins" / "backbone_colour_grid"


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package on the path, and what pip leaves of its entry points beside it."""
    monkeypatch.setenv("VIDALIGN_CACHE", str(tmp_path / "cache"))
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))["project"]
    info = tmp_path / "site" / "vidalign_colour_grid-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vidalign-colour-grid\nVersion: 0.1\n")
    points = "".join(f"{name} = {value}\n" for name, value in project["entry-points"][GROUP].items())
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{points}")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.syspath_prepend(EXAMPLE)


def test_it_is_a_model_like_any_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (row,) = [row for row in rows if row["name"] == "colour-grid"]
    assert (row["uses"], row["installed"], row["layers"]) == (["extract"], True, {"grid": 96})
    assert [found.verdict for found in verify_model(get_card("colour-grid"))] == ["ok"]
    assert faults() == ()


def test_its_weights_are_those_of_its_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = importlib.util.spec_from_file_location("make_weights", EXAMPLE / "make_weights.py")
    assert found is not None and found.loader is not None
    script = importlib.util.module_from_spec(found)
    found.loader.exec_module(script)
    script.main(tmp_path / "again.safetensors")
    card = get_card("colour-grid")
    assert hash_file(tmp_path / "again.safetensors") == hash_file(locate(card, "backbone"))
    said = capsys.readouterr().out
    assert f"sha256: {card.files[0].sha256}" in said
    assert f"size: {card.files[0].size}" in said


def test_it_extracts_from_the_command_line(tmp_path: Path) -> None:
    video = draw_video(tmp_path / "v" / "clip.mp4", 3.0)
    line = [
        "extract",
        str(video),
        "-o",
        str(tmp_path / "out"),
        "--backbone",
        "colour-grid",
        "--dtype",
        "float32",
    ]
    assert main([*line, "--device", "cpu", "-q"]) == 0
    features = read_features(tmp_path / "out" / "clip.h5")
    assert (features.backbone, features.features.shape) == ("colour-grid", (3, 96))
    assert features.times.tolist() == [[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]]


def test_what_it_sees_of_a_red_and_a_blue_half() -> None:
    clips = torch.zeros(1, 3, 2, 64, 64)
    clips[:, 0, :, :, :32] = 1
    clips[:, 2, :, :, 32:] = 1
    grid = load_backbone("colour-grid")(clips).reshape(2, 3, 4, 4)
    brightness, red_green, yellow_blue = grid[0]
    torch.testing.assert_close(brightness[0], torch.tensor([0.299, 0.299, 0.114, 0.114]))
    torch.testing.assert_close(red_green[3], torch.tensor([0.5, 0.5, 0.0, 0.0]))
    torch.testing.assert_close(yellow_blue[0], torch.tensor([0.25, 0.25, -0.5, -0.5]))
    assert torch.count_nonzero(grid[1] > 1e-3) == 0
