"""Fetching a model: sources of its card, pins, offline, and what to do when every link is dead."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from vidalign.errors import MissingModelError, ModelError
from vidalign.weights.add import Checks, add_files
from vidalign.weights.cache import hash_file, locate, missing_roles, read_pins
from vidalign.weights.cards import ModelCard, get_card
from vidalign.weights.fetch import fetch_model


@pytest.fixture
def card(s3d_checkpoint: Path, dictionary: Path) -> ModelCard:
    """The card of S3D with sources on this machine; the first one is always dead."""
    card = get_card("s3d-howto100m")
    files = [
        replace(entry, sources=((path.parent / "gone").as_uri(), path.as_uri()))
        for entry, path in zip(card.files, (s3d_checkpoint, dictionary), strict=True)
    ]
    return replace(card, files=tuple(files))


def test_fetch_downloads_converts_and_pins(
    places: Path, card: ModelCard, checks: Checks, s3d_checkpoint: Path
) -> None:
    seen: list[str] = []
    added = list(fetch_model(card, checks, progress=lambda name, *_: seen.append(name)))
    assert [(a.role, a.state) for a in added] == [("backbone", "added"), ("dictionary", "added")]
    assert missing_roles(card) == ()
    pin = read_pins(card.name)["backbone"]
    assert (pin.original_sha256, pin.source) == (hash_file(s3d_checkpoint), s3d_checkpoint.as_uri())
    assert set(seen) == {"s3d_howto100m.pth", "s3d_dict.npy"}
    assert not any((places / "models" / card.name / "downloads").iterdir())
    assert list(fetch_model(card, checks)) == []


def test_the_first_verified_hash_is_pinned(card: ModelCard, checks: Checks, s3d_checkpoint: Path) -> None:
    list(fetch_model(card, checks))
    locate(card, "backbone").unlink()
    s3d_checkpoint.write_bytes(s3d_checkpoint.read_bytes() + b"\0")
    with pytest.raises(ModelError, match="another file: sha256"):
        list(fetch_model(card, checks))
    assert missing_roles(card) == ("backbone",)


def test_a_published_hash_is_demanded(card: ModelCard, checks: Checks) -> None:
    backbone = replace(card.files[0], sha256="0" * 64)
    with pytest.raises(ModelError, match=f"instead of {'0' * 12}..."):
        list(fetch_model(replace(card, files=(backbone, card.files[1])), checks))
    assert missing_roles(card) == ("backbone",), "the other file came nevertheless"


def test_dead_links_name_every_file_and_the_add_line(
    card: ModelCard, checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = [replace(entry, sources=("file:///none/a", "file:///none/b")) for entry in card.files]
    with pytest.raises(ModelError) as caught:
        list(fetch_model(replace(card, files=tuple(dead)), checks))
    told = caught.value.message
    assert told.startswith("s3d_howto100m.pth could not be downloaded: file:///none/a: No such file")
    assert "; s3d_dict.npy could not be downloaded: file:///none/a: No such file" in told
    assert len(told) <= 300
    assert "`vidalign models add s3d-howto100m s3d_howto100m.pth s3d_dict.npy`" in caught.value.hint
    assert "fetch" not in caught.value.hint
    monkeypatch.setenv("VIDALIGN_DEBUG", "1")
    with pytest.raises(ModelError) as caught:
        list(fetch_model(replace(card, files=tuple(dead)), checks))
    assert caught.value.message.count("file:///none/") == 4


def test_a_download_that_does_not_fit_is_refused_and_removed(
    places: Path, card: ModelCard, checks: Checks, twin_checkpoint: Path
) -> None:
    wrong = replace(card.files[0], sources=(twin_checkpoint.as_uri(),))
    with pytest.raises(ModelError, match="not the weights of s3d-howto100m"):
        list(fetch_model(replace(card, files=(wrong, card.files[1])), checks))
    assert not any((places / "models" / card.name / "downloads").iterdir())


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_the_offline_switch_can_be_off(
    monkeypatch: pytest.MonkeyPatch, card: ModelCard, checks: Checks, value: str
) -> None:
    monkeypatch.setenv("VIDALIGN_OFFLINE", value)
    assert len(list(fetch_model(card, checks))) == 2


def test_offline_names_the_command_for_a_connected_machine(
    places: Path, monkeypatch: pytest.MonkeyPatch, card: ModelCard, checks: Checks
) -> None:
    monkeypatch.setenv("VIDALIGN_OFFLINE", "1")
    with pytest.raises(
        MissingModelError, match=r"on a connected machine: `vidalign models fetch s3d-howto100m`"
    ):
        list(fetch_model(card, checks))
    assert not places.exists()


def test_offline_is_no_trouble_when_all_is_here(
    monkeypatch: pytest.MonkeyPatch, card: ModelCard, checks: Checks, s3d_checkpoint: Path, dictionary: Path
) -> None:
    add_files(card, [s3d_checkpoint, dictionary], checks)
    monkeypatch.setenv("VIDALIGN_OFFLINE", "1")
    assert list(fetch_model(card, checks)) == []


def test_overwrite_fetches_again(card: ModelCard, checks: Checks, s3d_checkpoint: Path) -> None:
    list(fetch_model(card, checks))
    locate(card, "backbone").write_bytes(b"damaged")
    assert [a.state for a in fetch_model(card, checks, overwrite=True)] == ["replaced", "same"]
