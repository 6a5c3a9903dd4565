"""vidalign: narrated video and its subtitles become features, alignment matrices and labels."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vidalign._version import __version__

if TYPE_CHECKING:
    from vidalign.aligners.registry import load_aligner
    from vidalign.backbones.registry import load_backbone
    from vidalign.batch.facade import align, extract
    from vidalign.store.alignments import read_alignment as load_alignment
    from vidalign.store.features import read_features as load_features

__all__ = [
    "__version__",
    "align",
    "extract",
    "load_aligner",
    "load_alignment",
    "load_backbone",
    "load_features",
]

_HOMES = {
    "align": ("vidalign.batch.facade", "align"),
    "extract": ("vidalign.batch.facade", "extract"),
    "load_aligner": ("vidalign.aligners.registry", "load_aligner"),
    "load_alignment": ("vidalign.store.alignments", "read_alignment"),
    "load_backbone": ("vidalign.backbones.registry", "load_backbone"),
    "load_features": ("vidalign.store.features", "read_features"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vidalign' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)
