"""Published checkpoints become flat tensors under this package's names, strictly checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from vidalign.errors import ModelError
from vidalign.weights.sniff import sniff
from vidalign.weights.tensors import load_tensors
from vidalign.weights.unpickle import load_checkpoint

Shapes = Mapping[str, tuple[int, ...]]

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
_WRAPPED = re.compile(r"^(?:module\.|_orig_mod\.|mmmodel\.)+")
_TWINS = ("online.", "target.")
_LAYER = re.compile(r"^(?P<encoder>\w+)_temporal_encoder\.resblocks\.(?P<index>\d+)\.")


def unwrap(loaded: object) -> dict[str, torch.Tensor]:
    """The state dict inside a checkpoint, as flat tensors under canonical names.

    Understands the wrappers of TAN and MIL-NCE checkpoints: `{"state_dict": ...}` beside optimiser and co.,
    `module.` of parallel training, `mmmodel.` of fairseq's MMPT, TAN's twin (`online.` is kept, `target.` and
    the top-level copy of the language model are dropped), `lang_model.` for `bert.`. The counter
    `position_ids` that older BERT files carry is dropped. Raises ModelError when no tensors are found.
    """
    tensors = {_WRAPPED.sub("", name): tensor for name, tensor in _state_dict(loaded).items()}
    tensors = {_WRAPPED.sub("", name): tensor for name, tensor in _one_twin(tensors).items()}
    named: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        if name.endswith("embeddings.position_ids"):
            continue
        bare = name.removeprefix("lang_model.")
        if bare == name:
            named[name] = tensor
        else:
            named.setdefault(f"bert.{bare}", tensor)
    return named


def read_weights(
    path: Path,
    expected: Shapes,
    pickle_globals: Iterable[str] = (),
    rename: Callable[[Mapping[str, torch.Tensor]], Mapping[str, torch.Tensor]] = dict,
) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file or published checkpoint, if `rename` makes them the expected ones.

    Raises ModelError where the file is unsafe, broken, or does not fit.
    """
    return match(rename(read_tensors(path, pickle_globals)), expected, what=str(path))


def read_tensors(path: Path, pickle_globals: Iterable[str] = ()) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file or checkpoint under canonical names, unchecked."""
    if sniff(path) == "safetensors":
        return unwrap(load_tensors(path))
    loaded = load_checkpoint(path, pickle_globals)
    try:
        return unwrap(loaded)
    except ModelError as error:
        raise ModelError(f"{path}: {error.message}") from None


def match(
    tensors: Mapping[str, torch.Tensor], expected: Shapes, *, what: str = "weights"
) -> dict[str, torch.Tensor]:
    """The tensors in the order of `expected`, if names and shapes are exactly those.

    `what` names the file in the error. Raises ModelError that lists the first missing, unexpected and
    wrong-shaped names, each with its count.
    """
    missing = [name for name in expected if name not in tensors]
    unexpected = [name for name in tensors if name not in expected]
    misshapen = [
        name for name in expected if name in tensors and tuple(tensors[name].shape) != expected[name]
    ]
    if missing or unexpected or misshapen:
        shapes = [f"{name} {tuple(tensors[name].shape)} instead of {expected[name]}" for name in misshapen]
        parts = [
            _listed("missing", missing),
            _listed("unexpected", unexpected),
            _listed("of another shape", shapes),
        ]
        message = f"{what}: does not fit the model: {'; '.join(part for part in parts if part)}"
        raise ModelError(message, hint=_reason(tensors, expected))
    return {name: _plain(name, tensors[name], what) for name in expected}


def _state_dict(loaded: object) -> dict[str, torch.Tensor]:
    if not isinstance(loaded, Mapping):
        raise ModelError(f"no tensors by name in it, but a {type(loaded).__name__}")
    tensors = {
        name: value
        for name, value in loaded.items()
        if isinstance(name, str) and isinstance(value, torch.Tensor)
    }
    for wrapper in _WRAPPERS:
        inner: Any = loaded.get(wrapper)
        if isinstance(inner, Mapping) and len(tensors) <= len(inner):
            return _state_dict(inner)
    if not tensors:
        keys = ", ".join(str(key)[:40] for key in list(loaded)[:5]) or "nothing"
        raise ModelError(f"no tensors by name in it; it holds {keys}")
    return tensors


def _one_twin(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    for twin in _TWINS:
        ours = {name.removeprefix(twin): value for name, value in tensors.items() if name.startswith(twin)}
        if not ours:
            continue
        copies = ("bert.", "lang_model.", *_TWINS)
        rest = {name: value for name, value in tensors.items() if not name.startswith(copies)}
        return {**rest, **ours}
    return dict(tensors)


def _plain(name: str, tensor: torch.Tensor, what: str) -> torch.Tensor:
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_complex():
        raise ModelError(f"{what}: {name} is not a plain tensor of numbers")
    return tensor.detach()


def _listed(kind: str, names: list[str], shown: int = 3) -> str:
    if not names:
        return ""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"{len(names)} {kind} ({', '.join(names[:shown])}{more})"


def _reason(tensors: Mapping[str, torch.Tensor], expected: Shapes) -> str:
    """What a mismatch usually means, empty when it is none of the usual cases."""
    stem = tensors.get("conv1.conv1.weight")
    if stem is not None and tuple(stem.shape[1:]) == (3, 3, 7, 7) and "conv1.conv1.weight" in expected:
        return (
            "this S3D was trained with space_to_depth=False (MIL-NCE's training script); "
            "the published network needs space_to_depth=True"
        )
    here, wanted = _layers(tensors), _layers(expected)
    if here and wanted and here != wanted:
        return f"the file has {here} layers, the model {wanted}"
    return ""


def _layers(names: Iterable[str]) -> str:
    """Layers of each temporal encoder, as "video 6, joint 6"; empty without one."""
    counts: dict[str, int] = {}
    for name in names:
        if found := _LAYER.match(name):
            counts[found["encoder"]] = max(counts.get(found["encoder"], 0), int(found["index"]) + 1)
    return ", ".join(f"{encoder} {count}" for encoder, count in sorted(counts.items(), reverse=True))
