"""One video becomes features; many become files, each for itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import vidalign
from tests.tiny import cut_short, draw_video
from vidalign.backbones.encode import Encoder, clip_tensor
from vidalign.backbones.registry import load_backbone
from vidalign.batch.extract import Planned, extract_items
from vidalign.batch.extraction import Extraction
from vidalign.batch.report import ItemResult
from vidalign.errors import ConfigError, ModelError, OutputMismatchError, UsageError, VideoError
from vidalign.store.features import read_features, write_features
from vidalign.store.items import Item, find_items
from vidalign.types import Features
from vidalign.video import open as opening
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


def extract_all(items: Sequence[Item], extraction: Extraction, **how: Any) -> Iterator[ItemResult]:
    return extract_items([Planned(extraction, items)], **how)


def item(source: Path, folder: Path) -> Item:
    return find_items([source], folder)[0]


def untimed(result: ItemResult) -> dict[str, Any]:
    return {key: value for key, value in result.details.items() if key != "seconds"}


def test_same_as_the_plain_module_on_the_same_clips(tiny: Path, clip_file: Path) -> None:
    features = vidalign.extract(clip_file, dtype="float32")
    backbone = load_backbone("mini")
    with open_video(clip_file) as reader:
        clips = list(cut_clips(reader, backbone.recipe))
    with torch.inference_mode():
        plain = [backbone(clip_tensor(c.pixels, backbone.recipe, torch.device("cpu")))[0] for c in clips]
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
    def add(self: Encoder, clip: object) -> NDArray[np.float32]:
        return np.full((1, 4), value, np.float32)

    monkeypatch.setattr(Encoder, "add", add)
    monkeypatch.setattr(Encoder, "finish", lambda self: np.empty((0, 4), np.float32))


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
    def add(self: Encoder, clip: object) -> None:
        raise MemoryError("too much")

    monkeypatch.setattr(Encoder, "add", add)
    with pytest.raises(MemoryError):
        vidalign.extract(draw_video(tmp_path / "long.mp4", 30))
    assert not any(thread.name.startswith("vidalign-") for thread in threading.enumerate())


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
        extract_all([item(tmp_path / "gone.mp4", tmp_path)], extraction)


def test_an_output_of_another_run_is_refused_at_the_call(tiny: Path, clip_file: Path, tmp_path: Path) -> None:
    items = [item(tmp_path / "other.mp4", tmp_path), item(clip_file, tmp_path)]
    features = vidalign.extract(clip_file)
    write_features(items[1].output, replace(features, weights_sha256="ab" * 32, video_size=7))
    with pytest.raises(OutputMismatchError, match=r"weights_sha256: abab.*; video_size: 7 / \d+\)"):
        extract_all(items, Extraction("mini"))
    results = list(extract_all(items[1:], Extraction("mini"), overwrite=True))
    assert [result.status for result in results] == ["done"]


def test_what_an_output_does_not_say_does_not_count_against_it(
    tiny: Path, clip_file: Path, tmp_path: Path
) -> None:
    one = item(clip_file, tmp_path)
    write_features(one.output, Features(np.zeros((2, 4), np.float16), np.zeros((2, 2))))
    assert [result.status for result in extract_all([one], Extraction("mini"))] == ["skipped"]


def test_nothing_is_opened_before_its_result_is_asked_for(
    tiny: Path, clip_file: Path, tmp_path: Path
) -> None:
    items = [item(clip_file, tmp_path), item(tmp_path / "gone.mp4", tmp_path)]
    seconds: list[tuple[float, float | None]] = []
    results = extract_all(items, Extraction("mini"), progress=lambda item: lambda *done: seconds.append(done))
    assert not items[0].output.exists()
    assert {result.item: result.status for result in results} == {"clip.mp4": "done", "gone.mp4": "failed"}
    assert read_features(items[0].output).features.shape == (3, 256)
    assert seconds == [(1.0, 3.0), (2.0, 3.0), (3.0, 3.0)]


def test_the_unforeseen_fails_one_item_only(
    tiny: Path, clip_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    add = Encoder.add

    def sometimes(self: Encoder, clip: Any) -> NDArray[np.float32]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise RuntimeError("the model fell over")
        return add(self, clip)

    monkeypatch.setattr(Encoder, "add", sometimes)
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(clip_file.read_bytes())
    results = list(extract_all([item(clip_file, tmp_path), item(copy, tmp_path)], Extraction("mini")))
    assert [result.status for result in results] == ["failed", "done"]
    assert results[0].error is not None
    assert results[0].error.kind == "InternalError"
    assert "RuntimeError: the model fell over" in results[0].error.message


def test_an_old_output_survives_a_failed_overwrite(tiny: Path, clip_file: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.mp4"
    source.write_bytes(clip_file.read_bytes())
    one = item(source, tmp_path / "out")
    assert [r.status for r in extract_all([one], Extraction("mini"))] == ["done"]
    before = one.output.read_bytes()
    cut_short(clip_file, source, 0.3)
    assert [r.status for r in extract_all([one], Extraction("mini"), overwrite=True)] == ["failed"]
    assert one.output.read_bytes() == before
    assert sorted(path.name for path in one.output.parent.iterdir()) == ["a.error.json", "a.h5", "run.json"]


@pytest.fixture
def both(recipe_file: Path, tmp_path: Path, clip_file: Path) -> list[Planned]:
    """One video by two recipes of the same model, each into a folder of its own."""
    extractions = Extraction("mini"), Extraction("mini", recipe_file)
    return [
        Planned(each, [item(clip_file, tmp_path / name)])
        for each, name in zip(extractions, "ab", strict=True)
    ]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The videos that were opened, in order."""
    seen: list[str] = []
    once = opening.open_video

    def noted(path: Path, *args: Any, **how: Any) -> Any:
        seen.append(path.name)
        return once(path, *args, **how)

    monkeypatch.setattr(opening, "open_video", noted)
    return seen


