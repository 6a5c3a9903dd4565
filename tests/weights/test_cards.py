"""Cards and recipes: what they promise, and that nothing unknown slips in."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidalign.errors import ConfigError, ModelError
from vidalign.weights.cards import backbone_of, card_names, get_card, list_cards, parse_card
from vidalign.weights.recipes import get_recipe, recipe_names

CARD = """
name: small
summary: s
licence: MIT
citation: c
source: u
knows: little
files:
  - {role: backbone, name: a.pth}
"""


def test_known_cards() -> None:
    assert {"mini", "s3d-howto100m", "tan-htm370k", "i3d-rgb@kinetics", "s3d-kinetics"} <= set(card_names())


ALIGNERS = [card for card in list_cards() if card.aligner is not None and card.aligner.backbone]


@pytest.mark.parametrize("card", ALIGNERS, ids=lambda card: card.name)
def test_an_aligner_reads_what_its_backbone_gives(card) -> None:
    assert card.aligner is not None
    backbone = get_card(card.aligner.backbone).backbone
    assert backbone is not None
    recipe = next(recipe for recipe in backbone.recipes if recipe.name == card.aligner.recipe)
    assert recipe.layer == card.aligner.layer or card.aligner.scorer == "similarity"
    width = backbone.layers[card.aligner.layer]
    assert card.aligner.config.get("video_dim", width) == width


@pytest.mark.parametrize("card", list_cards(), ids=card_names())
def test_every_card_file_is_bundled_or_can_be_got(card) -> None:
    by_hand = any("cannot be fetched" in note for note in card.notes)
    for entry in card.files:
        assert entry.bundled or entry.sources or entry.shared_with or by_hand


def test_s3d_says_that_the_released_recipe_is_undocumented() -> None:
    card = get_card("s3d-howto100m")
    assert any("undocumented" in note for note in card.notes)
    assert card.backbone is not None
    assert card.backbone.recipe.name == "s3d-16fps"
    assert [recipe.name for recipe in card.backbone.recipes] == ["s3d-16fps", "videoclip", "milnce-32x10"]
    assert card.backbone.layers == {"mixed_5c": 1024, "video_embedding": 512}


def test_tan_needs_s3d() -> None:
    spec = get_card("tan-htm370k").aligner
    assert spec is not None
    assert (spec.backbone, spec.layer, spec.recipe) == ("s3d-howto100m", "mixed_5c", "s3d-16fps")
    assert (spec.scorer, spec.text, spec.temperature) == ("tan", "word2vec", 0.07)


def test_nsva_reads_what_no_model_here_makes() -> None:
    narration, step = get_card("nsva"), get_card("nsva@step")
    assert narration.name == "nsva@narration" and backbone_of(narration) is narration
    for card, ordered in ((narration, True), (step, False)):
        assert card.aligner is not None and card.aligner.backbone == ""
        assert (card.aligner.text, card.aligner.config["ordered"]) == ("file", ordered)


def test_tempclr_needs_s3d_s_own_embedding() -> None:
    for name in ("videoclip", "tempclr", "tempclr@layernorm-otam", "tempclr@allparameters-dtw"):
        spec = get_card(name).aligner
        assert spec is not None
        assert (spec.backbone, spec.layer, spec.recipe) == ("s3d-howto100m", "video_embedding", "videoclip")
        assert spec.decoder == ("peak" if name == "videoclip" else "dtw")
        assert "omegaconf.dictconfig.DictConfig" in get_card(name).file("aligner").pickle_globals


def test_mini_knows_its_limits() -> None:
    assert get_card("mini").knows == "the synthetic how-to world of vidalign only"


def test_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(ModelError, match=r"unknown model 'zzz'.*mini.*tan-htm370k"):
        get_card("zzz")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("colour: red", "unknown key 'colour'"),
        ("size: 3", "unknown key 'size'"),
        (
            "backbone: {family: s3d, layers: {a: 1}, recipe: s3d-16fps, recipes: [s3d-16fps], config: {}}",
            "layer",
        ),
        ("aligner: {scorer: tan}", "the key 'config' is missing|the key 'backbone' is missing"),
        ("aligner: {scorer: 3, config: {}, backbone: b, layer: l, recipe: r}", "scorer has the wrong type"),
        ("notes: text", "notes must be a list"),
        ("knows: [1]", "knows has the wrong type"),
        ("files: []", "files must be a list"),
        ("files: [{role: cat, name: x}]", "role is 'cat'"),
        ("files: [{role: vocab, name: x, sha256: ABC}]", "hexadecimal"),
        ("files: [{role: vocab, name: x, mirror: y}]", "unknown key 'mirror'"),
        ("files: [{role: vocab}]", "'name' is missing"),
        ("files: [{role: vocab, name: x, size: true}]", "size has the wrong type"),
        ("a: b: c", "not valid YAML"),
    ],
)
def test_a_faulty_card_is_refused(change: str, told: str) -> None:
    key = change.partition(":")[0]
    kept = [line for line in CARD.splitlines() if not line.startswith(key + ":")]
    if key == "files":
        kept = [line for line in kept if not line.startswith("  - ")]
    with pytest.raises(ConfigError, match=told):
        parse_card("\n".join([*kept, change]))
    assert parse_card(CARD).name == "small"


def test_built_in_recipes() -> None:
    assert {"milnce-32x10", "mini-8fps", "s3d-16fps", "videoclip", "i3d-64x64"} <= set(recipe_names())
    plain = get_recipe("s3d-16fps")
    assert (plain.fps, plain.frames, plain.stride, plain.size, plain.crop_size) == (16, 16, 1, 224, 224)
    assert (plain.layer, plain.tail, plain.l2, plain.range) == ("mixed_5c", "drop", False, "0-1")
    clip = get_recipe("videoclip")
    assert (clip.fps, clip.frames, clip.layer, clip.tail, clip.l2) == (
        30,
        30,
        "video_embedding",
        "zero",
        True,
    )
    dense = get_recipe("milnce-32x10")
    assert (dense.fps, dense.frames, dense.stride, dense.layer) == (10, 32, 1, "video_embedding")
    mini = get_recipe("mini-8fps")
    assert (mini.fps, mini.frames, mini.size, mini.crop_size, mini.tail) == (8, 8, 64, 64, "repeat")


def test_a_recipe_file_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "slow.yaml"
    path.write_text("fps: 4\nframes: 8\nstride: 2\nsize: 112\ncrop_size: 112\nlayer: mixed_5c\n")
    recipe = get_recipe(path)
    assert (recipe.name, recipe.fps, recipe.stride, recipe.tail) == ("slow", 4, 2, "drop")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fps: 4\n", "'frames' is missing"),
        ("fps: 4\nspeed: 3\n", "unknown key 'speed'"),
        ("- 1\n", "mapping"),
        ("a: [", "cannot be read"),
        (
            "name: s3d-16fps\nfps: 4\nframes: 8\nstride: 2\nsize: 8\ncrop_size: 8\nlayer: mixed_5c\n",
            "built in with other values",
        ),
    ],
)
def test_a_faulty_recipe_file_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told):
        get_recipe(path)


def test_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"unknown recipe 'fast'.*s3d-16fps"):
        get_recipe("fast")
