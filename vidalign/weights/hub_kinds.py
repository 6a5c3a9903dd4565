"""The kinds of models on a hub that vidalign can use: what their config.json means for a card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any

Values = Mapping[str, Any]

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a config says of a network: side of its pictures, layer -> width, and frames of a clip.

    `more` are arguments of its class beside the config's values. The first layer is the one of the recipe.
    """

    size: int
    layers: Mapping[str, int]
    frames: int = 1
    more: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of model, by the `model_type` of its config.json, which is also its family.

    `fps` frames a second make clips that begin every second. `pre` is what its preprocessor does where no
    file says so. `text`: it has a text tower, whose own temperature is about `temperature`.
    """

    title: str
    knows: str
    citation: str
    shape: Callable[[Values], Shape]
    pre: Callable[[int], Values]
    fps: float = 1
    text: bool = True
    temperature: float = 0.01


def _part(values: Values, name: str) -> Values:
    part = values.get(name)
    return part if isinstance(part, Mapping) else {}


def _int(values: Values, name: str, default: int) -> int:
    value = values.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _clip(values: Values) -> Shape:
    vision = _part(values, "vision_config")
    layers = {"image_embeds": _int(values, "projection_dim", 512), "pooled": _int(vision, "hidden_size", 768)}
    return Shape(_int(vision, "image_size", 224), layers)


def _siglip(values: Values) -> Shape:
    vision = _part(values, "vision_config")
    return Shape(_int(vision, "image_size", 224), {"image_embeds": _int(vision, "hidden_size", 768)})


def _naflex(values: Values) -> Shape:
    """Squares of as many patches as the position table has."""
    vision = _part(values, "vision_config")
    side = isqrt(_int(vision, "num_patches", 256)) * _int(vision, "patch_size", 16)
    return Shape(side, {"image_embeds": _int(vision, "hidden_size", 768)})


def _xclip(values: Values) -> Shape:
    vision = _part(values, "vision_config")
    layers = {"video_embeds": _int(values, "projection_dim", 512)}
    return Shape(_int(vision, "image_size", 224), layers, _int(vision, "num_frames", 8))


def _is_classifier(values: Values) -> bool:
    architectures = values.get("architectures") or ()
    return any(str(name).endswith("ForVideoClassification") for name in architectures)


def _videomae(values: Values) -> Shape:
    width = _int(values, "hidden_size", 768)
    own = _is_classifier(values) and values.get("use_mean_pooling", True)
    layers = {"pooled": width, "mean_tokens": width} if own else {"mean_tokens": width}
    frames = _int(values, "num_frames", 16)
    return Shape(_int(values, "image_size", 224), layers, frames, {"classifier": True} if own else None)


def _vjepa2(values: Values) -> Shape:
    width, own = _int(values, "hidden_size", 1024), _is_classifier(values)
    layers = {"pooled": width, "mean_tokens": width} if own else {"mean_tokens": width}
    frames = _int(values, "frames_per_clip", 64)
    return Shape(_int(values, "crop_size", 256), layers, frames, {"classifier": True} if own else None)


def _cropped(resample: int, mean: tuple[float, ...], std: tuple[float, ...]) -> Callable[[int], Values]:
    """Shorter side to the size, then its centre."""

    def pre(size: int) -> Values:
        crop = {"size": {"shortest_edge": size}, "crop_size": size, "do_center_crop": True}
        return {**crop, "resample": resample, "image_mean": mean, "image_std": std}

    return pre


def _squeezed(size: int) -> Values:
    """Both sides to the size."""
    both = {"height": size, "width": size}
    return {"size": both, "do_center_crop": False, "resample": 3, "image_mean": HALF, "image_std": HALF}


def _naflex_pre(size: int) -> Values:
    return {**_squeezed(size), "resample": 2}


def _vjepa2_pre(size: int) -> Values:
    """The shorter side a seventh longer than the crop."""
    return {
        **_cropped(2, IMAGENET_MEAN, IMAGENET_STD)(size),
        "size": {"shortest_edge": size * 256 // 224},
    }


_WEB = "pictures of the web and their captions"
_SIGLIP = (
    "X. Zhai, B. Mustafa, A. Kolesnikov, L. Beyer, Sigmoid Loss for Language Image Pre-Training, ICCV 2023"
)
_SIGLIP2 = "M. Tschannen et al., SigLIP 2: Multilingual Vision-Language Encoders, arXiv 2502.14786"

KINDS: dict[str, Kind] = {
    "clip": Kind(
        "CLIP",
        f"{_WEB}, mostly English",
        "A. Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021",
        _clip,
        _cropped(3, CLIP_MEAN, CLIP_STD),
    ),
    "siglip": Kind("SigLIP", _WEB, f"{_SIGLIP}; {_SIGLIP2}", _siglip, _squeezed),
    "siglip2": Kind("SigLIP 2", f"{_WEB}, many languages", _SIGLIP2, _naflex, _naflex_pre),
    "xclip": Kind(
        "X-CLIP",
        "actions of Kinetics by their names, over CLIP's pictures and captions",
        "B. Ni et al., Expanding Language-Image Pretrained Models for General Video Recognition, ECCV 2022",
        _xclip,
        _cropped(2, IMAGENET_MEAN, IMAGENET_STD),
        fps=8,
    ),
    "videomae": Kind(
        "VideoMAE",
        "videos without words",
        "Z. Tong, Y. Song, J. Wang, L. Wang, VideoMAE: Masked Autoencoders are Data-Efficient Learners for "
        "Self-Supervised Video Pre-Training, NeurIPS 2022",
        _videomae,
        _cropped(2, IMAGENET_MEAN, IMAGENET_STD),
        fps=8,
        text=False,
    ),
    "vjepa2": Kind(
        "V-JEPA 2",
        "videos without words",
        "M. Assran et al., V-JEPA 2: Self-Supervised Video Models Enable Understanding, Prediction and "
        "Planning, arXiv 2506.09985",
        _vjepa2,
        _vjepa2_pre,
        fps=4,
        text=False,
    ),
}
"""By `model_type`."""


def supported() -> str:
    """The kinds, for a message."""
    return ", ".join(f"{kind.title} ({model_type})" for model_type, kind in KINDS.items())
