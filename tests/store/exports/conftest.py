"""Writing in one format, checked as the program does it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vidalign.store.exports.formats import AlignmentFormat, FeaturesFormat, Options
from vidalign.store.exports.registry import get_format
from vidalign.types import Alignment, Features

Export = Callable[..., Path]


@pytest.fixture
def export(tmp_path: Path) -> Export:
    """export(format, held, name=..., **options) -> the file written."""

    def write(
        name: str, *held: Alignment | Features, called: tuple[str, ...] = (), **options: object
    ) -> Path:
        form = get_format(name)
        names = called or tuple(f"v{number}" for number in range(len(held)))
        path = tmp_path / (names[0].replace("/", "_") + form.suffix)
        chosen = Options(**options)  # type: ignore[arg-type]
        if isinstance(form, AlignmentFormat):
            pairs = [(n, h) for n, h in zip(names, held, strict=True) if isinstance(h, Alignment)]
            form.write(path, pairs, chosen)
        else:
            assert isinstance(form, FeaturesFormat)
            form.write(
                path, [(n, h) for n, h in zip(names, held, strict=True) if isinstance(h, Features)], chosen
            )
        return path

    return write
