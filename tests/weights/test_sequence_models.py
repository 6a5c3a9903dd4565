"""Checkpoints of VideoCLIP, TempCLR and NSVA are added: fairseq's wrapping, its configuration, its extras."""

from __future__ import annotations

import sys
import types
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.fill_rule import fill_shapes, read_keys
from vidalign.aligners.registry import state_shapes
from vidalign.errors import ModelError
from vidalign.text.words import load_dictionary
from vidalign.weights.add import Checks, add_files
from vidalign.weights.cache import locate, missing_roles
from vidalign.weights.cards import ModelCard, get_card
from vidalign.weights.tensors import load_tensors

Save = Callable[..., Path]
Shapes = dict[str, tuple[int, ...]]
KEYS = {"videoclip": "tempclr_keys.tsv", "tempclr": "tempclr_keys.tsv", "nsva": "nsva_keys.tsv"}


@pytest.fixture(scope="session")
def narrow(golden: Path) -> dict[str, Shapes]:
    """The names of each network's tensors with few entries."""
    return {
        name: {key: tuple(2 + size % 3 for size in shape) for key, shape in read_keys(golden / file).items()}
        for name, file in KEYS.items()
    }


@pytest.fixture
def narrow_checks(narrow: dict[str, Shapes]) -> Checks:
    def shapes(card: ModelCard, role: str) -> Shapes:
        return narrow.get(card.name.partition("@")[0], {})

    return Checks(shapes, load_dictionary)


@pytest.fixture
def configuration(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Objects of a library that is not here when the file is read, as fairseq's configuration holds them."""
    held = {"omegaconf.dictconfig": ("DictConfig",), "omegaconf.nodes": ("AnyNode",)}
    held |= {"omegaconf.base": ("ContainerMetadata",)}
    made = {}
    for place, names in {"omegaconf": (), **held}.items():
        module = types.ModuleType(place)
        for name in names:
            made[name] = type(name, (), {"__module__": place})
            setattr(module, name, made[name])
        monkeypatch.setitem(sys.modules, place, module)
    node, config, about = (made[name]() for name in ("AnyNode", "DictConfig", "ContainerMetadata"))
    node.__dict__.update(_val=0.1, _metadata=about)
    about.__dict__.update(ref_type=Any, object_type=dict, resolver_cache=defaultdict(dict), key_type=int)
    config.__dict__.update(_content={"lr": node}, _metadata=about)
    return config


def fairseq(shapes: Shapes, configuration: Any, monkeypatch: pytest.MonkeyPatch, save: Save) -> Path:
    """A checkpoint as fairseq's MMPT writes it."""
    tensors = {f"mmmodel.{name}": tensor for name, tensor in fill_shapes(shapes).items()}
    for encoder in ("video_encoder.bert", "text_encoder"):
        tensors[f"mmmodel.{encoder}.embeddings.position_ids"] = torch.arange(5)[None]
    path = save({"cfg": configuration, "args": None, "model": tensors, "optimizer_history": [{"lr": 0.1}]})
    for place in ("omegaconf", "omegaconf.dictconfig", "omegaconf.nodes", "omegaconf.base"):
        monkeypatch.delitem(sys.modules, place)
    return path


@pytest.mark.parametrize("name", ["videoclip", "tempclr@layernorm-dtw", "tempclr@layernorm-otam"])
def test_fairseq_checkpoints(
    name: str,
    narrow: dict[str, Shapes],
    narrow_checks: Checks,
    configuration: Any,
    monkeypatch: pytest.MonkeyPatch,
    save: Save,
    tmp_path: Path,
) -> None:
    shapes = narrow["tempclr"]
    path = fairseq(shapes, configuration, monkeypatch, save)
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\negg\n")
    card = get_card(name)
    add_files(card, [path, tmp_path / "vocab.txt"], narrow_checks)
    assert not missing_roles(card)
    found = load_tensors(locate(card, "aligner"))
    assert {key: tuple(tensor.shape) for key, tensor in found.items()} == shapes
    assert all(torch.equal(tensor, found[key]) for key, tensor in fill_shapes(shapes).items())
    assert locate("videoclip", "vocab") == locate(card, "vocab")


def test_another_class_in_it_is_refused(
    narrow: dict[str, Shapes],
    narrow_checks: Checks,
    configuration: Any,
    monkeypatch: pytest.MonkeyPatch,
    save: Save,
) -> None:
    configuration.__dict__["opener"] = Path("/tmp")
    path = fairseq(narrow["tempclr"], configuration, monkeypatch, save)
    with pytest.raises(ModelError, match=r"refused: it names pathlib\.\w+.* nothing was run"):
        add_files(get_card("videoclip"), [path], narrow_checks)
    assert "aligner" in missing_roles("videoclip")


@pytest.mark.parametrize("name", ["nsva@narration", "nsva@step"])
def test_nsva_checkpoints(name: str, narrow: dict[str, Shapes], narrow_checks: Checks, save: Save) -> None:
    tensors = fill_shapes(narrow["nsva"])
    path = save({"epoch": 20, "model_state_dict": tensors, "optimizer_state_dict": {"state": {}}})
    add_files(get_card(name), [path], narrow_checks)
    assert not missing_roles(name)
    found = load_tensors(locate(name, "aligner"))
    assert all(torch.equal(tensor, found[key]) for key, tensor in tensors.items())
    missing = save({"model_state_dict": {key: tensors[key] for key in list(tensors)[1:]}})
    with pytest.raises(ModelError, match=r"1 missing \(visual_proj.0.weight\)"):
        add_files(get_card(name), [missing], narrow_checks, overwrite=True)


@pytest.mark.parametrize("name", ["videoclip", "tempclr", "nsva@narration", "nsva@step"])
def test_the_cards_make_the_published_networks(name: str, golden: Path) -> None:
    spec = get_card(name).aligner
    assert spec is not None
    assert state_shapes(spec) == read_keys(golden / KEYS[name.partition("@")[0]])
