"""What the tests of subtitles share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def cases() -> Path:
    """The folder of subtitle files, each with the cues it must give beside it."""
    return Path(__file__).parent.parent / "data" / "subtitles"
