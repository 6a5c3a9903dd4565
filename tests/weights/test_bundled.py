"""The files inside the package are those that their card describes."""

from __future__ import annotations

import pytest

from vidalign.cli.main import main
from vidalign.weights.cache import hash_file, stored_path
from vidalign.weights.cards import get_card

MOST_BYTES = 8_000_000


def test_card_and_files_agree_and_are_small() -> None:
    card = get_card("mini")
    for file in card.files:
        path = stored_path(card, file.role)
        assert (path.stat().st_size, hash_file(path)) == (file.size, file.sha256)
    assert sum(file.size or 0 for file in card.files) <= MOST_BYTES


def test_verify_compares_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify", "mini"]) == 0
    said = capsys.readouterr()
    assert "no recorded hash" not in said.out + said.err
