from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from vidalign.cli.synth import synth
from vidalign.errors import ConfigError, OutputMismatchError


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
