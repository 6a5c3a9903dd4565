"""Models by the name a hub gives them: fetched from a server in this process, kept in the hub's cache."""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hf_models import clip_folder
from tests.hub import Hub
from vidalign.errors import MissingModelError, ModelError
from vidalign.weights import hub
from vidalign.weights.cache import file_sha256, locate, missing_roles
from vidalign.weights.cards import backbone_of, get_card
from vidalign.weights.verify import verify_model

NAME = "hf:someone/tiny-clip"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = clip_folder(tmp_path_factory.mktemp("served"))
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# tiny\n", "utf-8")
    return folder


@pytest.fixture
def remote(served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub, named by the environment, and an empty cache."""
    found = Hub(served)
    for name in ("HF_HOME", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_ENDPOINT", found.url)
    yield found
    found.close()


def test_a_model_comes_whole_and_only_once(remote: Hub, served: Path) -> None:
    seen: list[tuple[str, int]] = []
    came = list(hub.fetch(NAME, progress=lambda file, done, total: seen.append((file, done))))
    names = {path.name for path in came}
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= names
    assert "pytorch_model.bin" not in names and "vocab.json" not in names
    assert sum(done for _, done in seen) > 0
    assert list(hub.fetch(NAME)) == []
    card = get_card(NAME)
    assert (card.name, card.reference, card.folder_name) == (NAME, NAME, "hf--someone--tiny-clip")
    assert card.licence == "mit" and card.source == "https://huggingface.co/someone/tiny-clip"
    assert not missing_roles(card) and backbone_of(card).name == NAME
    assert locate(card, "backbone").read_bytes() == (served / "model.safetensors").read_bytes()
    expected = hashlib.sha256((served / "model.safetensors").read_bytes()).hexdigest()
    assert file_sha256(card, "backbone") == expected == card.file("backbone").sha256
    assert {item.verdict for item in verify_model(card)} == {"ok"}


def test_what_lies_in_the_cache_is_listed(remote: Hub) -> None:
    assert list(hub.cached_cards()) == []
    list(hub.fetch(NAME))
    odd = hub.cache_folder() / "models--a--language-model" / "snapshots" / "main"
    odd.mkdir(parents=True)
    (odd / "config.json").write_text('{"model_type": "llama"}')
    assert [card.name for card in hub.cached_cards()] == [NAME]


def test_a_file_changed_in_the_cache_is_found_out(remote: Hub) -> None:
    list(hub.fetch(NAME))
    path = locate(get_card(NAME), "backbone").resolve()
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match="is not the file that its card names"):
        locate(get_card(NAME), "backbone")


def test_nothing_is_downloaded_unasked(remote: Hub) -> None:
    with pytest.raises(MissingModelError) as caught:
        get_card(NAME)
    assert caught.value.hint == f"to download it: `vidalign models fetch {NAME}`"
    assert remote.asked == []


@pytest.mark.parametrize("variable", ["VIDALIGN_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_is_respected_and_told(variable: str, remote: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(MissingModelError, match=f"{variable} forbids downloads"):
        list(hub.fetch(NAME))
    assert remote.asked == []
    monkeypatch.delenv(variable)
    list(hub.fetch(NAME))
    asked = len(remote.asked)
    monkeypatch.setenv(variable, "1")
    assert list(hub.fetch(NAME)) == [], "it is here, whole"
    assert len(remote.asked) == asked and not missing_roles(get_card(NAME))


def test_a_wrong_name_is_told(remote: Hub) -> None:
    with pytest.raises(ModelError, match="has no model 'someone/else'"):
        list(hub.fetch("hf:someone/else"))
    with pytest.raises(ModelError, match="has no revision 'v9'"):
        list(hub.fetch(f"{NAME}@v9"))
    with pytest.raises(ModelError, match="hf:OWNER/NAME"):
        list(hub.fetch("hf:some one"))


def test_a_hub_that_does_not_answer_is_told(remote: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"could not be downloaded from http://127.0.0.1:9") as caught:
        list(hub.fetch(NAME))
    assert "HF_ENDPOINT" in caught.value.hint


def test_the_hub_s_own_words_about_attempts_are_not_heard() -> None:
    program = (
        "import logging; from vidalign.weights import hub;"
        "hub._Getter('hf:a/b', 'a/b', 'main', False, None);"
        "quiet = hub._quiet(); quiet.__enter__();"
        "import huggingface_hub; huggingface_hub.hf_hub_download;"
        "print(logging.getLogger('huggingface_hub').level)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) == logging.ERROR


def changed(served: Path, folder: Path, **values: Any) -> Path:
    """A copy of the model with other values in its config.json."""
    folder.mkdir()
    for file in served.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, **values}), "utf-8")
    return folder


def test_the_kind_is_checked_before_the_weights_come(remote: Hub, served: Path, tmp_path: Path) -> None:
    remote.folder = changed(served, tmp_path / "other", model_type="llama")
    with pytest.raises(ModelError, match="of the kind 'llama', which is not supported") as caught:
        list(hub.fetch(NAME))
    assert "CLIP (clip), SigLIP (siglip)" in caught.value.hint
    assert not [path for path in remote.asked if path.endswith((".safetensors", ".bin"))]


def test_a_model_without_weights_or_tokenizer_is_told(remote: Hub, served: Path, tmp_path: Path) -> None:
    remote.folder = changed(served, tmp_path / "other")
    (remote.folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"no weights in one file \(model.safetensors, pytorch_model.bin\)"):
        list(hub.fetch(NAME))
    (remote.folder / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match="has no tokenizer"):
        list(hub.fetch(NAME, overwrite=True))


def test_what_a_broken_download_lacks_is_told_with_the_command(remote: Hub) -> None:
    list(hub.fetch(NAME))
    card = get_card(NAME)
    assert card.folder is not None
    (card.folder / "tokenizer.json").unlink()
    with pytest.raises(MissingModelError) as caught:
        locate(get_card(NAME), "tokenizer")
    assert f"vidalign models fetch {NAME}" in caught.value.hint


def test_a_mirror_serves_the_cards_of_the_package_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/")
    source = get_card("clip-vit-b32").file("backbone").sources[0]
    assert hub.at_endpoint(source).startswith("https://mirror.example/openai/clip-vit-base-patch32/")
    assert hub.at_endpoint("https://elsewhere.example/x") == "https://elsewhere.example/x"
