from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from vidalign.training.objectives.tan_losses import Spoken, tan_losses
from vidalign.training.objectives.tan_options import TanOptions

NAMES = {
    "loss": "loss",
    "loss-dual": "loss_dual",
    "loss-joint": "loss_joint",
    "loss-dual-all": "loss_dual_all",
    "loss-joint-all": "loss_joint_all",
    "loss-joint-bce": "loss_head",
    "alignability_top1": "head_accuracy",
    "confidence-ratio": "agreement",
}
INIT = {"head": 0, "loss_threshold": 0}
COTRAIN = {"stage": "cotrain", **INIT}
CASES: dict[str, dict[str, Any]] = {
    "init": INIT,
    "init_bce": {**INIT, "head": 1},
    "init_th05": {**INIT, "loss_threshold": 0.5},
    "cotrain_keep": COTRAIN,
    "cotrain_keep-joint": {**COTRAIN, "agreement": "keep-joint"},
    "cotrain_u": {**COTRAIN, "agreement": "u"},
    "cotrain_i": {**COTRAIN, "agreement": "i"},
    "cotrain_keep_bce_th05": {"stage": "cotrain"},
    "cotrain_keep_bce_th05_nopos": {"stage": "cotrain"},
    "bce_only": {"stage": "cotrain", "policy": "bce"},
}
POSITIONED = ("cotrain_keep_bce_th05", "bce_only")


def wave(rule: Callable[[Tensor], Tensor], step: float, scale: float, *shape: int) -> Tensor:
    n = torch.arange(math.prod(shape), dtype=torch.float64)
    return (scale * rule(step * n)).float().view(shape)


@pytest.fixture(scope="module")
def reference(golden: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((golden / "tan_loss.json").read_text())
    return found


@pytest.fixture(scope="module")
def outputs() -> dict[str, Tensor]:
    return {
        "logits_dual": wave(torch.sin, 1.7, 0.9, 3, 2, 16, 3, 5),
        "logits_joint": wave(torch.cos, 2.3, 0.9, 3, 3, 16, 3, 5),
        "joint_logits_alignability": wave(torch.cos, 0.5, 1.0, 3, 3, 5, 1),
    }


@pytest.fixture(scope="module")
def teacher() -> dict[str, Tensor]:
    return {
        "logits_dual": wave(torch.sin, 0.9, 0.9, 3, 2, 16, 3, 5),
        "logits_joint": wave(torch.cos, 1.1, 0.9, 3, 3, 16, 3, 5),
    }


def spoken_of(reference: Mapping[str, Any], positioned: bool = False) -> Spoken:
    start, end = torch.zeros(3, 5, dtype=torch.long), torch.zeros(3, 5, dtype=torch.long)
    for row, (first, last) in enumerate(zip(reference["start"], reference["end"], strict=True)):
        start[row, : len(first)], end[row, : len(last)] = torch.tensor(first), torch.tensor(last)
    sentences = torch.arange(5) < torch.tensor(reference["shapes"]["N_per_sample"])[:, None]
    position = torch.stack([start, end], -1) / 16 if positioned else None
    return Spoken(torch.ones(3, 16, dtype=torch.bool), sentences, start, end, position)


@pytest.mark.parity
@pytest.mark.parametrize("case", CASES)
def test_every_branch_is_the_references(
    case: str, reference: dict[str, Any], outputs: dict[str, Tensor], teacher: dict[str, Tensor]
) -> None:
    options = TanOptions(quirks="reference", **CASES[case])
    taught = teacher if options.stage == "cotrain" else None
    found = tan_losses(outputs, taught, spoken_of(reference, case in POSITIONED), options)
    wanted = reference["losses"][case]
    compared = {name: value for name, value in wanted.items() if name in NAMES}
    assert {name: found[NAMES[name]].item() for name in compared} == pytest.approx(compared, abs=1e-4)
    assert options.iou_threshold == wanted.get("iou-threshold", 0.5)
    if "loss-total" in wanted:
        total = (found["loss_dual_all"] + found["loss_joint_all"]) / 2
        assert total.item() == pytest.approx(wanted["loss-total"], abs=1e-4)


def test_every_case_of_the_reference_is_compared(reference: dict[str, Any]) -> None:
    assert set(CASES) == set(reference["losses"])
    names = {name for case in reference["losses"].values() for name in case}
    assert names - {"iou-threshold", "loss-total"} == set(NAMES)


def test_encoders_alone(reference: dict[str, Any], outputs: dict[str, Tensor]) -> None:
    spoken, wanted = spoken_of(reference), reference["losses"]["init"]
    for name in ("dual", "joint"):
        alone = {f"logits_{name}": outputs[f"logits_{name}"]}
        found = tan_losses(alone, None, spoken, TanOptions(encoders=name))  # type: ignore[arg-type]
        assert found["loss"].item() == pytest.approx(wanted[f"loss-{name}"], abs=1e-4)


def test_quirk_padded_seconds_are_negatives(reference: dict[str, Any], outputs: dict[str, Tensor]) -> None:
    whole = spoken_of(reference)
    seconds = whole.seconds.clone()
    seconds[0, 15] = False
    short = Spoken(seconds, whole.sentences, whole.start, whole.end)
    published = tan_losses(outputs, None, short, TanOptions(quirks="reference"))
    assert published["loss"].item() == pytest.approx(reference["losses"]["init"]["loss"], abs=1e-4)
    corrected = tan_losses(outputs, None, short, TanOptions())
    assert corrected["loss_dual"] < published["loss_dual"]
    rubbish = {name: value.clone() for name, value in outputs.items()}
    rubbish["logits_dual"][0, :, 15] = 1
    assert torch.equal(tan_losses(rubbish, None, short, TanOptions())["loss"], corrected["loss"])


@pytest.mark.parametrize("quirks", ["reference", "corrected"])
def test_gradients_are_finite(
    quirks: str, reference: dict[str, Any], outputs: dict[str, Tensor], teacher: dict[str, Tensor]
) -> None:
    leaves = {name: value.clone().requires_grad_() for name, value in outputs.items()}
    options = TanOptions(stage="cotrain", quirks=quirks)  # type: ignore[arg-type]
    tan_losses(leaves, teacher, spoken_of(reference), options)["loss"].backward()
    for leaf in leaves.values():
        assert leaf.grad is not None
        assert leaf.grad.isfinite().all()
        assert leaf.grad.any()
