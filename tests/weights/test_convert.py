"""Wrappers come off, and what is left fits exactly or is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.fill_rule import fill_shapes
from vidalign.errors import ModelError
from vidalign.weights.convert import match, read_weights, unwrap
from vidalign.weights.tensors import load_tensors, save_tensors

Shapes = dict[str, tuple[int, ...]]
Tensors = dict[str, torch.Tensor]


def _same(left: Tensors, right: Tensors) -> bool:
    return list(left) == list(right) and all(torch.equal(left[name], right[name]) for name in left)


def _renamed(tensors: Tensors, old: str, new: str) -> Tensors:
    return {new + name.removeprefix(old) if name.startswith(old) else name: t for name, t in tensors.items()}


@pytest.fixture
def tan(tan_shapes: Shapes) -> Tensors:
    return fill_shapes(tan_shapes)


@pytest.fixture
def s3d(s3d_shapes: Shapes) -> Tensors:
    return fill_shapes(s3d_shapes)


WRAPPERS: dict[str, Callable[[Tensors], object]] = {
    "plain": lambda state: state,
    "state_dict": lambda state: {"epoch": 3, "state_dict": state, "optimizer": {"state": {}}},
    "model_state_dict": lambda state: {"model_state_dict": state, "lr": 0.1},
    "model in model": lambda state: {"model": {"state_dict": state}},
    "module": lambda state: {"state_dict": _renamed(state, "", "module.")},
    "compiled": lambda state: _renamed(state, "", "_orig_mod.module."),
    "with a loose tensor": lambda state: {"state_dict": state, "scale": torch.ones(1)},
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_single_networks(wrap: Callable[[Tensors], object], tan: Tensors, s3d: Tensors) -> None:
    assert _same(unwrap(wrap(tan)), tan)
    assert _same(unwrap(wrap(s3d)), s3d)


def _twin(online: Tensors, language_model: str = "bert.", prefix: str = "") -> Tensors:
    named = _renamed(online, "bert.", language_model)
    stale = {name: tensor + 1 for name, tensor in named.items()}
    copies = {name: tensor for name, tensor in named.items() if name.startswith(language_model)}
    return _renamed(_renamed(named, "", "online.") | _renamed(stale, "", "target.") | copies, "", prefix)


@pytest.mark.parametrize("language_model", ["bert.", "lang_model."])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_of_twins_the_online_network_is_kept(tan: Tensors, language_model: str, prefix: str) -> None:
    assert _same(unwrap({"state_dict": _twin(tan, language_model, prefix)}), tan)


def test_a_lone_target_network_is_taken(tan: Tensors) -> None:
    assert _same(unwrap(_renamed(tan, "", "target.")), tan)


def test_twin_names_are_those_of_the_reference(twin_shapes: Shapes, tan: Tensors) -> None:
    assert len(twin_shapes) == 339
    assert sorted(unwrap(fill_shapes(twin_shapes))) == sorted(tan)


def test_a_single_network_with_both_names_of_the_language_model(tan: Tensors) -> None:
    doubled = {**tan, **{f"lang_model.{n[5:]}": t + 1 for n, t in tan.items() if n.startswith("bert.")}}
    assert _same(unwrap(doubled), tan)


def test_strays_beside_a_twin_are_not_swallowed(tan: Tensors, tan_shapes: Shapes) -> None:
    tensors = unwrap(_twin(tan) | {"stray": torch.ones(1)})
    with pytest.raises(ModelError, match=r"1 unexpected \(stray\)"):
        match(tensors, tan_shapes)


@pytest.mark.parametrize("content", [[1, 2], 3, {"epoch": 1, "note": "x"}, {}, {"state_dict": {}}])
def test_nothing_like_weights(content: object) -> None:
    with pytest.raises(ModelError, match="no tensors by name"):
        unwrap(content)


def test_a_mismatch_lists_the_first_names_with_counts(tan: Tensors, tan_shapes: Shapes) -> None:
    for name in ("ln_text_init.weight", "ln_text_init.bias", "mlp.weight", "mlp.bias"):
        del tan[name]
    tan["extra.weight"] = torch.ones(1)
    tan["binary_head.weight"] = torch.ones(1, 9)
    with pytest.raises(ModelError) as caught:
        match(tan, tan_shapes, what="x.pth")
    assert caught.value.message == (
        "x.pth: does not fit the model: "
        "4 missing (ln_text_init.weight, ln_text_init.bias, mlp.weight and 1 more); "
        "1 unexpected (extra.weight); "
        f"1 of another shape (binary_head.weight (1, 9) instead of {tan_shapes['binary_head.weight']})"
    )


def test_another_number_of_layers_is_said(tan: Tensors, tan_shapes: Shapes) -> None:
    shallow = {name: t for name, t in tan.items() if ".resblocks." not in name or ".resblocks.1." in name}
    with pytest.raises(ModelError, match="the file has video 2, joint 2 layers, the model video 6, joint 6"):
        match(shallow, tan_shapes)


def test_the_other_stem_of_milnce_is_said(s3d: Tensors, s3d_shapes: Shapes) -> None:
    s3d["conv1.conv1.weight"] = torch.ones(64, 3, 3, 7, 7)
    with pytest.raises(ModelError, match=r"1 of another shape \(conv1.*space_to_depth=False"):
        match(s3d, s3d_shapes)


def test_numbers_keep_their_type(tmp_path: Path) -> None:
    tensors = {"half": torch.ones(2).half(), "count": torch.tensor(3), "full": torch.ones(1)}
    path = tmp_path / "x.safetensors"
    save_tensors(path, tensors)
    loaded = read_weights(path, {"half": (2,), "count": (), "full": (1,)})
    assert [t.dtype for t in loaded.values()] == [torch.float16, torch.int64, torch.float32]


def test_odd_tensors_are_refused() -> None:
    with pytest.raises(ModelError, match="w is not a plain tensor"):
        match({"w": torch.ones(2, 2).to_sparse()}, {"w": (2, 2)})
    with pytest.raises(ModelError, match="w is not a plain tensor"):
        match({"w": torch.ones(2, dtype=torch.complex64)}, {"w": (2,)})


def test_equal_tensors_give_equal_bytes_even_when_they_share_storage(tmp_path: Path) -> None:
    base = torch.arange(6.0)
    save_tensors(tmp_path / "a", {"x": base[:3], "y": base.view(2, 3).T})
    save_tensors(tmp_path / "b", {"y": base.view(2, 3).T.clone(), "x": base[:3].clone()})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert torch.equal(load_tensors(tmp_path / "a")["y"], base.view(2, 3).T)


def test_a_broken_safetensors_file(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_tensors(path, {"x": torch.ones(100)})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ModelError, match="cannot be read as safetensors"):
        load_tensors(path)


def test_the_position_counter_of_older_bert_files_is_dropped() -> None:
    loaded = {"bert.embeddings.position_ids": torch.zeros(1, 512), "bert.pooler.dense.bias": torch.zeros(3)}
    assert list(unwrap(loaded)) == ["bert.pooler.dense.bias"]
