from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fill_rule import fill_module, read_keys
from vidalign.aligners.scorers.tan import TAN
from vidalign.backbones.bert import BertText

pytestmark = pytest.mark.parity


def test_names_shapes_and_pooled_output_equal_hugging_face_s_model(golden: Path) -> None:
    """The golden file was made with transformers 5.23: 2 layers, width 32, weights by the fill rule."""
    model = BertText(vocabulary=60, width=32, layers=2, heads=4, hidden=64, positions=40).eval()
    assert {n: tuple(t.shape) for n, t in model.state_dict().items()} == read_keys(
        golden / "bert_tiny_keys.tsv"
    )
    fill_module(model)
    expected = np.load(golden / "bert_tiny.npz")
    with torch.inference_mode():
        found = model(torch.from_numpy(expected["ids"]), torch.from_numpy(expected["mask"]))
    assert np.abs(found.numpy() - expected["pooler_output"]).max() <= 1e-5


def test_tan_takes_bert_as_its_text_module() -> None:
    with torch.device("meta"):
        model = TAN(text="bert", text_dim=768, vocabulary=30522)
    names = model.state_dict()
    assert names["text_pre_proj.weight"].shape == (512, 768)
    assert names["bert.encoder.layer.11.output.LayerNorm.bias"].shape == (768,)
