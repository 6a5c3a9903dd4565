from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from click.testing import CliRunner

from vidalign.cli.synth import synth
from vidalign.errors import ConfigError, OutputMismatchError
from vidalign.evaluation.annotations import read_annotations
from vidalign.synthetic.settings import LEVELS, make_settings, read_knobs


def test_paths_on_stdout(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        synth, ["-o", str(tmp_path), "--videos", "2", "--seed", "4", "--seconds", "20"]
    )
    assert result.exit_code == 0
    paths = [Path(line) for line in result.stdout.splitlines()]
    assert [path.name for path in paths] == ["howto-4-0000.mp4", "howto-4-0001.mp4"]
    assert all(path.is_file() for path in paths)
    assert "alignable" in result.stderr


def test_json_lines(tmp_path: Path) -> None:
    result = CliRunner().invoke(synth, ["-o", str(tmp_path), "--seconds", "20", "--json", "-q"])
    (line,) = result.stdout.splitlines()
    written = json.loads(line)
    assert Path(written["video"]).is_file()
    assert Path(written["subtitles"]).is_file()
    assert 0 < written["alignable"] < written["cues"]
    assert result.stderr == ""


def test_a_second_run_is_refused_unless_told(tmp_path: Path) -> None:
    command = ["-o", str(tmp_path), "--seconds", "20"]
    assert CliRunner().invoke(synth, command).exit_code == 0
    assert isinstance(CliRunner().invoke(synth, command).exception, OutputMismatchError)
    assert CliRunner().invoke(synth, [*command, "--overwrite"]).exit_code == 0


def test_too_short_is_told(tmp_path: Path) -> None:
    result = CliRunner().invoke(synth, ["-o", str(tmp_path), "--seconds", "3"])
    assert isinstance(result.exception, ConfigError)
    assert not any(tmp_path.iterdir())


def test_level_and_knobs_of_a_file(tmp_path: Path) -> None:
    config = tmp_path / "hard.yaml"
    config.write_text("level: hard\nseconds: 30\nfiller_share: 1\n")
    out = tmp_path / "world"
    result = CliRunner().invoke(synth, ["-o", str(out), "--config", str(config), "--seconds", "25"])
    assert result.exit_code == 0
    made = make_settings(read_knobs(out / "world.yaml"))
    assert made == replace(LEVELS["hard"], seconds=25.0, filler_share=1.0)


def test_a_wrong_knob_is_named_and_nothing_is_drawn(tmp_path: Path) -> None:
    config = tmp_path / "world.yaml"
    config.write_text("level: hard\nfillers: 1\n")
    result = CliRunner().invoke(synth, ["-o", str(tmp_path / "out"), "--config", str(config)])
    assert isinstance(result.exception, ConfigError)
    assert "unknown knob 'fillers'" in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_features_instead_of_videos(tmp_path: Path) -> None:
    command = [
        "-o",
        str(tmp_path),
        "--videos",
        "2",
        "--seed",
        "4",
        "--seconds",
        "20",
        "--features-only",
        "--json",
    ]
    result = CliRunner().invoke(synth, command)
    assert result.exit_code == 0
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [Path(line["features"]).name for line in lines] == ["howto-4-0000.h5", "howto-4-0001.h5"]
    assert all(Path(line["subtitles"]).is_file() for line in lines)
    assert not (tmp_path / "videos").exists()
    assert len(read_annotations(tmp_path / "truth.json")) == 2
    assert isinstance(CliRunner().invoke(synth, command).exception, OutputMismatchError)
    assert CliRunner().invoke(synth, [*command, "--overwrite"]).exit_code == 0
