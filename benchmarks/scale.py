"""What a job of HowTo100M's size costs: processor time, GPU-hours, bytes and files.

The job is 1.2 million videos of 135,000 hours, 110 sentences each (Miech et al., ICCV 2019). Rates are
measured on this machine and kept in benchmarks/scale.yaml: processor seconds (user + system) for reading an
hour of H.264 at 640x360 as a recipe wants it, for a clip through the network in float32 on one thread, the
network's operations a clip (counted), and the bytes that the real files take. What a GPU does is not
measured: it is counted from the operations, for a card's published peak at two utilisations.

    python -m benchmarks.scale             # the tables, from the rates kept
    python -m benchmarks.scale --measure   # measure anew and keep the rates

docs/scale.md holds the tables; a test holds that they are these.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import yaml
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.footage import write_h264
from vidalign.types import Recipe

KEPT = Path(__file__).with_suffix(".yaml")

VIDEOS, HOURS, SENTENCES = 1_200_000, 135_000, 110
CARDS = ("s3d-howto100m", "tsp-r2plus1d-34", "i3d-rgb")
PEAKS = {"A100": 312e12, "H100 or H200": 989e12}
"""Operations a second, bf16 or fp16, dense, as NVIDIA publishes them."""
UTILISATIONS = (0.2, 0.4)

MINUTES_READ = 2
ROUNDS = 3
BLOCK = 4096
"""Bytes in which a file system gives out space."""


@dataclass(frozen=True)
class Rates:
    """What was measured of one backbone; seconds are processor seconds."""

    card: str
    clips_an_hour: float
    width: int
    read_seconds_an_hour: float
    network_seconds_a_clip: float
    operations_a_clip: float
    feature_bytes_a_video: int


def table_of_work(rates: list[Rates]) -> Iterator[str]:
    """Lines of Markdown: processors and GPUs."""
    cards = [f"GPU-hours, {card} at {share:.0%}" for card in PEAKS for share in UTILISATIONS]
    yield _row("backbone", "clips", "core-hours, reading", "core-hours, network on the CPU", *cards)
    yield _row("---", *["---:"] * (3 + len(cards)))
    for rate in rates:
        clips = rate.clips_an_hour * HOURS
        gpu = [
            clips * rate.operations_a_clip / (peak * share) / 3600
            for peak in PEAKS.values()
            for share in UTILISATIONS
        ]
        reading = rate.read_seconds_an_hour * HOURS / 3600
        network = rate.network_seconds_a_clip * clips / 3600
        yield _row(f"`{rate.card}`", f"{clips / 1e6:,.0f} million", *map(_rounded, (reading, network, *gpu)))


def table_of_feeding(rates: list[Rates]) -> Iterator[str]:
    """Lines of Markdown: cores that read for one GPU."""
    shares = [f"{card} at {share:.0%}" for card in PEAKS for share in UTILISATIONS]
    yield _row("backbone", *shares)
    yield _row("---", *["---:"] * len(shares))
    for rate in rates:
        second = rate.read_seconds_an_hour / rate.clips_an_hour
        cores = [
            second * peak * share / rate.operations_a_clip
            for peak in PEAKS.values()
            for share in UTILISATIONS
        ]
        yield _row(f"`{rate.card}`", *(f"{core:,.0f}" for core in cores))


def table_of_space(rates: list[Rates], alignment_bytes: int) -> Iterator[str]:
    """Lines of Markdown: bytes and files."""
    yield _row("what", "a video", "in all", "files")
    yield _row("---", "---:", "---:", "---:")
    for rate in rates:
        yield _space(f"features of `{rate.card}` ({rate.width}, float16)", rate.feature_bytes_a_video)
    yield _space(f"alignments with their matrix ({SENTENCES} sentences)", alignment_bytes)


def tables() -> str:
    """All tables, from the rates kept."""
    kept = yaml.safe_load(KEPT.read_text(encoding="utf-8"))
    rates = [Rates(**rate) for rate in kept["backbones"]]
    parts = (table_of_work(rates), table_of_feeding(rates), table_of_space(rates, kept["alignment_bytes"]))
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def measure() -> None:
    """Measure all rates and keep them."""
    with tempfile.TemporaryDirectory() as folder:
        size = alignment_bytes(Path(folder))
        rates = [asdict(rates_of(card, Path(folder))) for card in CARDS]
    kept = {"alignment_bytes": size, "backbones": rates}
    KEPT.write_text(yaml.safe_dump(kept, sort_keys=False), encoding="utf-8")


def rates_of(name: str, folder: Path) -> Rates:
    """Measure one backbone, with the weights that its class begins with."""
    from vidalign.backbones.registry import build
    from vidalign.backbones.spec import backbone_spec
    from vidalign.weights.cards import get_card

    spec = backbone_spec(get_card(name))
    video = write_h264(folder / "video.mp4", 60 * MINUTES_READ)
    shape, clips, reading = read_clips(video, spec.recipe)
    network = build(spec).eval()
    an_hour = clips * 60 / MINUTES_READ
    width = spec.layers[spec.recipe.layer]
    return Rates(
        card=name,
        clips_an_hour=an_hour,
        width=width,
        read_seconds_an_hour=round(reading * 60 / MINUTES_READ, 2),
        network_seconds_a_clip=round(seconds_a_clip(network, shape), 4),
        operations_a_clip=operations(network, shape),
        feature_bytes_a_video=feature_bytes(folder / "features.h5", round(an_hour * HOURS / VIDEOS), width),
    )


def read_clips(video: Path, recipe: Recipe) -> tuple[tuple[int, ...], int, float]:
    """Shape (N, H, W) and number of a video's clips, and the processor seconds of reading them, the least."""
    from vidalign.video.clips import cut_clips
    from vidalign.video.open import open_video

    rounds = []
    for _ in range(ROUNDS):
        began, count, shape = time.process_time(), 0, (0,)
        with open_video(video) as reader:
            for clip in cut_clips(reader, recipe):
                count += 1
                shape = np.shape(clip.frames[0])[:3]
        rounds.append(time.process_time() - began)
    return shape, count, min(rounds)


