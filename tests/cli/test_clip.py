"""CLIP and its kin through the command line: a folder as a hub serves it, a hub, no hub, no extra."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers.models.clip.modeling_clip import CLIPModel

import vidalign
from tests.hf_models import clip_folder
from tests.hub import Hub
from tests.tiny import draw_video
from vidalign.cli.main import main
from vidalign.weights import cards
from vidalign.weights.cards import ModelCard, card_text, get_card, parse_card

SAID = "1\n00:00:00,500 --> 00:00:01,500\nput the egg in\n\n2\n00:00:02,000 --> 00:00:03,000\nwhisk it\n"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip_folder(tmp_path_factory.mktemp("models") / "tiny-clip")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for seed, name in enumerate(("a", "b")):
        draw_video(folder / f"{name}.mp4", 5.0, seed=seed)
        (folder / f"{name}.srt").write_text(SAID, "utf-8")
    return folder


def test_a_folder_of_videos_is_aligned(
    clip: Path, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["align", str(videos), "-o", str(tmp_path / "out"), "--model", str(clip)]
    assert main([*line, "--save-features", str(tmp_path / "features")]) == 0
    out, err = capsys.readouterr()
    assert [Path(path).name for path in out.split()] == ["a.align.h5", "b.align.h5"]
    assert "alignability is only the rank within this video" in err
    made = vidalign.load_alignment(tmp_path / "out" / "a.align.h5")
    assert (made.model, made.scorer, made.score) == ("hf:tiny-clip", "similarity", "cosine")
    assert made.similarity is not None and made.similarity.shape == (2, 5)
    assert made.temperature == pytest.approx(0.01, rel=1e-4)
    features = vidalign.load_features(tmp_path / "features" / "a.h5")
    assert features.backbone == "hf:tiny-clip" and features.features.shape == (5, 8)
    assert main(line) == 0
    assert "2 already done" in capsys.readouterr().err


def test_features_are_transformers_own_of_the_same_pictures(clip: Path, videos: Path, tmp_path: Path) -> None:
    from vidalign.backbones.encode import clip_tensor
    from vidalign.video.clips import cut_clips
    from vidalign.video.open import open_video

    line = ["extract", str(videos / "a.mp4"), "-o", str(tmp_path), "--dtype", "float32"]
    assert main([*line, "--backbone", str(clip)]) == 0
    made = vidalign.load_features(tmp_path / "a.h5")
    assert made.recipe is not None
    with open_video(videos / "a.mp4") as reader:
        pixels = np.stack([one.pixels.reshape(-1, 32, 32, 3) for one in cut_clips(reader, made.recipe)])
    given = clip_tensor(pixels, made.recipe, torch.device("cpu"))
    with torch.inference_mode():
        theirs = CLIPModel.from_pretrained(clip).eval()
        expected = theirs.get_image_features(pixel_values=given[:, :, 0]).pooler_output
    np.testing.assert_allclose(made.features, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_older_weights_with_older_names_give_the_same(clip: Path, videos: Path, tmp_path: Path) -> None:
    older = tmp_path / "older"
    older.mkdir()
    for file in clip.iterdir():
        if file.suffix == ".json":
            (older / file.name).write_bytes(file.read_bytes())
    tensors = load_file(clip / "model.safetensors")
    tensors["text_model.embeddings.position_ids"] = torch.arange(12)[None]
    torch.save(tensors, older / "pytorch_model.bin")
    for model in (clip, older):
        line = ["extract", str(videos / "a.mp4"), "-o", str(tmp_path / model.name), "--backbone", str(model)]
        assert main(line) == 0
    first, second = (vidalign.load_features(tmp_path / name / "a.h5") for name in ("tiny-clip", "older"))
    np.testing.assert_array_equal(first.features, second.features)
    assert first.weights_sha256 != second.weights_sha256


def test_models_show_and_verify_a_folder(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", str(clip), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["name"] == "hf:tiny-clip" and shown["installed"] and shown["uses"] == ["extract", "align"]
    assert main(["models", "verify", str(clip)]) == 0
    assert "hf:tiny-clip backbone has no recorded hash to compare with" in capsys.readouterr().err


def test_eval_takes_it_as_any_model(
    clip: Path, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["extract", str(videos), "-o", str(tmp_path), "--backbone", str(clip)]) == 0
    rows = [[1, 0.5, 1.5, "put the egg in"], [1, 2.0, 3.0, "whisk it"]]
    (tmp_path / "truth.json").write_text(json.dumps({"a": rows, "b": rows}), "utf-8")
    capsys.readouterr()
    line = ["--features", str(tmp_path), "--model", str(clip), "--resamples", "0", "--json"]
    assert main(["eval", "align", str(tmp_path / "truth.json"), *line, "--baseline", "similarity"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["recall"] == second["recall"] and first["videos"] == 2
    (tmp_path / "segments.csv").write_text("video,start,end,text\na,0,2,egg\nb,1,4,whisk\na,3,5,pan\n")
    assert main(["eval", "retrieval", str(tmp_path / "segments.csv"), *line]) == 0
    found = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert [row["variant"] for row in found] == ["plain", "centred", "standardised"]
    assert all(row["segments"] == 3 for row in found)


def test_what_is_wrong_is_one_line_and_exit_code_2(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text('{"model_type": "bert"}')
    monkeypatch.setenv("VIDALIGN_CACHE", str(tmp_path / "cache"))
    line = ["align", str(videos / "a.mp4"), str(videos / "a.srt"), "-o", str(tmp_path / "out.h5"), "--model"]
    told = {
        "clip-vit-b32": "is not on this machine: model.safetensors and tokenizer.json are missing",
        "hf:openai/clip": "is not on this machine; to download it: `vidalign models fetch hf:openai/clip`",
        "openai/clip": "there is no model folder openai/clip; check the path; on the hub it would be hf:op",
        str(tmp_path / "empty"): "is no model folder: there is no card.yaml in it",
        str(tmp_path / "bert"): "of the kind 'bert', which is not supported; supported: CLIP (clip), SigLIP",
    }
    for model, message in told.items():
        assert main([*line, model]) == 2
        err = capsys.readouterr().err.strip()
        assert message in err and err.count("\n") == 0, err
    monkeypatch.setenv("VIDALIGN_OFFLINE", "1")
    for name in ("clip-vit-b32", "hf:openai/clip"):
        with pytest.raises(SystemExit, match="2"):
            main(["models", "fetch", name])
        assert "VIDALIGN_OFFLINE forbids downloads" in capsys.readouterr().err


def small_card(clip: Path) -> ModelCard:
    """clip-vit-b32 with the networks of the tiny folder."""
    card, small = get_card("clip-vit-b32"), get_card(str(clip))
    assert card.backbone is not None and small.backbone is not None
    recipe = replace(card.backbone.recipe, size=32, crop_size=32)
    spec = replace(card.backbone, config=small.backbone.config, layers=small.backbone.layers)
    return replace(card, backbone=replace(spec, recipe=recipe, recipes=(recipe,)))


def test_real_footage_in_three_commands(
    clip: Path,
    videos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    card, named = small_card(clip), cards._named
    monkeypatch.setattr(cards, "_named", lambda name: card if name == card.name else named(name))
    monkeypatch.setenv("VIDALIGN_CACHE", str(tmp_path / "cache"))
    hub = Hub(clip, "openai/clip-vit-base-patch32")
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    try:
        assert main(["models", "fetch", "clip-vit-b32"]) == 0
    finally:
        hub.close()
    kept = [Path(line).name for line in capsys.readouterr().out.splitlines()]
    assert kept == ["backbone.safetensors", "tokenizer.json"]
    monkeypatch.setenv("VIDALIGN_OFFLINE", "1")
    line = ["align", str(videos / "a.mp4"), str(videos / "a.srt"), "--model", "clip-vit-b32"]
    assert main([*line, "-o", str(tmp_path / "a.json")]) == 0
    made = vidalign.load_alignment(tmp_path / "a.json")
    assert main([*line[:-1], str(clip), "-o", str(tmp_path / "same.json")]) == 0
    same = vidalign.load_alignment(tmp_path / "same.json")
    assert made.model == "clip-vit-b32" and made.similarity is not None and same.similarity is not None
    np.testing.assert_array_equal(made.similarity, same.similarity)
    assert main(["models", "verify", "clip-vit-b32"]) == 0
    assert "clip-vit-b32 tokenizer is as it came" in capsys.readouterr().err


def test_a_card_made_of_a_folder_is_written_and_read(clip: Path) -> None:
    card = get_card(str(clip))
    read = parse_card(card_text(card))
    assert (read.backbone, read.aligner, read.name) == (card.backbone, card.aligner, "hf:tiny-clip")


WITHOUT = """
import json, sys

