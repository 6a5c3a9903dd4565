from __future__ import annotations

from collections.abc import Iterator

import pytest

from vidalign.store.remote import RemotePlace


@pytest.fixture
def bucket() -> Iterator[RemotePlace]:
    """An empty place that lives in memory."""
    place = RemotePlace("memory://bucket")
    yield place
    for file in place.files():
        place.below(file.name).remove()