def seconds_a_clip(network: nn.Module, shape: tuple[int, ...]) -> float:
    """Processor seconds of one clip of a batch of four, in one thread, the least."""
    torch.set_num_threads(1)
    clips = torch.rand(4, 3, *shape).contiguous(memory_format=torch.channels_last_3d)
    network = network.to(memory_format=torch.channels_last_3d)
    rounds = []
    with torch.inference_mode():
        for _ in range(ROUNDS):
            began = time.process_time()
            network(clips)
            rounds.append((time.process_time() - began) / len(clips))
    return min(rounds)


def operations(network: nn.Module, shape: tuple[int, ...]) -> float:
    """Multiplications and additions of one clip."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(torch.rand(1, 3, *shape))
    return float(counter.get_total_flops())


def feature_bytes(path: Path, clips: int, width: int) -> int:
    """What a features file takes on disk."""
    from vidalign.store.features import write_features
    from vidalign.types import Features

    times = np.stack([np.arange(clips), np.arange(clips) + 1], axis=1).astype(np.float64)
    write_features(path, Features(np.zeros((clips, width), np.float16), times, video="a" * 11 + ".mp4"))
    return _on_disk(path)


def alignment_bytes(folder: Path) -> int:
    """What an alignment file takes on disk, for features of one clip a second."""
    from vidalign.store.alignments import write_alignment
    from vidalign.types import Alignment, Cue, Sentence

    seconds = round(HOURS * 3600 / VIDEOS)
    starts = np.arange(seconds, dtype=np.float64)
    words = "a sentence of eight words is what one says"
    values = np.zeros(SENTENCES, np.float32)
    alignment = Alignment(
        similarity=np.zeros((SENTENCES, seconds), np.float32),
        alignability=values,
        confidence=values,
        aligned=np.zeros(SENTENCES, np.bool_),
        segments=np.full((SENTENCES, 2), np.nan),
        times=np.stack([starts, starts + 1], axis=1),
        sentences=tuple(Sentence(words, k, k + 3, k, k) for k in range(SENTENCES)),
        cues=tuple(Cue(1000 * k, 1000 * k + 3000, words, words) for k in range(SENTENCES)),
    )
    write_alignment(folder / "a.align.h5", alignment)
    return _on_disk(folder / "a.align.h5")


def _on_disk(path: Path) -> int:
    return -(-path.stat().st_size // BLOCK) * BLOCK


def _space(what: str, size: int) -> str:
    return _row(
        what, f"{size / 1e3:,.0f} kB", f"{size * VIDEOS / 1e12:.2f} TB", f"{VIDEOS / 1e6:.1f} million"
    )


def _rounded(value: float) -> str:
    return f"{value:,.0f}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--measure", action="store_true", help="measure anew and keep the rates")
    if parser.parse_args().measure:
        measure()
    print(tables(), end="")


if __name__ == "__main__":
    main()
