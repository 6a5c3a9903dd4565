"""Which features belong to which subtitles, what is left out and told, and how the rest is split."""

from __future__ import annotations

import errno
import json
import logging
from pathlib import Path

import numpy as np
import pytest

from vidalign.aligners.tokens import DictionaryTokens
from vidalign.errors import ConfigError, DataError, StoreError, SubtitleError
from vidalign.store.features import write_features
from vidalign.training.data.sources import Gathered, Holding, Reading
from vidalign.training.data.spoken_videos import FeatureSource
from vidalign.training.data.tan import TanData, TanSets, load_tan_sets
from vidalign.types import Features
from vidalign.weights.recipes import get_recipe

TOKENS = DictionaryTokens(["one", "two", "three"], length=32, unknown="keep")


def features(path: Path, seconds: int = 100, *, width: int = 4, backbone: str = "mini") -> Path:
    """A features file of one clip a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    starts = np.arange(seconds, dtype=np.float64)
    values = np.zeros((seconds, width), np.float16)
    made = Features(values, np.stack([starts, starts + 1], 1), backbone, get_recipe("mini-8fps"))
    write_features(path, made)
    return path


def subtitles(path: Path, text: str = "one") -> Path:
    """One sentence of two seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"WEBVTT\n\n00:05.000 --> 00:07.000\n{text}\n", "utf-8")
    return path


def load(tmp_path: Path, **options: object) -> TanSets:
    source = FeatureSource(tmp_path / "features", tmp_path / "subtitles")
    return load_tan_sets(TanData(training=source, **options), TOKENS)  # type: ignore[arg-type]


def names(sets: TanSets) -> list[str]:
    return [video.name for video in sets.training.videos]


def test_files_are_matched_by_name_below_their_folders(tmp_path: Path) -> None:
    features(tmp_path / "features" / "b.h5")
    features(tmp_path / "features" / "sub" / "a.mp4.h5")
    features(tmp_path / "features" / "c.d.h5")
    (tmp_path / "features" / "b.align.h5").write_bytes(b"not features")
    subtitles(tmp_path / "subtitles" / "b.vtt", "one")
    subtitles(tmp_path / "subtitles" / "sub" / "a.en.vtt", "two")
    subtitles(tmp_path / "subtitles" / "c.d.vtt", "three")
    sets = load(tmp_path)
    assert names(sets) == ["b", "c.d", "sub/a"]
    assert [video.spoken.tokens.tolist() for video in sets.training.videos] == [[[1]], [[3]], [[2]]]
    assert sets.validation is None
    assert sets.notes == ()
    assert (sets.origin.backbone, sets.origin.width) == ("mini", 4)


def test_what_cannot_be_used_is_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("good", "alone", "silent", "late", "untimed"):
        features(tmp_path / "features" / f"{name}.h5")
        subtitles(tmp_path / "subtitles" / f"{name}.vtt", "four" if name == "silent" else "one")
    (tmp_path / "subtitles" / "alone.vtt").unlink()
    (tmp_path / "subtitles" / "untimed.vtt").rename(tmp_path / "subtitles" / "untimed.txt")
    (tmp_path / "subtitles" / "untimed.txt").write_text("one\ntwo\n")
    features(tmp_path / "features" / "late.h5", 6)
    (tmp_path / "features" / "broken.h5").write_bytes(b"hello")
    subtitles(tmp_path / "subtitles" / "broken.vtt")
    with caplog.at_level(logging.WARNING, "vidalign"):
        sets = load(tmp_path)
    assert names(sets) == ["good"]
    told = "\n".join(sets.notes)
    assert told == "\n".join(caplog.messages)
    assert "1 video left out: no subtitles: alone" in told
    assert "2 videos left out: no sentence within the video lasts a second" in told
    assert "broken.h5 is not an HDF5 file" in told
    assert "its sentences have no times" in told


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    features(tmp_path / "features" / "a.h5")
    subtitles(tmp_path / "subtitles" / "b.vtt")
    with pytest.raises(DataError, match="no video to train on: 1 video left out: no subtitles: a"):
        load(tmp_path)


def test_missing_folders_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no features in"):
        load(tmp_path)
    features(tmp_path / "features" / "a.h5")
    with pytest.raises(SubtitleError, match="no such folder"):
        load(tmp_path)


def test_two_features_of_one_name_are_refused(tmp_path: Path) -> None:
    features(tmp_path / "features" / "a.h5")
    features(tmp_path / "features" / "a.mp4.h5")
    with pytest.raises(ConfigError, match="the same name a"):
        load(tmp_path)


def test_features_made_in_different_ways_are_refused(tmp_path: Path) -> None:
    for name, backbone in (("a", "mini"), ("b", "other")):
        features(tmp_path / "features" / f"{name}.h5", backbone=backbone)
        subtitles(tmp_path / "subtitles" / f"{name}.vtt")
    with pytest.raises(ConfigError, match=r"different ways.*mini / other"):
        load(tmp_path)


def test_lengths_and_hold_out_filter(tmp_path: Path) -> None:
    for name, seconds in (("a", 64), ("b", 65), ("c", 999), ("d", 1000), ("sub/held", 100)):
        features(tmp_path / "features" / f"{name}.h5", seconds)
        subtitles(tmp_path / "subtitles" / f"{name}.vtt")
    (tmp_path / "held.txt").write_text("held\n\nnever seen\n")
    holding = Holding(hold_out=tmp_path / "held.txt")
    sets = load(tmp_path, holding=holding, min_seconds=64, max_seconds=1000)
    assert names(sets) == ["b", "c"]
    assert any("held out: sub/held" in note for note in sets.notes)
    with pytest.raises(ConfigError, match="list of names"):
        load(tmp_path, holding=Holding(hold_out=tmp_path / "none.txt"))


