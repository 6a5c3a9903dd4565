"""Cards of several checkpoints, marks of format only, and hashes of which only the beginning is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from vidalign.cli.models_text import description, listing, record
from vidalign.errors import ConfigError, ModelError
from vidalign.weights.add import Checks, add_files
from vidalign.weights.cache import hash_file, locate, missing_roles, model_dir
from vidalign.weights.card_text import card_text, parse_card, parse_cards
from vidalign.weights.cards import get_card, siblings
from vidalign.weights.fetch import fetch_model

CARD = """
name: several
summary: s
licence: MIT
citation: c
source: u
knows: little
notes: [of all]
backbone:
  family: s3d
  config: {width: 1, embedding: 4}
  recipe: s3d-16fps
  recipes: [s3d-16fps, videoclip]
  layers: {mixed_5c: 7, video_embedding: 4}
"""
CHECKPOINTS = """
checkpoints:
  first:
    files: [{role: backbone, name: a.pth, sha256_prefix: "0a1b2c3d"}]
  second:
    summary: another
    knows: more
    notes: [of this]
    config: {embedding: 8}
    layers: {video_embedding: 8, logits: 3}
    recipe: videoclip
    files: [{role: backbone, name: b.pth}]
"""


def test_each_checkpoint_is_a_card() -> None:
    first, second = parse_cards(CARD + CHECKPOINTS)
    assert (first.name, first.summary, first.notes) == ("several@first", "s", ("of all",))
    assert (second.name, second.summary, second.knows) == ("several@second", "another", "more")
    assert second.notes == ("of all", "of this")
    assert first.backbone is not None and second.backbone is not None
    assert (first.backbone.config, first.backbone.layers) == (
        {"width": 1, "embedding": 4},
        {"mixed_5c": 7, "video_embedding": 4},
    )
    assert (second.backbone.config, second.backbone.layers) == (
        {"width": 1, "embedding": 8},
        {"mixed_5c": 7, "video_embedding": 8, "logits": 3},
    )
    assert (first.backbone.recipe.name, second.backbone.recipe.name) == ("s3d-16fps", "videoclip")
    assert (first.files[0].sha256_prefix, second.files[0].sha256_prefix) == ("0a1b2c3d", "")


def test_a_card_without_them_is_one() -> None:
    text = CARD + "files: [{role: backbone, name: a.pth}]\nformat_only: true\n"
    (card,) = parse_cards(text)
    assert card == parse_card(text)
    assert card.format_only
    assert parse_card(card_text(card)) == card


@pytest.mark.parametrize("name", ["tsp-r2plus1d-34@tsp_on_thumos14", "c3d@sports1m-487", "r3d-18"])
def test_what_is_written_is_read_back(name: str) -> None:
    card = get_card(name)
    assert parse_card(card_text(card)) == card


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (CARD + "checkpoints: {}\n", "must name at least one"),
        (CARD + "checkpoints: [a]\n", "must be a mapping"),
        (CARD + CHECKPOINTS + "files: [{role: backbone, name: a.pth}]\n", "files of its own"),
        (CARD + "checkpoints: {a: {}}\n", "a: files must be a list"),
        (
            CARD + CHECKPOINTS.replace("    summary: another", "    colour: red"),
            "second: unknown key 'colour'",
        ),
        (CARD + CHECKPOINTS.replace("  second:", "  s/c:"), "is no name for a model"),
        (CARD + CHECKPOINTS.replace("recipe: videoclip", "recipe: other"), "must be one of recipes"),
        (CARD + CHECKPOINTS.replace('"0a1b2c3d"', '"0a1b2c3"'), "8 to 64 lower-case"),
        (CARD + CHECKPOINTS.replace('"0a1b2c3d"', "12345678"), "sha256_prefix has the wrong type"),
        (CARD + CHECKPOINTS.replace('"0a1b2c3d"', '"0A1B2C3D"'), "8 to 64 lower-case"),
        (CARD + "format_only: 1\nfiles: [{role: backbone, name: a}]\n", "format_only has the wrong type"),
    ],
)
def test_faulty_checkpoints_are_refused(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parse_cards(text)


def test_a_folder_s_card_has_none() -> None:
    with pytest.raises(ConfigError, match=r"unknown key 'checkpoints'|files must be a list"):
        parse_card(CARD + CHECKPOINTS)


def test_a_card_s_name_is_its_first_checkpoint() -> None:
    assert get_card("tsp-r2plus1d-34").name == "tsp-r2plus1d-34@tsp_on_activitynet"
    assert get_card("tsp-r2plus1d-34") == get_card("tsp-r2plus1d-34@tsp_on_activitynet")
    assert len(siblings(get_card("tsp-r2plus1d-34"))) == 6
    assert siblings(get_card("mini")) == ()


@pytest.mark.parametrize("name", ["tsp-r3d-18@", "tsp-r3d-18@gone", "mini@other", "mini@"])
def test_an_unknown_checkpoint_names_those_there_are(name: str) -> None:
    stem = name.partition("@")[0]
    with pytest.raises(ModelError, match=f"model '{stem}' has no checkpoint .*it has: {stem}"):
        get_card(name)


def test_each_has_a_place_of_its_own_and_a_row() -> None:
    cards = [get_card("tsp-r3d-18"), get_card("tsp-r3d-18@tac_on_kinetics"), get_card("r3d-18")]
    assert len({model_dir(card.name) for card in cards}) == 3
    lines = listing(cards).splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == [card.name for card in cards]
    assert ["format only" in line for line in lines[1:-1]] == [False, False, True]
    assert [record(card)["format_only"] for card in cards] == [False, False, True]
    assert "sha256 begins with dcd952c6" in description(cards[1])
    assert record(cards[1])["files"][0]["published_sha256_prefix"] == "dcd952c6"
    assert "format only: " in description(cards[2])
    assert "other checkpoints: tsp-r3d-18@tac_on_activitynet, tsp-r3d-18@tac_on_kinetics" in description(
        cards[0]
    )
    assert "other checkpoints" not in description(cards[2])


def prefixed(checkpoint: Path, prefix: str):
    """The card of S3D with one file, from this machine, whose hash begins like that."""
    card = get_card("s3d-howto100m")
    entry = replace(card.files[0], sha256_prefix=prefix, sources=(checkpoint.as_uri(),))
    return replace(card, files=(entry,))


def test_fetch_demands_what_is_known_of_the_hash(checks: Checks, s3d_checkpoint: Path) -> None:
    right = hash_file(s3d_checkpoint)[:8]
    wrong = prefixed(s3d_checkpoint, "00000000")
    told = r"gave another file: sha256 [0-9a-f]{12}\.\.\. instead of 00000000\.\.\."
    with pytest.raises(ModelError, match=told):
        list(fetch_model(wrong, checks))
    assert missing_roles(wrong) == ("backbone",)
    (came,) = fetch_model(prefixed(s3d_checkpoint, right), checks)
    assert (came.state, came.warnings) == ("added", ())


def test_add_warns_of_another_hash(checks: Checks, s3d_checkpoint: Path) -> None:
    (added,) = add_files(prefixed(s3d_checkpoint, "00000000"), [s3d_checkpoint], checks)
    assert "is not the published file" in added.warnings[0]
    right = prefixed(s3d_checkpoint, hash_file(s3d_checkpoint)[:12])
    assert add_files(right, [s3d_checkpoint], checks)[0].warnings == ()
    assert locate(right, "backbone").is_file()


def test_names_are_changed_before_they_are_checked(checks: Checks, s3d_checkpoint: Path) -> None:
    def without_last_letter(card, role, tensors):
        return {name.removesuffix("!"): tensor for name, tensor in tensors.items()}

    import torch

    state = torch.load(s3d_checkpoint, weights_only=True)
    torch.save({f"{name}!": tensor for name, tensor in state.items()}, s3d_checkpoint)
    card = get_card("s3d-howto100m")
    with pytest.raises(ModelError, match="not the weights of s3d-howto100m"):
        add_files(card, [s3d_checkpoint], checks)
    (added,) = add_files(card, [s3d_checkpoint], replace(checks, rename=without_last_letter))
    assert added.role == "backbone"