class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("transformers", "tokenizers", "huggingface_hub"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Gone())
import importlib.util
plain = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "transformers" else plain(name, package)
from vidalign.cli.main import main
for line in json.loads(sys.argv[1]):
    print(main(line), flush=True)
print(*(name for name in sys.modules if name in ("transformers", "torch")))
"""


def test_without_the_extra_the_pip_line_is_told_before_any_work(
    clip: Path, videos: Path, tmp_path: Path
) -> None:
    lines = [
        ["extract", str(videos), "-o", str(tmp_path / "out"), "--backbone", str(clip)],
        ["align", str(videos / "a.mp4"), "-o", str(tmp_path / "out.h5"), "--model", str(clip)],
        ["models", "fetch", "hf:openai/clip-vit-base-patch32"],
        ["models", "fetch", "clip-vit-b32"],
        ["models", "list"],
    ]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, json.dumps(lines)], capture_output=True, text=True, check=True
    )
    codes = [text for text in done.stdout.splitlines() if text in ("0", "2")]
    assert codes == ["2", "2", "2", "2", "0"]
    errors = [text for text in done.stderr.splitlines() if "error" in text]
    assert len(errors) == 4 and all("pip install 'vidalign[clip]'" in text for text in errors), done.stderr
    assert not (tmp_path / "out").exists()


def test_a_file_of_weights_is_added_to_a_card_of_the_package(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIDALIGN_CACHE", str(tmp_path / "cache"))
    odd = tmp_path / "odd.safetensors"
    save_file({"text_model.embeddings.token_embedding.weight": torch.zeros(3, 4)}, odd)
    assert main(["models", "add", "clip-vit-b32", str(odd)]) == 2
    assert "does not fit the model: 397 missing" in capsys.readouterr().err
    assert main(["models", "add", "clip-vit-b32", str(clip / "tokenizer.json")]) == 2
    assert "a vocabulary of 58 entries, but the model's text tower has 49408" in capsys.readouterr().err
    assert main(["models", "add", "clip-vit-b32", str(clip / "config.json")]) == 2
    assert "neither a tokenizer.json nor a tokenizer_config.json" in capsys.readouterr().err
    assert main(["models", "add", "clip-vit-b32", str(clip / "tokenizer_config.json")]) == 2
    assert "a tokenizer_config file, which model 'clip-vit-b32' does not need" in capsys.readouterr().err
