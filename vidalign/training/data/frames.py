"""The pictures of videos, decoded once: a row of small frames a video, kept in files of a cache folder."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from vidalign.errors import ConfigError, StoreError, VideoError
from vidalign.outside import reading_arrays
from vidalign.store.atomic import atomic_path
from vidalign.types import Recipe
from vidalign.video.clips import cut_clips
from vidalign.video.open import open_video

log = logging.getLogger("vidalign.training")


@dataclass(frozen=True, slots=True)
class FrameRow:
    """Frames (count, *size, 3) uint8 in a file from byte `offset` on; frame i is shown at i / fps seconds."""

    path: Path
    offset: int
    count: int
    size: tuple[int, int]

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Frames [start, stop) as (stop - start, H, W, 3); raises StoreError."""
        height, width = self.size
        frame = height * width * 3
        count = (stop - start) * frame
        try:
            values = np.fromfile(self.path, np.uint8, count, offset=self.offset + start * frame)
        except OSError as error:
            raise StoreError(f"cannot read {self.path}: {error.strerror or error}") from error
        if len(values) != count:
            raise StoreError(f"{self.path} has become shorter", hint="delete it; it is made again")
        return values.reshape(-1, height, width, 3)


def cached_frames(video: Path, name: str, recipe: Recipe, cache: Path) -> FrameRow:
    """The frames of `video` as `recipe` samples, resizes and crops them, one every 1 / fps seconds, 8 bits.

    They are decoded where `cache` does not hold them yet; the file is named by `name`, the recipe's part
    in this, and the size of the video. What comes before the first picture shows it. Raises VideoError or
    StoreError.
    """
    try:
        path = cache / f"{name}.{_key(recipe, video.stat().st_size)}.npy"
    except OSError as error:
        raise VideoError(f"cannot read {video}: {error.strerror}") from None
    if not path.exists():
        log.info("decoding the frames of %s", video)
        _decode(video, recipe, path)
    return _open(path)


def check_square(recipe: Recipe) -> None:
    """Raise ConfigError unless the recipe makes one picture at exact times, of one size for all videos."""
    if recipe.frame_shape is None:
        raise ConfigError(
            f"recipe {recipe.name!r} leaves each video its own shape",
            hint="training needs crop or exact size",
        )
    if recipe.crop in ("three", "ten"):
        raise ConfigError(
            f"recipe {recipe.name!r} makes several views of a clip (crop: {recipe.crop})",
            hint="training needs crop: center or none",
        )
    if recipe.fps == "native":
        raise ConfigError(
            f"recipe {recipe.name!r} takes every frame of the stream", hint="training needs a number of fps"
        )


SAMPLED = (
    *("fps", "size", "crop_size", "resize", "long_side", "interpolation", "antialias"),
    *("crop", "crop_offset"),
)
"""The keys of a recipe that say what one frame is."""


ONE_BY_ONE: dict[str, Any] = {
    **{"frames": 1, "step": 1, "stride": 1.0, "stride_unit": "frames", "sampling": "stride", "views": 1},
    **{"tail": "drop", "floor_quirk": False, "rounding": True},
}
"""What makes each sampled frame a clip of its own."""


def _key(recipe: Recipe, video_size: int) -> str:
    values = [video_size, *(asdict(recipe)[name] for name in SAMPLED)]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:12]


def _decode(video: Path, recipe: Recipe, path: Path) -> None:
    frame_by_frame = replace(recipe, **ONE_BY_ONE)
    with atomic_path(path) as temporary, temporary.open("rb+") as file, open_video(video) as reader:
        count, shape = 0, (0, 0)
        for clip in cut_clips(reader, frame_by_frame):
            ((picture,),) = clip.frames
            shape = picture.shape[:2]
            if not count:
                _write_header(file, 0, shape)
            due = round(clip.start * recipe.sample_rate) + 1
            while count < due:
                file.write(picture.tobytes())
                count += 1
        if not count:
            raise VideoError(f"{video} has no picture that the recipe {recipe.name!r} samples")
        if reader.truncated:
            log.warning("%s breaks off; its frames up to there are used", video)
        file.seek(0)
        _write_header(file, count, shape)


def _write_header(file: BinaryIO, count: int, size: tuple[int, int]) -> None:
    """Of an .npy file; numpy makes it equally long whatever the count."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *size, 3)}
    np.lib.format.write_array_header_1_0(file, header)


def _open(path: Path) -> FrameRow:
    try:
        with reading_arrays():
            frames = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} is damaged: {error}", hint="delete it; it is made again") from None
    if frames.ndim != 4 or frames.dtype != np.uint8 or frames.shape[-1] != 3:
        raise StoreError(f"{path} holds no frames", hint="delete it; it is made again")
    return FrameRow(path, frames.offset, len(frames), frames.shape[1:3])
