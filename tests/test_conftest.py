"""The rules of tests/conftest.py hold: they fail what they should, in a run of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parent / "conftest.py"
SETTINGS = "[pytest]\nmarkers =\n  media: videos\n  parity: goldens\n"


def outcome(folder: Path, source: str, media: Path) -> str:
    """The last line that pytest prints for a test module of its own."""
    (folder / "conftest.py").write_text(CONFTEST.read_text())
    (folder / "pytest.ini").write_text(SETTINGS)
    (folder / "test_it.py").write_text("import logging, os, pytest\n" + source)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    environment = {**os.environ, "VIDALIGN_TEST_MEDIA": str(media), "VIDALIGN_OFFLINE": "1"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    return done.stdout.splitlines()[-1]


def test_a_skipped_parity_test_has_failed(tmp_path: Path) -> None:
    source = "@pytest.mark.parity\ndef test_a(): pytest.skip('no time')\ndef test_b(): pytest.skip('fine')"
    assert outcome(tmp_path, source, tmp_path / "none").startswith("1 failed, 1 skipped")


@pytest.mark.parametrize(("there", "said"), [(True, "1 error"), (False, "1 skipped")])
def test_a_skipped_media_test_has_failed_where_the_videos_are(tmp_path: Path, there: bool, said: str) -> None:
    videos = tmp_path / "videos"
    if there:
        videos.mkdir()
    source = "pytestmark = pytest.mark.media\n@pytest.mark.skipif(True, reason='x')\ndef test_a(): pass"
    assert outcome(tmp_path, source, videos).startswith(said)


def test_an_error_in_the_log_fails_a_test_that_does_not_expect_it(tmp_path: Path) -> None:
    source = (
        "log = logging.getLogger('vidalign.room')\n"
        "def test_a(): log.error('bad')\n"
        "def test_b(logged_errors): log.error('bad'); logged_errors.clear()\n"
        "def test_c(): log.warning('fine')\n"
    )
    assert outcome(tmp_path, source, tmp_path).startswith("3 passed, 1 error")


def test_the_runner_s_own_settings_stay_outside(tmp_path: Path) -> None:
    source = "def test_a(): assert 'VIDALIGN_OFFLINE' not in os.environ"
    assert outcome(tmp_path, source, tmp_path).startswith("1 passed")
