"""Clips in batches: the same numbers as the plain module, whatever the batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vidalign.backbones import batching
from vidalign.backbones import encode as room
from vidalign.backbones.batching import CPU_BATCH
from vidalign.backbones.encode import Encoder, clip_tensor, encode
from vidalign.backbones.registry import Backbone, load_backbone
from vidalign.errors import ModelError
from vidalign.types import Recipe

RECIPE = Recipe("own", 4, 4, 1.0, 32, 32, "mixed_5c")
COUNT = 9


@pytest.fixture
def backbone(tiny: Path) -> Backbone:
    return load_backbone("mini", recipe=RECIPE)


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (COUNT, 4, 32, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"range": "-1-1"},
        {"range": "-1-1", "std": (0.5, 2.0, 1.0)},
        {"range": "0-255", "mean": (1.0, 2.0, 3.0)},
        {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.4)},
    ],
)
def test_pixels_are_scaled_as_the_recipe_says(changes: dict[str, object], pixels: NDArray[np.uint8]) -> None:
    recipe = replace(RECIPE, **changes)
    made = clip_tensor(pixels, recipe, torch.device("cpu"))
    assert made.shape == (COUNT, 3, 4, 32, 32)
    lowest, size = {"0-1": (0, 1 / 255), "-1-1": (-1, 2 / 255), "0-255": (0, 1)}[recipe.range]
    scaled = (pixels.astype(np.float64) * size + lowest - recipe.mean) / recipe.std
    expected = np.moveaxis(scaled, -1, 1)
    np.testing.assert_allclose(made.numpy(), expected, rtol=1e-6, atol=1e-5)


def test_the_pixels_given_stay_as_they_are(backbone: Backbone, pixels: NDArray[np.uint8]) -> None:
    before = pixels.copy()
    list(encode(backbone, iter(pixels[:, None])))
    assert np.array_equal(pixels, before)


def test_same_as_the_plain_module(backbone: Backbone, pixels: NDArray[np.uint8]) -> None:
    batches = list(encode(backbone, iter(pixels[:, None])))
    assert [len(batch) for batch in batches] == [CPU_BATCH] * 4 + [1]
    assert {batch.dtype for batch in batches} == {np.dtype(np.float32)}
    with torch.inference_mode():
        plain = torch.cat([backbone(clip_tensor(clip[None], RECIPE, torch.device("cpu"))) for clip in pixels])
    np.testing.assert_allclose(np.concatenate(batches), plain.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch", [1, 3, COUNT])
def test_the_batch_changes_no_more_than_a_half_precision_unit(
    batch: int, backbone: Backbone, pixels: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = np.concatenate(list(encode(backbone, iter(pixels[:, None])))).astype(np.float16)
    monkeypatch.setattr(batching, "CPU_BATCH", batch)
    other = np.concatenate(list(encode(backbone, iter(pixels[:, None])))).astype(np.float16)
    unit = np.spacing(np.abs(usual)).astype(np.float32)
    assert (np.abs(other.astype(np.float32) - usual.astype(np.float32)) <= unit).all()


def test_clips_are_taken_as_they_are_needed(backbone: Backbone, pixels: NDArray[np.uint8]) -> None:
    taken = 0

    def counted() -> Iterator[NDArray[np.uint8]]:
        nonlocal taken
        for clip in pixels[:, None]:
            taken += 1
            yield clip

    next(encode(backbone, counted()))
    assert taken == CPU_BATCH


def test_nothing_gives_nothing(backbone: Backbone) -> None:
    assert list(encode(backbone, iter([]))) == []


def test_less_precision_gives_nearly_the_same(backbone: Backbone, pixels: NDArray[np.uint8]) -> None:
    exact = np.concatenate(list(encode(backbone, iter(pixels[:, None]))))
    rough = np.concatenate(list(encode(backbone, iter(pixels[:, None]), precision="bf16")))
    assert rough.dtype == np.float32
    assert not np.array_equal(rough, exact)
    cosine = (rough * exact).sum(1) / np.linalg.norm(rough, axis=1) / np.linalg.norm(exact, axis=1)
    assert (cosine > 0.99).all()


def test_a_row_is_the_mean_of_its_views_and_a_unit_vector_after_that(
    tiny: Path, pixels: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a network that gives the first pixel's colour; rows of three views end within batches."""
    backbone = load_backbone("mini", recipe=replace(RECIPE, sampling="dense", views=3, l2=True))
    monkeypatch.setattr(backbone, "raw", lambda clips: clips[:, :, 0, 0, 0])
    rows = pixels.reshape(3, 3, 4, 32, 32, 3)
    made = np.concatenate(list(encode(backbone, rows)))
    mean = rows[:, :, 0, 0, 0].mean(1)
    np.testing.assert_allclose(made, mean / np.linalg.norm(mean, axis=1, keepdims=True), rtol=1e-5)


