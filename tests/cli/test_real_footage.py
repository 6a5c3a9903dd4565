"""Real videos through the command line, with the model that the package brings."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

import vidalign
from vidalign.cli.main import main

pytestmark = pytest.mark.media

SAID = """WEBVTT

00:00.000 --> 00:04.000
The astronauts float through the hatch of the station.

00:04.500 --> 00:09.000
Behind them you can see the curve of the Earth.
"""


def write_sound_only(path: Path) -> None:
    """Half a second of silence in an MP4 without pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        for number in range(24):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.rate, frame.pts = 48000, 1024 * number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def test_every_real_video_gets_its_features(media: Path, tmp_path: Path) -> None:
    assert main(["extract", str(media), "-o", str(tmp_path), "--backbone", "mini"]) == 0
    videos = [path for path in media.iterdir() if path.suffix in (".mp4", ".mkv")]
    assert sorted(path.stem for path in tmp_path.glob("*.h5")) == sorted(path.stem for path in videos)
    for path in tmp_path.glob("*.h5"):
        features = vidalign.load_features(path)
        assert np.isfinite(features.features).all()
        assert features.times[:, 0].tolist() == list(range(len(features.times)))


def test_bad_files_among_them_are_named_and_the_rest_is_done(
    media: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for path in media.glob("*.m[pk][4v]"):
        (folder / path.name).symlink_to(path)
    (folder / "empty.mp4").touch()
    write_sound_only(folder / "sound.mp4")
    with pytest.raises(SystemExit) as end:
        raise SystemExit(
            main(["extract", str(folder), "-o", str(tmp_path / "out"), "--backbone", "mini", "--json"])
        )
    assert end.value.code == 1
    out, err = capsys.readouterr()
    records = {record["item"]: record for record in map(json.loads, out.splitlines())}
    failed = {name for name, record in records.items() if record["status"] == "failed"}
    assert failed == {"empty.mp4", "sound.mp4"}
    assert "empty.mp4 is empty" in err and "sound.mp4 has no picture stream" in err
    assert len(list((tmp_path / "out").glob("*.h5"))) == len(records) - 2 == 6
    assert {path.name for path in (tmp_path / "out").glob("*.error.json")} == {
        "empty.error.json",
        "sound.error.json",
    }


def test_align_works_from_end_to_end_and_warns_about_the_words(
    media: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "said.vtt").write_text(SAID)
    arguments = ["align", str(media / "nasa_13013.mp4"), str(tmp_path / "said.vtt"), "--model", "mini"]
    assert main([*arguments, "-o", str(tmp_path / "out.h5")]) == 0
    err = capsys.readouterr().err
    assert "on real footage its result means nothing" in err
    assert "% of the words are outside the dictionary of mini" in err
    assert "for real footage: `vidalign models fetch clip-vit-b32`, then `--model clip-vit-b32`" in err
    assert err.rindex("clip-vit-b32") < err.index("vidalign models add tan-htm370k")
    alignment = vidalign.load_alignment(tmp_path / "out.h5")
    assert alignment.similarity is not None and alignment.similarity.shape == (2, 14)
    assert alignment.notice is not None and "synthetic how-to world" in alignment.notice
