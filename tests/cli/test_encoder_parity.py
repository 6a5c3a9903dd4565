"""Every encoder that has golden values, through the command line, against a plain evaluation of its network.

The weights are a file in the published form, filled by the rule of the golden values. The plain side decodes
with PyAV, scales with torch and calls the network; it shares no line with the program's reading of videos.
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
from vidalign.backbones.tsp import TSP
from vidalign.weights.cards import get_card

pytestmark = [pytest.mark.parity, pytest.mark.media]

VIDEO = "nasa_13013.mp4"
"""480 x 270 pixels, 390 frames at 29.97 a second."""

Weights = Mapping[str, Tensor]
Shown = Sequence[tuple[float, np.ndarray]]
"""(second, picture) in the order of showing."""

TSP_MEAN, TSP_STD = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)


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


@dataclass(frozen=True)
class Encoder:
    """`published` makes a checkpoint of the golden state dict, `network` the plain network with it."""

    card: str
    keys: str
    network: Callable[[Weights], nn.Module]
    picture: Callable[[np.ndarray], Tensor]
    fps: float
    starts: tuple[float, ...]
    changes: dict[str, Any]
    published: Callable[[Weights], Any] = field(default=dict)
    frames: int = 16


def filled(network: nn.Module) -> Callable[[Weights], nn.Module]:
    def load(state: Weights) -> nn.Module:
        network.load_state_dict(dict(state), strict=True)
        return network.eval()

    return load


def made(build: Callable[..., nn.Module], **config: Any) -> Callable[[Weights], nn.Module]:
    """The network of that class, made when it is asked for."""
    return lambda state: filled(build(**config))(state)


def tsp_file(state: Weights) -> dict[str, Any]:
    """As TSP saves its training: with the arguments of the command."""
    rest = {"optimizer": {}, "lr_scheduler": {}, "epoch": 5, "args": argparse.Namespace(batch_size=32)}
    return {"model": dict(state), **rest}


def parallel(state: Weights) -> dict[str, Tensor]:
    """As DataParallel names it."""
    return {f"module.{name}": tensor for name, tensor in state.items()}


def tsp(name: str, starts: tuple[float, ...], **config: Any) -> Encoder:
    network = made(TSP, actions=200, regions=2, gvf=512, **config)
    keys = "tsp_" + name.replace("-", "_")
    stride = 20.0 if len(starts) == 1 else starts[1]
    changes = {"stride": 15 * stride}
    return Encoder(f"tsp-{name}", keys, network, tsp_picture, 15, starts, changes, tsp_file)


ENCODERS = [
    tsp("r2plus1d-34", (0,), depth=34, midplanes="conv", eps=1e-3),
    tsp("r2plus1d-18", (0, 7), depth=18),
    tsp("r3d-18", (0, 7), depth=18, separable=False),
    Encoder(
        "i3d-rgb",
        "i3d_piergiaj_rgb",
        made(I3D),
        i3d_picture,
        25,
        (0, 7),
        {"frames": 16, "stride": 175},
    ),
    Encoder(
        "s3d-kinetics",
        "s3d_kylemin",
        made(S3DKinetics),
        s3d_picture,
        25,
        (0, 7),
        {"frames": 16, "stride": 175},
        parallel,
    ),
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


def plain_clips(encoder: Encoder, pictures: Shown) -> Tensor:
    """Clips (B, 3, N, H, W): at each time the picture that is shown then."""
    seconds = np.array([second for second, _ in pictures])

    def at(time: float) -> Tensor:
        return encoder.picture(pictures[int(np.searchsorted(seconds, time + 1e-6, side="right")) - 1][1])

    return torch.stack(
        [
            torch.stack([at(start + k / encoder.fps) for k in range(encoder.frames)], dim=1)
            for start in encoder.starts
        ]
    )


@pytest.mark.parametrize("weights", ENCODERS, ids=lambda encoder: encoder.card, indirect=True)
def test_features_are_those_of_a_plain_evaluation(
    weights: tuple[Encoder, Weights, Path], pictures: Shown, media: Path, tmp_path: Path, cli: Run
) -> None:
    encoder, state, path = weights
    spec = get_card(encoder.card).backbone
    assert spec is not None
    recipe = replace(spec.recipe, name="sparse", **encoder.changes)
    values = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(recipe).items()}
    (tmp_path / "sparse.yaml").write_text(yaml.safe_dump(values))
    command = ["extract", media / VIDEO, "-o", tmp_path, "--backbone", encoder.card, "--weights", path, "-q"]
    code, _, err = cli(*command, "--recipe", tmp_path / "sparse.yaml", "--dtype", "float32")
    assert code == 0, err
    found = vidalign.load_features(tmp_path / Path(VIDEO).with_suffix(".h5").name)
    network = encoder.network(state)
    with torch.inference_mode():
        expected = network(plain_clips(encoder, pictures))["features"].numpy()
    assert found.features.shape == expected.shape
    assert found.times[:, 0].tolist() == list(encoder.starts)
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