def test_overlapping_clips_prepare_each_frame_once(
    backbone: Backbone, pixels: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten frames in seven clips, which share the objects."""
    prepared: list[int] = []
    once = room.scale_pixels

    def counted(given: torch.Tensor, *rest: Any) -> torch.Tensor:
        prepared.append(given.shape[2])
        return once(given, *rest)

    monkeypatch.setattr(room, "scale_pixels", counted)
    frames = list(pixels.reshape(-1, 32, 32, 3)[:10])
    clips = [(tuple(frames[k : k + 4]),) for k in range(7)]
    made = np.concatenate(list(encode(backbone, clips)))
    assert sum(prepared) == 10
    monkeypatch.undo()
    apart = np.concatenate(list(encode(backbone, [np.stack(clip[0])[None] for clip in clips])))
    assert np.array_equal(made, apart)


def test_pixels_that_were_not_rounded(backbone: Backbone, pixels: NDArray[np.uint8]) -> None:
    floats = pixels.astype(np.float32) + 0.25
    before = floats.copy()
    made = np.concatenate(list(encode(backbone, floats[:, None])))
    assert np.array_equal(floats, before)
    with torch.inference_mode():
        clips = torch.from_numpy(floats).permute(0, 4, 1, 2, 3) / 255
        plain = torch.cat([backbone(clip[None]) for clip in clips])
    np.testing.assert_allclose(made, plain.numpy(), rtol=1e-5, atol=1e-6)


def few_fit(backbone: Backbone, monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """Makes memory run out on more than `most` clips; gives the batches that are tried."""
    tried: list[int] = []
    raw = backbone.raw

    def counted(clips: torch.Tensor) -> torch.Tensor:
        tried.append(len(clips))
        if len(clips) > most:
            raise torch.OutOfMemoryError("out of memory")
        return raw(clips)

    monkeypatch.setattr(backbone, "raw", counted)
    return tried


@pytest.mark.parametrize("pad", [False, True])
def test_where_memory_runs_out_half_a_batch_goes_on(
    pad: bool, backbone: Backbone, pixels: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    whole = np.concatenate(list(encode(backbone, pixels[:, None])))
    tried = few_fit(backbone, monkeypatch, 1)
    encoder = Encoder(backbone, pad=pad)
    rows = np.concatenate([*(encoder.add(clip) for clip in pixels[:, None]), encoder.finish()])
    assert tried == [CPU_BATCH, *[1] * COUNT]
    np.testing.assert_allclose(rows, whole, rtol=1e-5, atol=1e-6)
    (record,) = caplog.records
    assert record.message == "the memory of cpu ran out; clips that run together from now on: 1"


def test_one_clip_too_much_is_one_error(
    backbone: Backbone, pixels: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    few_fit(backbone, monkeypatch, 0)
    with pytest.raises(ModelError, match="one clip does not fit into the memory of cpu"):
        list(encode(backbone, pixels[:, None]))


def test_padded_batches_of_one_video_have_the_same_bytes_in_any_order(
    backbone: Backbone, pixels: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row depends on its place in a batch of one shape alone; the encoder goes on after `finish`."""
    tried = few_fit(backbone, monkeypatch, CPU_BATCH)
    videos = [pixels[:1], pixels[1:3], pixels[3:]]

    def rows(order: list[int]) -> list[NDArray[np.float32]]:
        encoder, made = Encoder(backbone, pad=True), {}
        for number in order:
            given = [encoder.add(clip) for clip in videos[number][:, None]]
            made[number] = np.concatenate([*given, encoder.finish()])
        return [made[number] for number in range(len(videos))]

    first, other = rows([0, 1, 2]), rows([2, 0, 1])
    assert set(tried) == {CPU_BATCH}
    assert [len(made) for made in first] == [1, 2, 6]
    assert all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_rows_that_come_late_come_in_order(
    backbone: Backbone, pixels: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU: a batch is fetched when the next one is under way."""
    encoder = Encoder(backbone)
    monkeypatch.setattr(encoder, "_late", 1)
    counts, rows = [], []
    for clip in pixels[:, None]:
        rows.append(encoder.add(clip))
        counts.append(len(rows[-1]))
    assert counts == [0, 0, 0, 2, 0, 2, 0, 2, 0]
    rows.append(encoder.finish())
    expected = np.concatenate(list(encode(backbone, pixels[:, None])))
    assert np.array_equal(np.concatenate(rows), expected)
