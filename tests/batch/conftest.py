"""The random model and the generated videos."""

import pytest

from tests.tiny import broken_file, clip_file, reads_here, tiny, tiny_files

__all__ = ["broken_file", "clip_file", "inside", "reads_here", "tiny", "tiny_files"]


@pytest.fixture(autouse=True)
def inside(reads_here: None) -> None:
    """Every test reads in this process; a file that does not overrides this."""
