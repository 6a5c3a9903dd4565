from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import av
import numpy as np
import pytest

from vidalign.errors import OutputMismatchError, UsageError
from vidalign.evaluation.annotations import read_annotations
from vidalign.synthetic.generate import Written, draw_sample, generate, webvtt
from vidalign.synthetic.lexicon import COLOURS
from vidalign.synthetic.settings import WorldSettings, make_settings, read_knobs
from vidalign.text.sentences import make_transcript
from vidalign.text.subtitles import read_subtitles

SETTINGS = WorldSettings(seconds=20, cast=0, exposure=0, veil_share=0, hidden_share=0)


def make(folder: Path, seed: int = 1, videos: int = 2, **options: bool) -> list[Written]:
    return list(generate(folder, videos, seed, SETTINGS, **options))


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("world")
    make(made)
    return made


def test_layout(folder: Path) -> None:
    assert sorted(digests(folder)) == [
        "sentences.csv",
        "subtitles/howto-1-0000.vtt",
        "subtitles/howto-1-0001.vtt",
        "truth.json",
        "videos/howto-1-0000.mp4",
        "videos/howto-1-0001.mp4",
        "world.yaml",
    ]


def test_same_seed_same_bytes(folder: Path, tmp_path: Path) -> None:
    make(tmp_path)
    assert digests(tmp_path) == digests(folder)


def test_a_video_does_not_depend_on_how_many_there_are(folder: Path, tmp_path: Path) -> None:
    make(tmp_path, videos=1)
    few, many = digests(tmp_path), digests(folder)
    assert few["videos/howto-1-0000.mp4"] == many["videos/howto-1-0000.mp4"]


def test_other_seed_other_world(folder: Path, tmp_path: Path) -> None:
    make(tmp_path, seed=2, videos=1)
    ours, theirs = (
        next(iter(read_annotations(where / "truth.json").values())) for where in (folder, tmp_path)
    )
    assert ours != theirs


def test_truth_has_one_row_a_cue_in_cue_order(folder: Path) -> None:
    truth = json.loads((folder / "truth.json").read_text("utf-8"))
    assert list(truth) == ["howto-1-0000", "howto-1-0001"]
    for name, rows in truth.items():
        cues = read_subtitles(folder / "subtitles" / f"{name}.vtt").cues
        assert [row[3] for row in rows] == [cue.plain for cue in cues]
        for (alignable, start, end, _), cue in zip(rows, cues, strict=True):
            assert 0 <= start < end <= SETTINGS.seconds
            if not alignable:
                assert (start, end) == (cue.start / 1000, cue.end / 1000)


def test_the_sentence_table_says_what_the_truth_says(folder: Path) -> None:
    truth = read_annotations(folder / "truth.json")
    with (folder / "sentences.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    rows = [(name, index, row) for name, rows in truth.items() for index, row in enumerate(rows)]
    assert len(table) == len(rows)
    for line, (name, index, row) in zip(table, rows, strict=True):
        assert (line["video"], int(line["cue"]), line["text"]) == (name, index, row.text)
        assert (float(line["start"]), float(line["end"])) == (row.start, row.end)
        assert bool(line["action"]) == bool(line["well_timed"]) == bool(row.alignable)


def test_the_knobs_beside_a_world_make_it_again(folder: Path) -> None:
    assert make_settings(read_knobs(folder / "world.yaml")) == SETTINGS


def test_rolling_captions_say_the_same_sentences(tmp_path: Path) -> None:
    sample = draw_sample(1, 0, SETTINGS)
    path = tmp_path / "rolling.vtt"
    path.write_text(webvtt(sample.narration, rolling=True), "utf-8")
    raw = read_subtitles(path, rolling="keep").cues
    assert [cue.plain.splitlines()[-1] for cue in raw] == [cue.text for cue in sample.narration]
    assert raw[1].plain.splitlines()[0] == sample.narration[0].text
    sentences = make_transcript(read_subtitles(path, rolling="collapse"), "cue").sentences
    assert [sentence.text for sentence in sentences] == [cue.text for cue in sample.narration]


def test_decoded_frames_show_what_the_truth_says(folder: Path) -> None:
    sample = draw_sample(1, 0, SETTINGS)
    with av.open(str(folder / "videos" / "howto-1-0000.mp4")) as container:
        frames = np.array([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    assert len(frames) == SETTINGS.frames
    for colour in {step.colour for step in sample.plan.steps}:
        far = np.abs(frames.astype(int) - np.array(COLOURS[colour].rgb)).max(axis=-1)
        pixels = (far < 45).sum(axis=(1, 2))
        shown = np.zeros(len(frames), bool)
        for index, step in enumerate(sample.plan.steps):
            if step.colour == colour:
                start, end = sample.plan.interval(index)
                inside = slice(round(start * SETTINGS.fps), round(end * SETTINGS.fps))
                shown[inside] = True
                assert pixels[inside].max() > 100, step
        assert pixels[~shown].max() < 40


def test_two_decoders_agree_on_start_and_length(folder: Path) -> None:
    with av.open(str(folder / "videos" / "howto-1-0001.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.start_time == 0
        assert float(stream.duration * stream.time_base) == SETTINGS.seconds
        assert "creation_time" not in container.metadata


def test_finished_folders_are_not_overwritten_silently(tmp_path: Path) -> None:
    make(tmp_path, videos=2)
    before = digests(tmp_path)
    with pytest.raises(OutputMismatchError, match="holds generated files"):
        make(tmp_path, seed=3, videos=1)
    assert digests(tmp_path) == before


def test_overwrite_replaces_the_old_world(tmp_path: Path) -> None:
    make(tmp_path, videos=2)
    keep = tmp_path / "videos" / "mine.mp4"
    keep.write_bytes(b"mine")
    make(tmp_path, seed=3, videos=1, overwrite=True)
    assert sorted(path.name for path in (tmp_path / "videos").iterdir()) == ["howto-3-0000.mp4", "mine.mp4"]
    assert list(read_annotations(tmp_path / "truth.json")) == ["howto-3-0000"]


def test_no_video_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least one video"):
        make(tmp_path, videos=0)