def test_two_together_are_as_each_alone(tiny: Path, both: list[Planned], opened: list[str]) -> None:
    together = list(extract_items(both))
    assert [result.status for result in together] == ["done", "done"]
    assert opened == ["clip.mp4"]
    files = [plan.items[0].output for plan in both]
    made = [path.read_bytes() for path in files]
    alone = [next(iter(extract_items([plan], overwrite=True))) for plan in both]
    assert [untimed(result) for result in alone] == [untimed(result) for result in together]
    assert [path.read_bytes() for path in files] == made
    assert opened == ["clip.mp4"] * 3


def test_only_what_is_missing_is_made(tiny: Path, both: list[Planned], opened: list[str]) -> None:
    assert [result.status for result in extract_items(both[1:])] == ["done"]
    assert [result.status for result in extract_items(both)] == ["skipped", "done"]
    assert [result.status for result in extract_items(both)] == ["skipped", "skipped"]
    assert opened == ["clip.mp4"] * 2


def test_too_short_for_one_is_done_for_the_other(tiny: Path, tmp_path: Path) -> None:
    short = draw_video(tmp_path / "short.mp4", 0.6)
    plan = [
        Planned(Extraction("mini", recipe), [item(short, tmp_path / recipe)])
        for recipe in ("s3d-16fps", "mini-8fps")
    ]
    results = list(extract_items(plan))
    assert [result.status for result in results] == ["failed", "done"]
    assert results[0].error is not None
    assert "too short for one clip of 1 s by recipe s3d-16fps" in results[0].error.message
    assert read_features(plan[1].items[0].output).recipe == get_recipe("mini-8fps")


def test_a_picture_too_small_for_one_crop(tiny: Path, tmp_path: Path, both: list[Planned]) -> None:
    own = tmp_path / "large.yaml"
    own.write_text("fps: 4\nframes: 4\nstride: 1\nresize: none\ncrop_size: 4096\nlayer: mixed_5c\n")
    plan = [both[0], Planned(Extraction("mini", own), [item(both[0].items[0].source, tmp_path / "large")])]
    results = list(extract_items(plan))
    assert [result.status for result in results] == ["done", "failed"]
    assert results[1].error is not None
    assert "smaller than the crop of 4096" in results[1].error.message


def test_what_falls_over_for_one_is_done_for_the_other(
    tiny: Path, both: list[Planned], monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Encoder.add

    def sometimes(self: Encoder, clip: Any) -> NDArray[np.float32]:
        if len(clip[0]) == 8:
            raise RuntimeError("the model fell over")
        return add(self, clip)

    monkeypatch.setattr(Encoder, "add", sometimes)
    results = list(extract_items(both))
    assert [result.status for result in results] == ["failed", "done"]
    assert results[0].error is not None
    assert "the model fell over" in results[0].error.message


def test_what_cannot_be_read_fails_for_both(tiny: Path, both: list[Planned], tmp_path: Path) -> None:
    gone = [
        Planned(each, [item(tmp_path / "gone.mp4", tmp_path / name)])
        for (each, _), name in zip(both, "ab", strict=True)
    ]
    assert [result.status for result in extract_items(gone)] == ["failed", "failed"]


def test_plans_for_different_videos_do_not_go_together(
    tiny: Path, both: list[Planned], tmp_path: Path
) -> None:
    other = Planned(both[0].extraction, [item(tmp_path / "other.mp4", tmp_path)])
    with pytest.raises(ValueError, match="for the same videos"):
        list(extract_items([both[1], other]))


def test_one_row_for_a_video(tiny: Path, clip_file: Path, tmp_path: Path) -> None:
    """Dense views and three crops: the unit vector of the mean of all of them, of the whole video's time."""
    own = tmp_path / "dense.yaml"
    own.write_text(
        "fps: native\nframes: 4\nsampling: dense\nviews: 3\nsize: 40\ncrop: three\ncrop_size: 32\n"
        "layer: video_embedding\nl2: true\n"
    )
    features = vidalign.extract(clip_file, recipe=own, dtype="float32")
    backbone = load_backbone("mini", recipe=get_recipe(own))
    with open_video(clip_file) as reader:
        (clip,) = cut_clips(reader, backbone.recipe)
    assert clip.pixels.shape == (9, 4, 32, 32, 3)
    with torch.inference_mode():
        raw = backbone.raw(clip_tensor(clip.pixels, backbone.recipe, torch.device("cpu"))).mean(0)
    np.testing.assert_allclose(features.features, [(raw / raw.norm()).numpy()], rtol=1e-5, atol=1e-6)
    assert features.times.tolist() == [[0, 3]]