def test_the_first_names_validate(tmp_path: Path) -> None:
    for index in range(40):
        features(tmp_path / "features" / f"v{index:02}.h5", 10)
        subtitles(tmp_path / "subtitles" / f"v{index:02}.vtt")
    sets = load(tmp_path)
    assert sets.validation is not None
    assert [video.name for video in sets.validation.videos] == ["v00", "v01"]
    assert names(sets) == [f"v{index:02}" for index in range(2, 40)]
    few = load(tmp_path, holding=Holding(validation_limit=1))
    assert few.validation is not None and len(few.validation) == 1
    assert load(tmp_path, holding=Holding(validation_share=0)).validation is None


def test_a_validation_source_of_its_own(tmp_path: Path) -> None:
    for folder in ("", "other/"):
        features(tmp_path / f"{folder}features" / f"{folder[:1]}a.h5")
        subtitles(tmp_path / f"{folder}subtitles" / f"{folder[:1]}a.vtt")
    other = FeatureSource(tmp_path / "other" / "features", tmp_path / "other" / "subtitles")
    sets = load(tmp_path, validation=other)
    assert names(sets) == ["a"]
    assert sets.validation is not None
    assert [video.name for video in sets.validation.videos] == ["oa"]


def test_a_json_of_many_videos(tmp_path: Path) -> None:
    (tmp_path / "features").mkdir()
    for name in ("-x_1.mp4.npy", "y.webm.npy", "z.npy"):
        np.save(tmp_path / "features" / name, np.zeros((80, 4), np.float32))
    captions = {
        "-x_1": {"text": ["two", "one"], "start": [9.0, 3.0], "end": [11.5, 4.0]},
        "y": {"text": ["three"], "start": [3.0], "end": [5.0]},
    }
    (tmp_path / "htm.json").write_text(json.dumps(captions))
    sets = load_tan_sets(
        TanData(training=FeatureSource(tmp_path / "features", tmp_path / "htm.json")), TOKENS
    )
    assert names(sets) == ["-x_1", "y"]
    assert sets.training.videos[0].spoken.times.tolist() == [[3, 4], [9, 11.5]]
    assert sets.notes == ("1 video left out: no captions: z",)


def test_a_manifest_names_the_pairs(tmp_path: Path) -> None:
    features(tmp_path / "f" / "a.h5")
    subtitles(tmp_path / "s" / "other.vtt", "two")
    table = tmp_path / "pairs.csv"
    table.write_text("features,subtitles\nf/a.h5, s/other.vtt\n")
    sets = load_tan_sets(TanData(training=FeatureSource(manifest=table)), TOKENS)
    assert names(sets) == ["f/a"]
    assert sets.training.videos[0].spoken.tokens.tolist() == [[2]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("video,subtitles\na,b\n", "the header is not features,subtitles"),
        ("features,subtitles\na.h5\n", r"pairs\.csv:2: not one cell a column"),
        ("features,subtitles\na.h5,b.vtt,c\n", r"pairs\.csv:2"),
        ("features,subtitles\na.h5,b.vtt\na.h5,c.vtt\n", "stands there twice"),
        ("features,subtitles\n", "no video to train on"),
    ],
)
def test_wrong_manifests_are_refused(tmp_path: Path, content: str, message: str) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text(content)
    with pytest.raises((ConfigError, DataError), match=message):
        load_tan_sets(TanData(training=FeatureSource(manifest=table)), TOKENS)


def test_sources_are_one_thing_or_the_other() -> None:
    for wrong in (
        {},
        {"features": Path("f")},
        {"subtitles": Path("s")},
        {"features": Path("f"), "subtitles": Path("s"), "manifest": Path("m")},
        {"features": Path("f"), "manifest": Path("m")},
    ):
        with pytest.raises(ConfigError, match="or a manifest"):
            FeatureSource(**wrong)


def test_captions_are_read_as_the_configuration_says(tmp_path: Path) -> None:
    features(tmp_path / "features" / "a.h5")
    text = "WEBVTT\n\n00:05.000 --> 00:07.000\none two\n\n00:07.000 --> 00:09.000\nthree.\n"
    subtitles(tmp_path / "subtitles" / "a.vtt").write_text(text)
    joined = load(tmp_path, reading=Reading(segment="sentence")).training.videos[0].spoken
    assert joined.times.tolist() == [[5, 9]]
    assert len(load(tmp_path).training.videos[0].spoken) == 2


def test_many_reasons_are_told_in_short(tmp_path: Path) -> None:
    features(tmp_path / "features" / "good.h5")
    subtitles(tmp_path / "subtitles" / "good.vtt")
    for index in range(12):
        (tmp_path / "features" / f"broken{index}.h5").write_bytes(b"hello")
        subtitles(tmp_path / "subtitles" / f"broken{index}.vtt")
        features(tmp_path / "features" / f"alone{index}.h5", 5)
    notes = load(tmp_path).notes
    assert notes[0] == "12 videos left out: no subtitles: alone0, alone1, alone10, ..."
    assert len(notes) == 9
    assert notes[-1] == "5 videos left out for other reasons"


def test_a_full_disk_is_no_fault_of_a_video() -> None:
    gathered: Gathered[None] = Gathered()
    gathered.fail(StoreError("broken"), "a")
    with pytest.raises(StoreError, match="full"):
        gathered.fail(StoreError("full", errno=errno.ENOSPC), "b")
    assert gathered.left_out == {"broken": ["a"]}
