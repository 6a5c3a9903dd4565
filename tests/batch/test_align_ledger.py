"""`align` into a folder keeps the notes that `extract` keeps."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tiny import made_features, write_vtt
from vidalign.batch import align, rounds
from vidalign.batch.align import align_pairs
from vidalign.batch.failures import FormerFailureError
from vidalign.batch.pairs import Unpaired
from vidalign.batch.pipeline import Made, Work
from vidalign.batch.settings import AlignRun, Pair
from vidalign.batch.shards import Dealing
from vidalign.errors import OutputMismatchError, StaleError, SubtitleError, VideoError
from vidalign.store.features import write_features
from vidalign.store.items import Item

RUN = AlignRun("mini", device="cpu", threshold=0.0)


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    """Two pairs with features of their own, so that no video is read."""
    write_features(tmp_path / "f.h5", made_features(4))
    subtitles = write_vtt(tmp_path / "a.vtt", "stir the egg", "put water")
    return [
        Pair(
            f"{name}.mp4",
            tmp_path / f"{name}.mp4",
            subtitles,
            tmp_path / "out" / f"{name}.align.h5",
            features=tmp_path / "f.h5",
        )
        for name in "ab"
    ]


def statuses(pairs: list[Pair], run: AlignRun = RUN, **how: Any) -> list[str]:
    folder = pairs[0].output.parent if pairs[0].output else None
    return [result.status for result, _ in align_pairs(pairs, run, folder=folder, **how)]


def left(pair: Pair) -> list[str]:
    assert pair.output is not None
    return sorted(path.name for path in pair.output.parent.iterdir())


def test_the_run_file_holds_how_alignments_are_made(tiny: Path, pairs: list[Pair], tmp_path: Path) -> None:
    assert statuses(pairs[:1], dealing=Dealing(2)) == ["done"]
    told = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (told["task"], told["model"], told["threshold"]) == ("align", "mini", 0.0)
    assert (told["segment"], told["windowing"]["mode"], told["shards"]["total"]) == ("cue", "overlap", 2)
    for other, difference in (
        (replace(RUN, threshold=0.5), "threshold: 0.0 / 0.5"),
        (replace(RUN, segment="sentence"), "segment: cue / sentence"),
    ):
        with pytest.raises(OutputMismatchError, match=f"run.json .*{difference}"):
            statuses(pairs[1:], other)
    (tmp_path / "out" / "run.json").unlink()
    with pytest.raises(OutputMismatchError, match=r"a.align.h5 says otherwise .*threshold: 0.0 / 0.5"):
        statuses(pairs[1:], replace(RUN, threshold=0.5))
    assert statuses(pairs) == ["skipped", "done"]
    assert statuses(pairs, replace(RUN, threshold=0.5), overwrite=True) == ["done", "done"]
    assert left(pairs[0]) == ["a.align.h5", "b.align.h5", "run.json"]


def test_a_failure_is_recorded_until_its_subtitles_change(tiny: Path, pairs: list[Pair]) -> None:
    subtitles = pairs[0].subtitles
    good = subtitles.read_text()
    subtitles.write_text("")
    assert statuses(pairs[:1]) == ["failed"]
    assert left(pairs[0]) == ["a.align.error.json", "run.json"]
    [(again, _)] = align_pairs(pairs[:1], RUN, folder=pairs[0].output.parent if pairs[0].output else None)
    assert again.error is not None
    assert (again.error.kind, "--retry-failed" in again.error.hint) == ("SubtitleError", True)
    subtitles.write_text(good)
    assert statuses(pairs[:1]) == ["done"]
    assert left(pairs[0]) == ["a.align.h5", "run.json"]


def test_a_changed_input_fails_its_pair_alone(tiny: Path, pairs: list[Pair], tmp_path: Path) -> None:
    assert statuses(pairs[:1]) == ["done"]
    pairs[0] = replace(pairs[0], subtitles=write_vtt(tmp_path / "b.vtt", "put the egg"))
    ends = [result for result, _ in align_pairs(pairs, RUN, folder=tmp_path / "out")]
    assert [result.status for result in ends] == ["failed", "done"]
    assert isinstance(ends[0].error, StaleError)
    assert left(pairs[0]) == ["a.align.h5", "b.align.h5", "run.json"]
    with pytest.raises(OutputMismatchError, match="threshold"):
        statuses(pairs[:1], replace(RUN, threshold=0.5))


def test_kept_features_of_a_changed_video_are_not_replaced(
    tiny: Path, pairs: list[Pair], tmp_path: Path
) -> None:
    pair = replace(pairs[0], features=None)
    pair.video.write_bytes(b"x" * 10)
    features = made_features(4, video_size=9)
    features = replace(features, features=features.features.astype(np.float16))
    write_features(tmp_path / "kept" / "a.h5", features)
    run = replace(RUN, save_features=tmp_path / "kept")
    [(result, _)] = align_pairs([pair], run, folder=tmp_path / "out")
    assert isinstance(result.error, StaleError)
    assert "video_size: 9 / 10" in result.error.message


def test_inputs_that_stutter_are_given_time(
    tiny: Path, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "BACK_OFF", (0.0,))
    read_pair, at_hand = align.read_pair, align.features_at_hand
    tries: list[str] = []

    def stutter(kind: str) -> None:
        tries.append(kind)
        if tries.count(kind) == 1:
            raise SubtitleError("bad", errno=errno.EIO)

    monkeypatch.setattr(align, "read_pair", lambda *how: (stutter("pair"), read_pair(*how))[1])
    monkeypatch.setattr(align, "features_at_hand", lambda pair: (stutter("features"), at_hand(pair))[1])
    assert statuses(pairs[:1]) == ["done"]
    assert tries == ["pair", "pair", "features", "features"]


def test_videos_without_subtitles_are_recorded(tiny: Path, pairs: list[Pair], tmp_path: Path) -> None:
    alone = Unpaired(Item(pairs[0].video, "a.mp4", tmp_path / "out" / "a.align.h5"), SubtitleError("none"))
    how: dict[str, Any] = {"folder": tmp_path / "out", "unpaired": [alone]}
    assert [result.status for result, _ in align_pairs([], RUN, dry_run=True, **how)] == ["failed"]
    assert not (tmp_path / "out").exists()
    ends = [result for result, _ in align_pairs(pairs[1:], RUN, **how)]
    assert [(result.item, result.status) for result in ends] == [("a.mp4", "failed"), ("b.mp4", "done")]
    assert left(pairs[0]) == ["a.align.error.json", "b.align.h5", "run.json"]
    [(again, _)] = align_pairs([], RUN, **how)
    assert isinstance(again.error, FormerFailureError)
    [(again, _)] = align_pairs([], RUN, retry_failed=True, **how)
    assert again.error is alone.error
    assert statuses(pairs[:1]) == ["done"]
    list(align_pairs([], RUN, **how))
    assert left(pairs[0]) == ["a.align.h5", "b.align.h5", "run.json"]


def test_too_little_confidence_is_no_failure_to_record(tiny: Path, pairs: list[Pair]) -> None:
    assert statuses(pairs[:1], replace(RUN, min_confidence=1.0)) == ["failed"]
    assert left(pairs[0]) == ["run.json"]
    assert statuses(pairs[:1], replace(RUN, min_confidence=0.0)) == ["done"]


def test_what_another_call_has_is_waited_for(
    tiny: Path, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "LOOK_AGAIN_SECONDS", 0.01)
    folder = pairs[0].output.parent if pairs[0].output else None
    first = align_pairs(pairs, RUN, folder=folder)
    second = align_pairs(pairs, RUN, folder=folder)
    assert [next(first)[0].item, next(second)[0].status] == ["a.mp4", "skipped"]
    assert [next(first)[0].item, next(second)[0].status] == ["b.mp4", "skipped"]
    assert (next(first, None), next(second, None)) == (None, None)


def test_a_disk_that_stutters_is_given_time(
    tiny: Path, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "BACK_OFF", (0.0,))
    tries: list[str] = []

    def stutter(works: Iterator[Work], **how: object) -> Iterator[Made]:
        for work in works:
            tries.append(work.video.name)
            late = len(tries) > 1
            yield Made(work.key, [made_features(4) if late else VideoError("bad", errno=errno.EIO)], 0.1)

    monkeypatch.setattr(align, "extract_many", stutter)
    assert statuses([replace(pairs[0], features=None)]) == ["done"]
    assert tries == ["a.mp4", "a.mp4"]


def test_one_output_alone_has_no_notes(tiny: Path, pairs: list[Pair]) -> None:
    assert [result.status for result, _ in align_pairs(pairs[:1], RUN)] == ["done"]
    assert left(pairs[0]) == ["a.align.h5"]
