"""The published models through the command line: checkpoints in, reference numbers out."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import vidalign
from tests.fill_rule import fill_shapes, ramp, read_keys
from tests.tiny import draw_video
from vidalign.backbones.s3d import S3D
from vidalign.cli.main import main
from vidalign.store.features import write_features
from vidalign.types import Features
from vidalign.video.clips import cut_clips
from vidalign.video.open import open_video
from vidalign.weights.recipes import get_recipe

pytestmark = pytest.mark.parity

WORDS = 66249


@pytest.fixture(scope="module")
def published(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the three published files, filled by rule, and the cache they were added to."""
    folder = tmp_path_factory.mktemp("published")
    torch.save(fill_shapes(read_keys(golden / "s3d_keys.tsv")), folder / "s3d.pth")
    online = fill_shapes(read_keys(golden / "tan_e6d6_keys.tsv"))
    twin = {f"online.{name}": tensor for name, tensor in online.items()}
    twin |= {f"target.{name}": torch.full((1,), 7.0).expand(t.shape) for name, t in online.items()}
    twin |= {name: tensor for name, tensor in online.items() if name.startswith("bert.")}
    assert set(twin) == set(read_keys(golden / "tan_twin_keys.tsv"))
    wrapper = {
        "epoch": 19,
        "best_acc": np.float64(0.4),
        "optimizer": argparse.Namespace(lr=1e-4),
        "iteration": 9,
    }
    torch.save({"state_dict": twin, **wrapper}, folder / "tan.pth.tar")
    np.save(folder / "dict.npy", np.array([f"w{index + 1}" for index in range(WORDS)]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDALIGN_CACHE", str(folder / "cache"))
        for name, *files in (("s3d-howto100m", "s3d.pth"), ("tan-htm370k", "tan.pth.tar", "dict.npy")):
            assert main(["models", "add", name, *(str(folder / file) for file in files)]) == 0
    yield folder
    for path in folder.rglob("*.*"):
        if path.is_file():
            path.unlink()


@pytest.fixture(autouse=True)
def cache(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDALIGN_CACHE", str(published / "cache"))


@pytest.mark.parametrize("sample", [0, 1])
def test_align_reproduces_the_reference_s_similarity_and_alignability(
    published: Path, golden: Path, tmp_path: Path, sample: int
) -> None:
    expected = np.load(golden / "tan_e6d6.npz")
    starts = np.arange(64.0)
    features = Features(
        features=ramp((2, 64, 1024), np.sin).numpy()[sample],
        times=np.stack([starts, starts + 1], axis=1),
        backbone="s3d-howto100m",
        recipe=get_recipe("s3d-16fps"),
        video="video.mp4",
    )
    write_features(tmp_path / "video.h5", features)
    cues = [_cue(number, ids) for number, ids in enumerate(expected["tokens"][sample])]
    (tmp_path / "said.vtt").write_text("WEBVTT\n\n" + "\n".join(cues))
    arguments = ["align", "video.mp4", str(tmp_path / "said.vtt"), "--model", "tan-htm370k"]
    arguments += ["--features", str(tmp_path / "video.h5"), "-o", str(tmp_path / "out.h5")]
    assert main(arguments) == 0
    found = vidalign.load_alignment(tmp_path / "out.h5")
    wanted = (expected["joint"][sample, -1] + expected["dual"][sample, -1]).T / 2
    assert found.similarity is not None
    assert np.abs(found.similarity - wanted).max() <= 1e-4
    logits = np.log(found.alignability / (1 - found.alignability))
    assert np.abs(logits - expected["align_joint"][sample, 2, :, 0]).max() <= 1e-4


def _cue(number: int, ids: np.ndarray) -> str:
    """A cue whose words are those ids; 0 inside a sentence is a word that the dictionary has not."""
    length = int(np.flatnonzero(ids).max(initial=0)) + 1
    words = " ".join(f"w{i}" if i else "unheard" for i in ids[:length])
    return f"00:{10 * number:02}.000 --> 00:{10 * number + 5:02}.000\n{words}\n"


def test_the_added_backbone_reproduces_the_reference_s_features(published: Path, golden: Path) -> None:
    expected = np.load(golden / "s3d.npz")
    clips = ramp((1, 3, 16, 64, 64), lambda n: (np.sin(n) + 1) / 2)
    with torch.inference_mode():
        found = vidalign.load_backbone("s3d-howto100m")(clips)
        direct = vidalign.load_backbone("s3d-howto100m", weights=published / "s3d.pth")(clips)
    assert np.abs(found.numpy() - expected["mixed_5c"]).max() <= 1e-4
    assert torch.equal(found, direct)


def test_extract_gives_the_features_of_a_plain_evaluation(published: Path, tmp_path: Path) -> None:
    """Two seconds of video through the command line against the network on the same frames."""
    video = draw_video(tmp_path / "video.mp4", seconds=2, size=(320, 240))
    command = [
        "extract",
        str(video),
        "-o",
        str(tmp_path),
        "--backbone",
        "s3d-howto100m",
        "--dtype",
        "float32",
    ]
    assert main(command) == 0
    found = vidalign.load_features(tmp_path / "video.h5")
    network = S3D().eval()
    network.load_state_dict(torch.load(published / "s3d.pth", weights_only=True))
    with open_video(video) as reader:
        clips = np.stack([clip.pixels[0] for clip in cut_clips(reader, get_recipe("s3d-16fps"))])
    plain = torch.from_numpy(clips).permute(0, 4, 1, 2, 3).float() / 255
    with torch.inference_mode():
        expected = network(plain.contiguous())["mixed_5c"].numpy()
    assert found.features.shape == (2, 1024)
    assert np.abs(found.features - expected).max() <= 1e-4
