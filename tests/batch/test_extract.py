"""One video becomes features; many become files, each for itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import vidalign
from tests.tiny import cut_short, draw_video
from vidalign.backbones import encode as encoding
from vidalign.backbones.encode import clip_tensor
from vidalign.backbones.registry import load_backbone
from vidalign.batch.extract import Extraction, extract_items
from vidalign.errors import ConfigError, ModelError, OutputMismatchError, UsageError, VideoError
from vidalign.store.features import read_features, write_features
from vidalign.store.items import Item, find_items
from vidalign.types import Features
from vidalign.video.clips import cut_clips
from vidalign.video.open import open_video
from vidalign.weights.cache import hash_file
from vidalign.weights.recipes import get_recipe

RECIPE = "fps: 4\nframes: 4\nstride: 0.5\nsize: 32\ncrop_size: 32\nlayer: video_embedding\nl2: true\n"


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(RECIPE, "utf-8")
    return path


def item(source: Path, folder: Path) -> Item:
    return find_items([source], folder)[0]


def test_same_as_the_plain_module_on_the_same_clips(tiny: Path, clip_file: Path) -> None:
    features = vidalign.extract(clip_file, dtype="float32")
    backbone = load_backbone("mini")
    with open_video(clip_file) as reader:
        clips = list(cut_clips(reader, backbone.recipe))
    with torch.inference_mode():
        plain = [
            backbone(clip_tensor(c.pixels, backbone.recipe, torch.device("cpu")))[0] for c in clips
        ]
    np.testing.assert_allclose(features.features, torch.stack(plain).numpy(), rtol=1e-5, atol=1e-6)
    assert features.times.tolist() == [[0, 1], [1, 2], [2, 3]]


def test_what_is_recorded(tiny: Path, clip_file: Path) -> None:
    features = vidalign.extract(clip_file)
    assert (features.features.shape, features.features.dtype) == ((3, 256), np.float16)
    assert (features.backbone, features.recipe) == ("mini", get_recipe("mini-8fps"))
    assert features.weights_sha256 == hash_file(tiny / "mini-s3d.safetensors")
    assert (features.precision, features.runtime) == ("float32", f"torch {torch.__version__}")
    assert features.reader is not None and features.reader.split()[0] in ("pyav", "decord")
    assert (features.video, features.video_size) == ("clip.mp4", clip_file.stat().st_size)
    assert (features.duration, features.video_start) == (3.0, 0.0)
    assert (features.truncated, features.decoded_until) == (False, 3.0)
    assert features.vidalign_version == vidalign.__version__


def test_a_recipe_of_one_s_own(tiny: Path, clip_file: Path, recipe_file: Path) -> None:
    features = vidalign.extract(clip_file, recipe=recipe_file, dtype="float32")
    assert features.recipe is not None
    assert features.recipe.name == "mine"
    assert features.times[:3].tolist() == [[0, 1], [0.5, 1.5], [1, 2]]
    np.testing.assert_allclose(np.linalg.norm(features.features, axis=1), 1, rtol=1e-6)


def test_weights_of_one_s_own(tiny: Path, clip_file: Path) -> None:
    own = vidalign.extract(clip_file, backbone="mini", weights=tiny / "mini-s3d.safetensors")
    assert np.array_equal(own.features, vidalign.extract(clip_file).features)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_the_same_bytes_twice(dtype: str, tiny: Path, clip_file: Path, tmp_path: Path) -> None:
    for name in ("one.h5", "two.h5"):
        write_features(tmp_path / name, vidalign.extract(clip_file, dtype=dtype))  # type: ignore[arg-type]
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


def test_threads_change_no_more_than_a_half_precision_unit(tiny: Path, clip_file: Path) -> None:
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    one = vidalign.extract(clip_file).features.astype(np.float32)
    torch.set_num_threads(3)
    two = vidalign.extract(clip_file).features
    torch.set_num_threads(usual)
    assert (np.abs(two.astype(np.float32) - one) <= np.spacing(np.abs(two)).astype(np.float32)).all()


def test_a_video_that_breaks_off_says_so(tiny: Path, broken_file: Path) -> None:
    features = vidalign.extract(broken_file)
    assert features.truncated
    assert features.decoded_until is not None
    assert 1 < features.decoded_until < 5
    assert features.times[-1, 1] == pytest.approx(features.decoded_until, abs=1e-3)


def test_too_short_for_a_clip(tiny: Path, tmp_path: Path) -> None:
    short = draw_video(tmp_path / "short.mp4", 0.5)
    with pytest.raises(VideoError, match="too short for one clip of 1 s by recipe s3d-16fps") as refused:
        vidalign.extract(short, recipe="s3d-16fps")
    assert "tail" in refused.value.hint


def test_broken_before_the_first_clip(tiny: Path, broken_file: Path) -> None:
    with pytest.raises(VideoError, match=r"broken.mkv breaks off before its first clip of 3.2 s"):
        vidalign.extract(broken_file, recipe="milnce-32x10")


def _with_features(monkeypatch: pytest.MonkeyPatch, value: float) -> None:
    def encode(backbone: object, clips: Iterator[object], **how: str) -> Iterator[np.ndarray]:
        for _ in clips:
            yield np.full((1, 4), value, np.float32)

    monkeypatch.setattr(encoding, "encode", encode)


def test_features_too_large_for_half_precision(
    tiny: Path, clip_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_features(monkeypatch, 1e5)
    with pytest.raises(VideoError, match="too large for float16") as refused:
        vidalign.extract(clip_file)
    assert refused.value.hint == "use --dtype float32"
    assert vidalign.extract(clip_file, dtype="float32").features[0, 0] == 1e5


def test_features_that_are_no_numbers(tiny: Path, clip_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _with_features(monkeypatch, np.nan)
    with pytest.raises(VideoError, match="NaN or infinity"):
        vidalign.extract(clip_file, dtype="float32")


def test_the_decoding_thread_ends_before_the_file_is_closed(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode(backbone: object, clips: Iterator[object], **how: str) -> Iterator[object]:
        next(clips)
        raise MemoryError("too much")

    monkeypatch.setattr(encoding, "encode", encode)
    with pytest.raises(MemoryError):
        vidalign.extract(draw_video(tmp_path / "long.mp4", 30))
    assert not any(thread.name == "vidalign-prefetch" for thread in threading.enumerate())


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"backbone": "nope"}, ModelError, "unknown model 'nope'"),
        ({"backbone": "tan-htm370k"}, ModelError, "not a backbone"),
        ({"backbone": "s3d-howto100m"}, ModelError, "not on this machine"),
        ({"recipe": "nope"}, ConfigError, "unknown recipe 'nope'"),
        ({"weights": Path("gone.pth")}, ModelError, "gone.pth"),
        ({"device": "cuda:99"}, UsageError, "cuda:99"),
    ],
)
def test_what_is_wrong_with_the_run_comes_at_the_call(
    changes: dict[str, object], error: type[Exception], message: str, tiny: Path, tmp_path: Path
) -> None:
    extraction = replace(Extraction("mini"), **changes)
    with pytest.raises(error, match=message):
        extract_items([item(tmp_path / "gone.mp4", tmp_path)], extraction)


def test_an_output_of_another_run_is_refused_at_the_call(tiny: Path, clip_file: Path, tmp_path: Path) -> None:
    items = [item(tmp_path / "other.mp4", tmp_path), item(clip_file, tmp_path)]
    features = vidalign.extract(clip_file)
    write_features(items[1].output, replace(features, weights_sha256="ab" * 32, video_size=7))
    with pytest.raises(OutputMismatchError, match=r"weights_sha256: abab.*; video_size: 7 / \d+\)"):
        extract_items(items, Extraction("mini"))
    results = list(extract_items(items[1:], Extraction("mini"), overwrite=True))
    assert [result.status for result in results] == ["done"]


def test_what_an_output_does_not_say_does_not_count_against_it(
    tiny: Path, clip_file: Path, tmp_path: Path
) -> None:
    one = item(clip_file, tmp_path)
    write_features(one.output, Features(np.zeros((2, 4), np.float16), np.zeros((2, 2))))
    assert [result.status for result in extract_items([one], Extraction("mini"))] == ["skipped"]


def test_nothing_is_opened_before_its_result_is_asked_for(
    tiny: Path, clip_file: Path, tmp_path: Path
) -> None:
    items = [item(clip_file, tmp_path), item(tmp_path / "gone.mp4", tmp_path)]
    seconds: list[tuple[float, float | None]] = []
    results = extract_items(
        items, Extraction("mini"), progress=lambda item: lambda *done: seconds.append(done)
    )
    assert not items[0].output.exists()
    assert next(results).status == "done"
    assert read_features(items[0].output).features.shape == (3, 256)
    assert seconds == [(1.0, 3.0), (2.0, 3.0), (3.0, 3.0)]
    assert next(results).status == "failed"


def test_the_unforeseen_fails_one_item_only(
    tiny: Path, clip_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    encode = encoding.encode

    def sometimes(*args: object, **how: str) -> Iterator[object]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise RuntimeError("the model fell over")
        return encode(*args, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(encoding, "encode", sometimes)
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(clip_file.read_bytes())
    results = list(extract_items([item(clip_file, tmp_path), item(copy, tmp_path)], Extraction("mini")))
    assert [result.status for result in results] == ["failed", "done"]
    assert results[0].error is not None
    assert results[0].error.kind == "InternalError"
    assert "RuntimeError: the model fell over" in results[0].error.message


def test_an_old_output_survives_a_failed_overwrite(tiny: Path, clip_file: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.mp4"
    source.write_bytes(clip_file.read_bytes())
    one = item(source, tmp_path / "out")
    assert [r.status for r in extract_items([one], Extraction("mini"))] == ["done"]
    before = one.output.read_bytes()
    cut_short(clip_file, source, 0.3)
    assert [r.status for r in extract_items([one], Extraction("mini"), overwrite=True)] == ["failed"]
    assert one.output.read_bytes() == before
    assert [path.name for path in one.output.parent.iterdir()] == ["a.h5"]
