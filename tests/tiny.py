"""Random weights of the bundled model's shapes and short generated videos, for tests of plumbing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from vidalign.aligners import registry as aligners
from vidalign.aligners.scorers.tan import TAN
from vidalign.aligners.scorers.windowed_tan import TanScorer
from vidalign.backbones import registry as backbones
from vidalign.batch import readers
from vidalign.types import Features
from vidalign.weights import cache
from vidalign.weights.cards import CardFile, ModelCard, get_card
from vidalign.weights.tensors import save_tensors

WORDS = ("bowl", "cut", "egg", "pan", "put", "red", "stir", "the", "water", "whisk")
FPS = 8


@pytest.fixture
def reads_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Videos are read in the process of the test: starting another takes seconds."""
    monkeypatch.setattr(readers, "reading_process", readers.Here)


def random_state(shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, torch.Tensor]:
    """Tensors of those shapes that keep activations in a usable range."""
    generator = torch.Generator().manual_seed(seed)

    def made(name: str, shape: tuple[int, ...]) -> torch.Tensor:
        if name.endswith("num_batches_tracked"):
            return torch.zeros(shape, dtype=torch.int64)
        noise = torch.randn(shape, generator=generator)
        if name.endswith("running_var"):
            return 1 + 0.1 * noise.abs()
        if len(shape) > 1:
            return noise * (2 / np.prod(shape[1:])) ** 0.5
        return 1 + 0.1 * noise if name.endswith("weight") else 0.1 * noise

    return {name: made(name, shape) for name, shape in shapes.items()}


@pytest.fixture(scope="session")
def tiny_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with random `mini-s3d.safetensors`, `mini-tan.safetensors` and a dictionary of ten words."""
    folder = tmp_path_factory.mktemp("bundled")
    card = get_card("mini")
    assert card.backbone is not None and card.aligner is not None
    s3d = random_state(backbones.state_shapes(card.backbone), seed=1)
    tan = random_state(aligners.state_shapes(card.aligner), seed=2)
    save_tensors(folder / "mini-s3d.safetensors", s3d)
    save_tensors(folder / "mini-tan.safetensors", tan)
    np.save(folder / "mini-words.npy", np.array(WORDS))
    return folder


@pytest.fixture
def tiny(tiny_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes `mini` the random model; the cache is empty. Gives the folder of its files."""
    stored_path = cache.stored_path

    def bundled_elsewhere(card: ModelCard | str, role: str) -> Path:
        entry: CardFile = cache.owner(card, role)[1]
        return tiny_files / entry.name if entry.bundled else stored_path(card, role)

    monkeypatch.setattr(cache, "stored_path", bundled_elsewhere)
    monkeypatch.setenv("VIDALIGN_CACHE", str(tmp_path / "cache"))
    return tiny_files


def draw_video(
    path: Path,
    seconds: float = 3.0,
    *,
    seed: int = 0,
    size: tuple[int, int] = (96, 64),
    tracks: Mapping[str, Sequence[str]] | None = None,
) -> Path:
    """A video of moving coloured blocks at 8 frames a second, suffix as the container.

    `tracks` (Matroska only) are text tracks: language -> one cue a second.
    """
    width, height = size
    generator = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "g": "8"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        texts = [_text_stream(container, language) for language in tracks or ()]
        for _ in range(round(seconds * FPS)):
            blocks = generator.integers(0, 256, (4, 6, 3), dtype=np.uint8)
            picture = blocks.repeat(height // 4, axis=0).repeat(width // 6, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
        for text_stream, cues in zip(texts, (tracks or {}).values(), strict=True):
            for number, cue in enumerate(cues):
                packet = av.Packet(cue.encode())
                packet.stream, packet.time_base = text_stream, Fraction(1, 1000)
                packet.pts = packet.dts = number * 1000
                packet.duration = 1000
                container.mux(packet)
    return path


def _text_stream(
    container: av.container.OutputContainer, language: str
) -> av.subtitles.stream.SubtitleStream:
    stream = container.add_stream("subrip")
    stream.codec_context.subtitle_header = b""
    stream.metadata["language"] = language
    stream.time_base = Fraction(1, 1000)
    return stream


def draw_sound(path: Path, seconds: float = 1.0) -> Path:
    """A file with sound and no picture."""
    with av.open(path, "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, round(48000 * seconds)), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 48000
        for part in [frame, None]:
            container.mux(stream.encode(part))
    return path


def cut_short(source: Path, path: Path, share: float = 0.5) -> Path:
    """The first `share` of a file's bytes."""
    data = source.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


@pytest.fixture(scope="session")
def clip_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 3 s."""
    return draw_video(tmp_path_factory.mktemp("drawn") / "clip.mp4")


@pytest.fixture(scope="session")
def broken_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Matroska video that breaks off in the middle of its 6 s."""
    folder = tmp_path_factory.mktemp("broken")
    return cut_short(draw_video(folder / "whole.mkv", 6.0), folder / "broken.mkv")


def write_vtt(path: Path, *texts: str, step: float = 1.0) -> Path:
    """One cue a text, one every `step` seconds."""
    stamps = [f"00:{i * step // 60:02.0f}:{i * step % 60:06.3f}" for i in range(len(texts) + 1)]
    cues = [f"{stamps[i]} --> {stamps[i + 1]}\n{text}\n" for i, text in enumerate(texts)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["WEBVTT\n", *cues]), "utf-8")
    return path


def with_head(aligner: aligners.Aligner) -> aligners.Aligner:
    """The same with a random network that has an alignability head, as the bundled one has not."""
    assert isinstance(aligner.scorer, TanScorer)
    torch.manual_seed(0)
    network = TAN(**{**aligner.spec.config, "head": True})
    return replace(aligner, scorer=TanScorer(network, aligner.scorer.tokenizer))


def made_features(clips: int = 5, width: int = 256, *, seed: int = 3, **known: object) -> Features:
    """Features of random numbers, one a second, as if made for `mini`."""
    spec = get_card("mini").backbone
    assert spec is not None
    values = np.random.default_rng(seed).random((clips, width), dtype=np.float32)
    starts = np.arange(clips, dtype=np.float64)
    what: dict[str, object] = {"backbone": "mini", "recipe": spec.recipe, "video": "clip.mp4", **known}
    return Features(values, np.stack([starts, starts + 1], axis=1), **what)  # type: ignore[arg-type]


Run = Callable[..., tuple[int, str, str]]
"""A command line to its exit code, stdout and stderr."""

PROGRAM = (sys.executable, "-c", "from vidalign.cli.main import run; run()")


def start(*args: str | Path) -> subprocess.Popen[bytes]:
    """One command line in a process of its own."""
    return subprocess.Popen(
        [*PROGRAM, *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.fixture
def cli(capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Runs one command line in this process; gives the exit code, stdout and stderr."""
    from vidalign.cli.main import main

    def call(*args: str | Path) -> tuple[int, str, str]:
        capfdbinary.readouterr()
        try:
            code = main([str(arg) for arg in args])
        except SystemExit as end:
            code = int(end.code or 0)
        said = capfdbinary.readouterr()
        return code, said.out.decode(), said.err.decode()

    return call
