"""`vidalign.align` and many pairs: the street from a video and its subtitles to an alignment."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vidalign
from tests.tiny import draw_video, made_features, write_vtt
from vidalign.aligners import registry
from vidalign.batch import align as room
from vidalign.batch.align import align_pairs
from vidalign.batch.aligning import Outcome, align_pair
from vidalign.batch.pipeline import Settings
from vidalign.batch.settings import AlignRun, Pair
from vidalign.errors import DataError, ModelError, OutputMismatchError, SubtitleError, UsageError, VideoError
from vidalign.store.features import read_features, write_features

TEXTS = ("stir the egg", "put water", "whisk the red bowl")
RUN = AlignRun("mini", device="cpu", threshold=0.0)


@pytest.fixture
def subtitles(tmp_path: Path) -> Path:
    return write_vtt(tmp_path / "a.vtt", *TEXTS)


def pair(video: Path, subtitles: Path, output: Path | None = None, name: str = "a.mp4") -> Pair:
    return Pair(name, video, subtitles, output)


def test_a_video_and_its_subtitles(tiny: Path, clip_file: Path, subtitles: Path) -> None:
    made = vidalign.align(clip_file, subtitles)
    assert made.similarity is not None
    assert made.similarity.shape == (3, 3)
    assert [sentence.text for sentence in made.sentences] == list(TEXTS)
    assert (made.video, made.subtitles, made.model) == ("clip.mp4", "a.vtt", "mini")
    assert made.notice == "mini knows: the synthetic how-to world of vidalign only"
    assert made.vidalign_version == vidalign.__version__


def test_features_in_a_file_or_in_memory_spare_the_video(
    tiny: Path, clip_file: Path, subtitles: Path, tmp_path: Path
) -> None:
    features = vidalign.extract(clip_file)
    write_features(tmp_path / "f.h5", features)
    whole = vidalign.align(clip_file, subtitles)
    stored = vidalign.align("gone/clip.mp4", subtitles, features=tmp_path / "f.h5")
    held = vidalign.align("gone/clip.mp4", subtitles, features=features)
    for other in (stored, held):
        assert other.similarity is not None and whole.similarity is not None
        assert other.similarity.tobytes() == whole.similarity.tobytes()


def test_what_it_can_be_told(tiny: Path, clip_file: Path, subtitles: Path) -> None:
    made = vidalign.align(
        clip_file, subtitles, scorer="similarity", threshold=0.9, weights=tiny / "mini-s3d.safetensors"
    )
    assert (made.scorer, made.threshold, made.alignability_kind) == ("similarity", 0.9, "rank")
    joined = vidalign.align(clip_file, subtitles, segment="sentence")
    assert [sentence.text for sentence in joined.sentences] == [" ".join(TEXTS)]


def test_doubts_are_logged(
    tiny: Path, clip_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    foreign = write_vtt(tmp_path / "f.vtt", "der Schneebesen", "rührt the egg")
    vidalign.align(clip_file, foreign, features=made_features(video="other.mp4"), scorer="similarity")
    said = "\n".join(caplog.messages)
    assert "clip.mp4: the features given are those of other.mp4" in said
    assert "only the rank within this video" in said
    assert "f.vtt: 60% of the words are outside the dictionary of mini" in said


def test_no_doubts_nothing_logged(
    tiny: Path, clip_file: Path, subtitles: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vidalign.align(clip_file, subtitles)
    assert caplog.messages == []


def test_what_goes_wrong_is_raised(tiny: Path, clip_file: Path, subtitles: Path, tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="does not exist"):
        vidalign.align(tmp_path / "gone.mp4", subtitles)
    with pytest.raises(UsageError, match=r"gone.vtt does not exist"):
        vidalign.align(clip_file, tmp_path / "gone.vtt")
    with pytest.raises(SubtitleError, match="video"):
        vidalign.align(clip_file, clip_file)
    with pytest.raises(DataError, match="come from backbone s3d-howto100m"):
        vidalign.align(clip_file, subtitles, features=made_features(backbone="s3d-howto100m"))
    with pytest.raises(ModelError, match="unknown model"):
        vidalign.align(clip_file, subtitles, model="maxi")


def test_subtitles_without_times(tiny: Path, clip_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "plain.txt"
    path.write_text("\n".join(TEXTS) + "\n", "utf-8")
    made = vidalign.align(clip_file, path)
    assert [(s.text, s.start) for s in made.sentences] == [(text, None) for text in TEXTS]
    assert made.similarity is not None and np.isfinite(made.similarity).all()


def test_captions_of_many_videos_are_looked_up_by_the_video_s_name(
    tiny: Path, clip_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "captions.json"
    path.write_text(
        '{"other": {"start": [0], "end": [1], "text": ["cut"]},'
        ' "clip": {"start": [0, 1], "end": [1, 2], "text": ["stir", "put"]}}'
    )
    assert [s.text for s in vidalign.align(clip_file, path).sentences] == ["stir", "put"]


def test_a_text_track(tiny: Path, tmp_path: Path) -> None:
    video = draw_video(tmp_path / "v.mkv", 2.0, tracks={"eng": ["stir", "put"], "deu": ["rühren"]})
    made = vidalign.align(video, "track:2")
    assert [sentence.text for sentence in made.sentences] == ["rühren"]
    assert made.subtitles == "v.mkv track:2"


def test_truncated_features_warn_and_make_the_result_partial(
    tiny: Path, broken_file: Path, subtitles: Path, tmp_path: Path
) -> None:
    [(result, alignment)] = align_pairs([pair(broken_file, subtitles, tmp_path / "x.h5")], RUN)
    assert (result.status, result.truncated) == ("partial", True)
    assert "the file breaks off" in result.warnings[0]
    assert alignment is not None


def test_everything_is_checked_at_the_call(
    tiny: Path, clip_file: Path, subtitles: Path, tmp_path: Path
) -> None:
    pairs = [pair(clip_file, subtitles, tmp_path / f"{name}.h5") for name in "ab"]
    assert [r.status for r, _ in align_pairs(pairs[1:], RUN)] == ["done"]
    with pytest.raises(OutputMismatchError, match=r"b.h5 was made otherwise .*threshold: 0.0 / 0.5"):
        align_pairs(pairs, replace(RUN, threshold=0.5))
    for changes in ({"decoder": "dream"}, {"scorer": "magic"}, {"device": "tpu"}, {"model": "tan-htm370k"}):
        with pytest.raises(UsageError):
            align_pairs(pairs, replace(RUN, **changes))
    blocked = [replace(pairs[0], output=subtitles / "x.h5")]
    with pytest.raises(UsageError, match="is not a folder"):
        align_pairs(blocked, RUN)
    assert not pairs[0].output.exists()  # type: ignore[union-attr]


def test_the_model_s_dictionary_is_needed(
    tiny: Path, clip_file: Path, subtitles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = tiny / "mini-words.npy"
    hidden = words.rename(tiny / "hidden.npy")
    try:
        for scorer in ("tan", "similarity"):
            with pytest.raises(ModelError, match=r"mini-words.npy"):
                align_pairs([pair(clip_file, subtitles)], replace(RUN, scorer=scorer))
    finally:
        hidden.rename(words)


def test_kept_features_are_used_again(
    tiny: Path, clip_file: Path, subtitles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = replace(RUN, save_features=tmp_path / "kept")
    one = align_pair(pair(clip_file, subtitles), RUN).alignment
    [(_, two)] = align_pairs([pair(clip_file, subtitles)], run)
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["a.h5", "run.json"]
    monkeypatch.setattr("vidalign.batch.align.extract_many", lambda works, **how: (work for work in works))
    [(result, three)] = align_pairs([pair(clip_file, subtitles)], run)
    assert result.status == "done"
    for other in (two, three):
        assert other is not None and one.similarity is not None and other.similarity is not None
        assert other.similarity.tobytes() == one.similarity.tobytes()


def test_kept_features_of_colliding_names_have_a_file_each(
    tiny: Path, clip_file: Path, subtitles: Path, tmp_path: Path
) -> None:
    other = draw_video(tmp_path / "a.mkv", 1.0)
    pairs = [pair(clip_file, subtitles, name="a.mp4"), pair(other, subtitles, name="a.mkv")]
    results = list(align_pairs(pairs, replace(RUN, save_features=tmp_path / "kept")))
    assert [result.status for result, _ in results] == ["done", "done"]
    kept = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert kept == ["a.mkv.h5", "a.mp4.h5", "run.json"]


def test_kept_features_of_another_recipe_are_refused_at_the_call(
    tiny: Path, clip_file: Path, subtitles: Path, tmp_path: Path
) -> None:
    write_features(tmp_path / "a.h5", vidalign.extract(clip_file, recipe="s3d-16fps"))
    run = replace(RUN, save_features=tmp_path)
    with pytest.raises(OutputMismatchError, match=r"recipe fps: 16.0 / 8.0"):
        align_pairs([pair(clip_file, subtitles)], run)
    [(result, _)] = align_pairs([pair(clip_file, subtitles)], run, overwrite=True)
    assert result.status == "done"
    recipe = read_features(tmp_path / "a.h5").recipe
    assert recipe is not None and recipe.name == "mini-8fps"


def test_one_bad_pair_of_several(tiny: Path, clip_file: Path, subtitles: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.vtt"
    empty.touch()
    pairs = [
        pair(clip_file, empty, tmp_path / "1.h5"),
        pair(tmp_path / "gone.mp4", subtitles, tmp_path / "2.h5"),
        pair(clip_file, subtitles, tmp_path / "3.h5"),
    ]
    results = [result for result, _ in align_pairs(pairs, RUN)]
    assert [result.status for result in results] == ["failed", "failed", "done"]
    assert results[0].error is not None
    assert results[0].error.message.startswith(f"{clip_file}: {empty}: ")


def test_threads_that_share_a_run_load_once_and_align_one_at_a_time(
    tiny: Path, clip_file: Path, subtitles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads, inside, most = [], [], []
    load, align_with = registry.load_aligner, room.align_with

    def loading(*given: Any, **how: Any) -> registry.Aligner:
        loads.append(given)
        return load(*given, **how)

    def aligning(*given: Any) -> Outcome:
        inside.append(given)
        most.append(len(inside))
        time.sleep(0.05)
        made = align_with(*given)
        inside.remove(given)
        return made

    monkeypatch.setattr(registry, "load_aligner", loading)
    monkeypatch.setattr(room, "align_with", aligning)
    write_features(tmp_path / "f.h5", made_features())
    run = AlignRun("mini", device="cpu", threshold=0.0)
    pairs = [
        replace(pair(clip_file, subtitles, tmp_path / "out" / f"{name}.h5", name), features=tmp_path / "f.h5")
        for name in "abcd"
    ]

    def aligned(one: Pair) -> list[str]:
        ends = align_pairs([one], run, folder=tmp_path / "out", settings=Settings(deterministic=True))
        return [result.status for result, _ in ends]

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(aligned, pairs)) == [["done"]] * 4
    assert (len(loads), most) == (1, [1] * 4)
    assert len({path.read_bytes() for path in (tmp_path / "out").glob("*.h5")}) == 1
