"""The random model, generated videos, and command lines run in this process."""

import pytest

from tests.tiny import broken_file, cli, clip_file, reads_here, tiny, tiny_files

__all__ = ["broken_file", "cli", "clip_file", "inside", "reads_here", "tiny", "tiny_files"]


@pytest.fixture(autouse=True)
def inside(reads_here: None) -> None:
    """Every test reads in this process; a file that does not overrides this."""
