"""What the networks that come from the library transformers (extra `clip`) have in common."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from vidalign.errors import MissingExtraError

Weights = Mapping[str, Any]

PIP = "pip install 'vidalign[clip]'"

_POSITIONS = "position_ids"
"""The one buffer that these networks keep out of their state dicts; older files hold it."""


@contextmanager
def needs_transformers(what: str) -> Iterator[None]:
    """Around an import: raises MissingExtraError where a package of the extra is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"{what} needs the package {error.name}", hint=PIP) from None


@contextmanager
def checked_values() -> Iterator[None]:
    """Around the making of a network: raises ValueError where its config's values have the wrong type.

    What transformers says of its own default values meanwhile is not heard.
    """
    from huggingface_hub.errors import StrictDataclassError

    logger = logging.getLogger("transformers")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    except StrictDataclassError as error:
        raise ValueError(str(error)) from None
    finally:
        logger.setLevel(level)


class Wrapped(nn.Module):
    """A network of transformers behind the interface of a backbone; its state dict is that network's."""

    def __init__(self, network: Any, layers: Mapping[str, int]) -> None:
        super().__init__()
        self.network = network
        self.layers = dict(layers)

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """The network's own, under the names that files on the hub have."""
        return self.network.state_dict(*args, **kwargs)

    def load_state_dict(self, state_dict: Weights, strict: bool = True, assign: bool = False) -> Any:
        """As of any module; buffers that no file holds are counted again where they have no values yet."""
        found = self.network.load_state_dict(state_dict, strict=strict, assign=assign)
        for module in self.network.modules():
            ids = getattr(module, _POSITIONS, None)
            if isinstance(ids, Tensor) and ids.is_meta:
                module.position_ids = torch.arange(ids.shape[-1], device="cpu").expand(ids.shape)
        return found


def renamed(
    tensors: Mapping[str, Tensor],
    *,
    inside: str = "",
    heads: tuple[str, ...] = (),
    endings: Mapping[str, str] | None = None,
) -> dict[str, Tensor]:
    """A state dict of the hub under our names.

    `inside` is the prefix of the encoder in files with a head, `heads` are prefixes of what is left out
    (decoders, predictors, classifiers), `endings` maps old endings of names to new ones. The counter of
    positions that older files hold is left out too.
    """
    kept = {}
    for name, tensor in tensors.items():
        bare = name.removeprefix(inside) if inside else name
        if bare.startswith(heads) or bare.rpartition(".")[2] == _POSITIONS:
            continue
        for old, new in (endings or {}).items():
            if bare.endswith(old):
                bare = bare.removesuffix(old) + new
        kept[bare] = tensor
    return kept
