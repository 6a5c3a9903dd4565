"""Threads that share one pipeline each get their own videos' features."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from tests.tiny import draw_video
from vidalign.batch.engines.sharing import SharedPipeline
from vidalign.batch.extraction import Extraction
from vidalign.batch.facade import extract
from vidalign.batch.pipeline import Made, Pipeline, Settings, Work
from vidalign.errors import StoreError, UsageError, VideoError
from vidalign.types import Features

HERE = Settings(workers=0)


def made_of(pipeline: SharedPipeline, number: int, video: Path, extraction: Extraction) -> Made:
    [made] = pipeline.extract_many([Work(number, video, [extraction])])
    return made


def test_each_thread_gets_its_own(tiny: Path, tmp_path: Path) -> None:
    videos = [draw_video(tmp_path / f"{number}.mp4", 1.0 + number, seed=number) for number in range(3)]
    videos.append(tmp_path / "gone.mp4")
    extraction = Extraction("mini", device="cpu")
    pipeline = SharedPipeline(HERE)
    with ThreadPoolExecutor(len(videos)) as threads:
        jobs = [
            threads.submit(made_of, pipeline, number, video, extraction)
            for number, video in enumerate(videos)
        ]
        made = [job.result() for job in jobs]
    pipeline.close()
    assert [each.key for each in made] == [0, 1, 2, 3]
    for video, each in zip(videos[:3], made, strict=False):
        alone = extract(video, backbone="mini", device="cpu").features
        shared = cast(Features, each.results[0]).features
        np.testing.assert_allclose(shared, alone, atol=2e-3)
    assert isinstance(made[3].results[0], VideoError)


@pytest.mark.parametrize("kind", [UsageError, StoreError, ZeroDivisionError])
def test_what_ends_the_pipeline_is_everybodys_and_the_next_begins_anew(
    kind: type[Exception], tiny: Path, clip_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = SharedPipeline(HERE)
    extraction = Extraction("mini", device="cpu")
    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "extract_many", lambda *_: (_ for _ in ()).throw(kind("no such model")))
        with pytest.raises(kind, match="no such model"):
            made_of(pipeline, 0, clip_file, Extraction("mini", device="cpu"))
    assert isinstance(made_of(pipeline, 1, clip_file, extraction).results[0], Features)
    pipeline.close()
