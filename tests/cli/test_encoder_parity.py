"""Every encoder that has golden values, through the command line, against a plain evaluation of its network.

The weights are a file in the published form, filled by the rule of the golden values. The plain side decodes
with PyAV, scales with torch and calls the network; it shares no line with the program's reading of videos.
Clips and kernels lie in memory as the program lays them, channels last: another layout sums in another order,
and the rule makes of TAM's kernels switches that amplify the last bits of float32 beyond what is compared.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn
from torch.nn.functional import interpolate

import vidalign
from tests.fill_rule import fill_shapes, filled_b, read_keys
from tests.tiny import Run
from vidalign.backbones.i3d import I3D
from vidalign.backbones.s3d_kinetics import S3DKinetics
from vidalign.backbones.tanet import TANet, our_names
from vidalign.backbones.tsp import TSP
from vidalign.weights.cards import get_card
from vidalign.weights.recipes import get_recipe

pytestmark = [pytest.mark.parity, pytest.mark.media]

VIDEO = "nasa_13013.mp4"
"""480 x 270 pixels, 390 frames at 29.97 a second."""

Weights = Mapping[str, Tensor]
Shown = Sequence[tuple[float, np.ndarray]]
"""(second, picture) in the order of showing."""

TSP_MEAN, TSP_STD = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def scaled(picture: np.ndarray, height: int, width: int, *, antialias: bool) -> Tensor:
    """(3, height, width) float, bilinear; rounded to 8 bits where antialiased, as PIL does it."""
    planes = torch.from_numpy(picture).permute(2, 0, 1)[None]
    plain = planes if antialias else planes.float()
    return interpolate(plain, size=(height, width), mode="bilinear", antialias=antialias)[0].float()


def tsp_picture(picture: np.ndarray) -> Tensor:
    """128 x 171 whatever the shape, then rows 8.. and columns 30.. of 112, then the colours of its data."""
    cut = scaled(picture, 128, 171, antialias=False)[:, 8:120, 30:142] / 255
    return (cut - torch.tensor(TSP_MEAN).view(3, 1, 1)) / torch.tensor(TSP_STD).view(3, 1, 1)


def i3d_picture(picture: np.ndarray) -> Tensor:
    """256 x 455, the middle 224 x 224, in -1..1."""
    return scaled(picture, 256, 455, antialias=True)[:, 16:240, 115:339] / 255 * 2 - 1


def s3d_picture(picture: np.ndarray) -> Tensor:
    """224 x 398, the middle 224 x 224, in -1..1."""
    return scaled(picture, 224, 398, antialias=False)[:, :, 87:311] / 255 * 2 - 1


def tanet_picture(picture: np.ndarray) -> Tensor:
    """256 x 455 in the colours of ImageNet."""
    whole = scaled(picture, 256, 455, antialias=True) / 255
    return (whole - torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) / torch.tensor(IMAGENET_STD).view(3, 1, 1)


def tanet_middle(picture: np.ndarray) -> Tensor:
    return tanet_picture(picture)[:, 16:240, 115:339]


@dataclass(frozen=True)
class Strided:
    """Clips (B, 1, 3, N, H, W) that begin at `starts`: at each time the picture that is shown then."""

    picture: Callable[[np.ndarray], Tensor]
    fps: float
    starts: tuple[float, ...] = (0, 7)
    frames: int = 16

    def __call__(self, pictures: Shown) -> Tensor:
        seconds = np.array([second for second, _ in pictures])

        def at(time: float) -> Tensor:
            return self.picture(pictures[int(np.searchsorted(seconds, time + 1e-6, side="right")) - 1][1])

        clips = [[at(start + k / self.fps) for k in range(self.frames)] for start in self.starts]
        return torch.stack([torch.stack(clip, dim=1)[None] for clip in clips])


def dense_three(pictures: Shown) -> Tensor:
    """One clip (1, 3, 3, N, H, W), left, middle and right, of every eighth picture.

    A single view begins in the middle of the places where 64 pictures fit.
    """
    begin = (len(pictures) - 64 + 1) // 2
    clip = torch.stack([tanet_picture(pictures[begin + 8 * k][1]) for k in range(8)], dim=1)
    return torch.stack([clip[..., left : left + 256] for left in (0, 99, 199)])[None]


@dataclass(frozen=True)
class Encoder:
    """`published` makes a checkpoint of the golden state dict, `network` the plain network with it.

    `clips` (rows, views, 3, N, H, W) are what the recipe (by default the card's) with `changes` cuts.
    """

    card: str
    keys: str
    network: Callable[[Weights], nn.Module]
    clips: Callable[[Shown], Tensor]
    changes: dict[str, Any]
    published: Callable[[Weights], Any] = field(default=dict)
    recipe: str = ""


def made(
    build: Callable[..., nn.Module], layout: torch.memory_format = torch.channels_last_3d, **config: Any
) -> Callable[[Weights], nn.Module]:
    """The network of that class, made when it is asked for."""

    def load(state: Weights) -> nn.Module:
        network = build(**config)
        network.load_state_dict(dict(state), strict=True)
        return network.eval().to(memory_format=layout)

    return load


def tsp_file(state: Weights) -> dict[str, Any]:
    """As TSP saves its training: with the arguments of the command."""
    rest = {"optimizer": {}, "lr_scheduler": {}, "epoch": 5, "args": argparse.Namespace(batch_size=32)}
    return {"model": dict(state), **rest}


def parallel(state: Weights) -> dict[str, Tensor]:
    """As DataParallel names it."""
    return {f"module.{name}": tensor for name, tensor in state.items()}


def training_file(state: Weights) -> dict[str, Any]:
    """As TAM's and many a training saves it."""
    return {"epoch": 100, "arch": "resnet50", "state_dict": parallel(state), "best_prec1": 76.1}


def tsp(name: str, starts: tuple[float, ...], **config: Any) -> Encoder:
    network = made(TSP, actions=200, regions=2, gvf=512, **config)
    keys = "tsp_" + name.replace("-", "_")
    stride = 20.0 if len(starts) == 1 else starts[1]
    return Encoder(
        f"tsp-{name}", keys, network, Strided(tsp_picture, 15, starts), {"stride": 15 * stride}, tsp_file
    )


def tanet(frames: int, clips: Callable[[Shown], Tensor], recipe: str, **changes: Any) -> Encoder:
    def network(state: Weights) -> nn.Module:
        return made(TANet, torch.channels_last, frames=frames)(our_names(state))

    keys = f"tanet_r50_{frames}f"
    return Encoder(f"tanet-r50-{frames}f", keys, network, clips, changes, training_file, recipe)


SHORT = {"frames": 16, "stride": 175}

ENCODERS = [
    tsp("r2plus1d-34", (0,), depth=34, midplanes="conv", eps=1e-3),
    tsp("r2plus1d-18", (0, 7), depth=18),
    tsp("r3d-18", (0, 7), depth=18, separable=False),
    tanet(8, dense_three, "tanet-dense10-8", views=1),
    tanet(16, Strided(tanet_middle, 7.5), "tanet-sliding-16", stride=7),
    Encoder("i3d-rgb", "i3d_piergiaj_rgb", made(I3D), Strided(i3d_picture, 25), SHORT),
    Encoder("s3d-kinetics", "s3d_kylemin", made(S3DKinetics), Strided(s3d_picture, 25), SHORT, parallel),
]


@pytest.fixture(scope="module")
def pictures(media: Path) -> Shown:
    """Every picture of the best stream."""
    with av.open(media / VIDEO) as container:
        stream = container.streams.best("video")
        assert stream is not None
        return [
            (float(frame.pts * frame.time_base), frame.to_ndarray(format="rgb24"))
            for frame in container.decode(stream)
        ]


@pytest.fixture
def weights(
    request: pytest.FixtureRequest, golden: Path, tmp_path: Path
) -> Iterator[tuple[Encoder, Weights, Path]]:
    """An encoder, its state dict under the published names, and the file that holds it."""
    encoder: Encoder = request.param
    state = fill_shapes(read_keys(golden / f"{encoder.keys}.keys.txt"), filled_b)
    path = tmp_path / "published.pth"
    torch.save(encoder.published(state), path)
    yield encoder, state, path
    path.unlink()


@pytest.mark.parametrize("weights", ENCODERS, ids=lambda encoder: encoder.card, indirect=True)
def test_features_are_those_of_a_plain_evaluation(
    weights: tuple[Encoder, Weights, Path], pictures: Shown, media: Path, tmp_path: Path, cli: Run
) -> None:
    encoder, state, path = weights
    spec = get_card(encoder.card).backbone
    assert spec is not None
    recipe = get_recipe(encoder.recipe) if encoder.recipe else spec.recipe
    recipe = replace(recipe, name="sparse", **encoder.changes)
    values = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(recipe).items()}
    (tmp_path / "sparse.yaml").write_text(yaml.safe_dump(values))
    command = ["extract", media / VIDEO, "-o", tmp_path, "--backbone", encoder.card, "--weights", path, "-q"]
    code, _, err = cli(*command, "--recipe", tmp_path / "sparse.yaml", "--dtype", "float32")
    assert code == 0, err
    found = vidalign.load_features(tmp_path / Path(VIDEO).with_suffix(".h5").name)
    network, clips = encoder.network(state), encoder.clips(pictures)
    with torch.inference_mode():
        vectors = network(clips.flatten(0, 1).contiguous(memory_format=torch.channels_last_3d))["features"]
    expected = vectors.unflatten(0, clips.shape[:2]).mean(dim=1).numpy()
    assert found.features.shape == expected.shape
    if isinstance(encoder.clips, Strided):
        assert found.times[:, 0].tolist() == list(encoder.clips.starts)
    assert np.abs(found.features - expected).max() <= 1e-4 * np.abs(expected).max()
    assert np.abs(expected).max() > 0


def test_one_pass_through_two_backbones_writes_what_two_runs_write(
    golden: Path, media: Path, tmp_path: Path, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDALIGN_CACHE", str(tmp_path / "cache"))
    state = fill_shapes(read_keys(golden / "s3d_kylemin.keys.txt"), filled_b)
    torch.save(parallel(state), tmp_path / "published.pt")
    assert cli("models", "add", "s3d-kinetics", tmp_path / "published.pt")[0] == 0
    names = ("mini", "s3d-kinetics")
    both = [part for name in names for part in ("--backbone", name)]
    assert cli("extract", media / "av1_video.mkv", "-o", tmp_path / "both", *both, "-q")[0] == 0
    for name in names:
        folder = tmp_path / "alone" / name
        code, _, err = cli("extract", media / "av1_video.mkv", "-o", folder, "--backbone", name, "-q")
        assert code == 0, err
        one, two = (f / "av1_video.h5" for f in (folder, tmp_path / "both" / name))
        assert one.read_bytes() == two.read_bytes()
