"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of outputs of the reference implementations."""
    return Path(__file__).parent / "data" / "golden"


@pytest.fixture(scope="session")
def media() -> Path:
    """The folder of real videos; the test is skipped where it is absent."""
    folder = Path(os.environ.get("VIDALIGN_TEST_MEDIA", ROOT.parent / "shared" / "media"))
    if not folder.is_dir():
        pytest.skip(f"no folder of real videos at {folder}; set VIDALIGN_TEST_MEDIA")
    return folder
