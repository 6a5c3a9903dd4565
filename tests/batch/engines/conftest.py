"""The random model, the generated videos, and no thread that outlives a test."""

import threading
from collections.abc import Iterator

import pytest

from tests.tiny import clip_file, tiny, tiny_files

__all__ = ["clip_file", "nothing_is_left", "tiny", "tiny_files"]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """After each test every thread of its pipelines has ended."""
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("vidalign-")]
