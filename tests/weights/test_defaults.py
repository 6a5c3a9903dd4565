"""The default model, and the messages about models that are not here."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidalign.errors import ConfigError, MissingModelError
from vidalign.weights.cache import cache_dir, locate, model_dir
from vidalign.weights.cards import get_card, parse_card
from vidalign.weights.defaults import config_dir, default_model, set_default_model


def test_the_bundled_model_is_the_default() -> None:
    assert default_model() == "mini"


def test_the_choice_is_kept_and_taken_back() -> None:
    assert set_default_model(get_card("tan-htm370k")) == "tan-htm370k"
    assert default_model() == "tan-htm370k"
    assert set_default_model(None) == "mini"
    assert default_model() == "mini"
    assert not any(config_dir().iterdir())


def test_a_model_that_aligns_nothing_cannot_be_the_default() -> None:
    about = "name: b, summary: s, licence: l, citation: c, source: s, knows: k"
    text = f"{{{about}, files: [{{role: backbone, name: x}}]}}"
    with pytest.raises(ConfigError, match="only extracts"):
        set_default_model(parse_card(text))


@pytest.mark.parametrize("content", ["{", "[]", '{"model": 3}', "\xff"])
def test_a_damaged_choice_names_the_way_out(content: str) -> None:
    config_dir().mkdir()
    (config_dir() / "default-model.json").write_text(content, "latin-1")
    with pytest.raises(ConfigError, match="`vidalign models use --reset`"):
        default_model()


def test_the_cache_is_where_the_variable_says(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_dir() == places
    assert model_dir("x") == places / "models" / "x"
    monkeypatch.delenv("VIDALIGN_CACHE")
    assert cache_dir().name == "vidalign"


def test_a_missing_model_is_one_message_with_the_commands() -> None:
    with pytest.raises(MissingModelError) as caught:
        locate("tan-htm370k", "aligner")
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    files = "cotrain_word2vec_htm-370k_len64_e6d6.pth.tar s3d_dict.npy"
    assert f"`vidalign models add tan-htm370k {files}`" in caught.value.hint
    assert "`vidalign models fetch tan-htm370k`" in caught.value.hint
