"""Tiny networks of transformers with random weights, and folders of them as a hub serves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

TEXT = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 12,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
VISION = {
    "hidden_size": 24,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 16,
}
VJEPA2 = {
    "hidden_size": 24,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "crop_size": 32,
    "frames_per_clip": 4,
    "pred_hidden_size": 24,
    "pred_num_attention_heads": 2,
    "pred_num_hidden_layers": 1,
    "num_pooler_layers": 1,
}
WORDS = ("bowl", "cut", "egg", "pan", "put", "red", "stir", "the", "water", "whisk")
SIZE = 32
FRAMES = 4


def clip_values(vocabulary: int = 60) -> dict[str, Any]:
    """The values of a CLIP's config.json."""
    return {
        "projection_dim": 8,
        "text_config": {**TEXT, "vocab_size": vocabulary, "projection_dim": 8},
        "vision_config": {**VISION, "projection_dim": 8},
    }


def siglip_values(vocabulary: int = 60, *, naflex: bool = False) -> dict[str, Any]:
    """The values of a SigLIP's config.json; `naflex`: of a SigLIP 2 of any size."""
    vision = {**VISION, "num_patches": 4} if naflex else dict(VISION)
    if naflex:
        del vision["image_size"]
    text = {**TEXT, "vocab_size": vocabulary, "hidden_size": 24, "projection_size": 24}
    return {"text_config": text, "vision_config": vision}


def xclip_values(vocabulary: int = 60) -> dict[str, Any]:
    """The values of an X-CLIP's config.json."""
    mit = {"mit_hidden_size": 8, "mit_intermediate_size": 16, "mit_num_attention_heads": 2}
    return {
        "projection_dim": 8,
        "prompt_num_attention_heads": 2,
        "text_config": {**TEXT, "vocab_size": vocabulary},
        "vision_config": {**VISION, **mit, "num_frames": FRAMES},
    }


def videomae_values(*, mean_pooling: bool = True) -> dict[str, Any]:
    """The values of a VideoMAE's config.json."""
    decoder = {"decoder_hidden_size": 8, "decoder_num_attention_heads": 2, "decoder_num_hidden_layers": 1}
    return {
        **VISION,
        **decoder,
        "decoder_intermediate_size": 16,
        "num_frames": FRAMES,
        "use_mean_pooling": mean_pooling,
    }


def randomised(network: nn.Module, seed: int = 0) -> Any:
    """The network with random values in every parameter, so that no bias or norm is at rest."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            noise = 0.2 * torch.randn(parameter.shape, generator=generator)
            parameter.copy_(1 + noise if "norm" in name and name.endswith("weight") else noise)
    return network.eval()


def clips(frames: int = FRAMES, count: int = 2, seed: int = 0) -> torch.Tensor:
    """Clips (count, 3, frames, 32, 32) of noise."""
    return torch.randn(count, 3, frames, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def ids(count: int = 3, vocabulary: int = 60, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids (count, 9) that end in 1s after a while, and their mask."""
    generator = torch.Generator().manual_seed(seed)
    found = torch.randint(2, vocabulary, (count, 9), generator=generator)
    found[:, 0] = 0
    mask = torch.ones_like(found)
    for row, length in enumerate(range(5, 5 + count)):
        found[row, length - 1 :] = 1
        mask[row, length:] = 0
    return found, mask


def character_vocabulary() -> dict[str, int]:
    """A byte-level vocabulary of letters with and without the end of a word, the two marks last."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    entries = [*letters, *(f"{letter}</w>" for letter in letters), "an</w>", "eg", "egg</w>", "pan</w>"]
    return {entry: place for place, entry in enumerate((*entries, "<|startoftext|>", "<|endoftext|>"))}


MERGES = (("a", "n</w>"), ("e", "g"), ("eg", "g</w>"), ("p", "an</w>"))


def clip_tokenizer() -> Any:
    """CLIP's tokenizer with the vocabulary above."""
    from transformers.models.clip.tokenization_clip import CLIPTokenizer

    return CLIPTokenizer(vocab=character_vocabulary(), merges=list(MERGES))


def write_folder(
    folder: Path,
    network: Any,
    *,
    tokenizer: Any = None,
    preprocessor: dict[str, Any] | None = None,
) -> Path:
    """A folder with config.json, model.safetensors and what else a hub has beside them."""
    network.save_pretrained(folder)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
    if preprocessor is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor), "utf-8")
    return folder


def clip_folder(folder: Path, seed: int = 0) -> Path:
    """A tiny CLIP as a hub serves it."""
    from transformers.models.clip.configuration_clip import CLIPConfig
    from transformers.models.clip.modeling_clip import CLIPModel

    vocabulary = character_vocabulary()
    values = clip_values(len(vocabulary))
    marks = {"bos_token_id": len(vocabulary) - 2, "eos_token_id": len(vocabulary) - 1}
    values["text_config"] |= {**marks, "pad_token_id": len(vocabulary) - 1}
    preprocessor = {
        "crop_size": SIZE,
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "size": SIZE,
    }
    network = randomised(CLIPModel(CLIPConfig(**values)), seed)
    with torch.no_grad():
        network.logit_scale.fill_(4.6052)
    return write_folder(folder, network, tokenizer=clip_tokenizer(), preprocessor=preprocessor)
