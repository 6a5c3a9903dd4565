from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from vidalign.aligners.scorers.tan import POSITIONS, TAN
from vidalign.errors import ConfigError
from vidalign.training.objectives.tan import TanObjective
from vidalign.training.objectives.tan_losses import Spoken, tan_losses
from vidalign.training.objectives.tan_options import TanOptions

SECONDS, SENTENCES, WORDS = 12, 4, 6
WAYS: dict[str, dict[str, Any]] = {
    "init": {},
    "init with head": {"head": 1, "loss_threshold": 0.5},
    "dual": {"encoders": "dual"},
    "joint": {"encoders": "joint", "head": 1},
    "inside windows": {"negatives": "video"},
    "split negatives": {"negatives": "split"},
    "cotrain": {"stage": "cotrain"},
    "cotrain u": {"stage": "cotrain", "agreement": "u", "loss_threshold": 0},
    "cotrain dual": {"stage": "cotrain", "encoders": "dual"},
    "cotrain reference": {"stage": "cotrain", "agreement": "i", "teacher_words": "reference"},
    "head alone": {"stage": "cotrain", "policy": "bce"},
    "frozen words": {"freeze_words": True},
}


CONFIG: dict[str, Any] = {
    "width": 16,
    "heads": 2,
    "video_layers": 2,
    "joint_layers": 3,
    "video_dim": 10,
    "text_dim": 8,
    "vocabulary": 20,
    "word_dim": 6,
    "text_hidden": 12,
}


def network(**changes: Any) -> TAN:
    torch.manual_seed(0)
    return TAN(**{**CONFIG, **changes})


@pytest.fixture
def batch() -> dict[str, Tensor]:
    """Three windows of 12 s with four sentences of 3 s each; the last window has 9 s and three sentences."""
    generator = torch.Generator().manual_seed(1)
    start = torch.arange(SENTENCES).repeat(3, 1) * 3
    video_padding = torch.zeros(3, SECONDS, dtype=torch.bool)
    text_padding = torch.zeros(3, SENTENCES, dtype=torch.bool)
    video_padding[2, 9:], text_padding[2, 3:] = True, True
    tokens = torch.randint(1, 20, (3, SENTENCES, WORDS), generator=generator)
    tokens[..., 4:] = 0
    return {
        "video": torch.randn(3, SECONDS, 10, generator=generator),
        "video_padding": video_padding,
        "tokens": tokens,
        "text_padding": text_padding,
        "start": start,
        "end": start + 3,
        "position": torch.stack([start, start + 3], -1) / 60 + 0.4,
    }


@pytest.mark.parametrize("way", WAYS)
def test_whatever_is_trainable_gets_a_gradient(way: str, batch: dict[str, Tensor]) -> None:
    objective = TanObjective(network(), TanOptions(**WAYS[way]))
    losses = objective(batch)
    assert all(value.dim() == 0 and value.isfinite() for value in losses.values())
    losses["loss"].backward()
    reached = {name for name, p in objective.named_parameters() if p.grad is not None}
    assert reached == {name for name, p in objective.named_parameters() if p.requires_grad}
    assert reached


def test_split_negatives_are_the_batch_for_dual_and_the_window_for_joint(batch: dict[str, Tensor]) -> None:
    def losses(negatives: str) -> dict[str, Tensor]:
        options = TanOptions(negatives=negatives, random_start=False)  # type: ignore[arg-type]
        return TanObjective(network(), options)(batch)

    whole, inside, split = losses("batch"), losses("video"), losses("split")
    torch.testing.assert_close(split["loss_dual"], whole["loss_dual"])
    torch.testing.assert_close(split["loss_joint"], inside["loss_joint"])
    assert whole["loss_dual"] > inside["loss_dual"]
    assert whole["loss_joint"] > inside["loss_joint"]


@pytest.mark.parametrize("way", ["init", "dual", "cotrain"])
def test_without_video_layers_the_dual_encoder_is_the_plain_similarity(
    way: str, batch: dict[str, Tensor]
) -> None:
    bare = network(video_layers=0)
    objective = TanObjective(bare, TanOptions(**WAYS[way]))
    objective(batch)["loss"].backward()
    reached = {name for name, p in objective.named_parameters() if p.grad is not None}
    assert reached == {name for name, p in objective.named_parameters() if p.requires_grad}
    dual = bare(batch["video"], torch.randn(3, SENTENCES, 8), encoders="dual")["dual_feature_video"]
    alone = torch.nn.functional.normalize(bare.project_video(batch["video"][:, 5]), dim=-1)
    assert torch.allclose(dual[:, 0, 5], alone, atol=1e-6)


@pytest.mark.parametrize("way", ["init", "inside windows", "cotrain", "joint"])
def test_it_learns(way: str, batch: dict[str, Tensor]) -> None:
    objective = TanObjective(network(), TanOptions(**{**WAYS[way], "random_start": False}))
    optimiser = torch.optim.AdamW(objective.decay_names().values(), 3e-3)
    losses = []
    for _ in range(25):
        loss = objective(batch)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        objective.after_step()
        losses.append(loss.item())
    assert min(losses[-3:]) < 0.7 * losses[0]


def test_its_loss_is_that_of_the_networks_outputs(batch: dict[str, Tensor]) -> None:
    objective = TanObjective(network(), TanOptions()).eval()
    model = objective.network
    vectors = model.embed_text(batch["tokens"].flatten(0, 1)).view(3, SENTENCES, -1)
    outputs = model(batch["video"], vectors, batch["video_padding"], batch["text_padding"])
    wanted = tan_losses(outputs, None, Spoken.of(batch), objective.options)
    torch.testing.assert_close(objective(batch), wanted)


def test_the_teacher_moves_after_the_step_and_labels(batch: dict[str, Tensor]) -> None:
    objective = TanObjective(network(), TanOptions(stage="cotrain", momentum=0.5)).train()
    assert objective.teacher is not None
    copy = objective.teacher.network.video_pre_proj.weight
    before = copy.clone()
    with torch.no_grad():
        objective.network.video_pre_proj.weight.add_(1)
    objective(batch)
    assert torch.equal(copy, before)
    objective.after_step()
    torch.testing.assert_close(copy, before + 0.5)
    labelled = objective(batch)["agreement"]
    with torch.no_grad():
        objective.teacher.network.video_temporal_encoder.resblocks[0].mlp.c_proj.weight.mul_(200)
    assert objective(batch)["agreement"] != labelled


def test_a_checkpoint_brings_the_teacher_back(batch: dict[str, Tensor]) -> None:
    objective = TanObjective(network(), TanOptions(stage="cotrain", momentum=0.5))
    with torch.no_grad():
        objective.network.ln_text_init.weight.mul_(3)
    objective.after_step()
    torch.manual_seed(7)
    again = TanObjective(TAN(**CONFIG), objective.options)
    again.load_state_dict(objective.state_dict())
    torch.testing.assert_close(again(batch), objective(batch), rtol=0, atol=0)


def test_quirk_the_teacher_reads_the_students_sentence_vectors(batch: dict[str, Tensor]) -> None:
    found = {}
    for quirk in ("reference", "corrected"):
        options = TanOptions(stage="cotrain", teacher_words=quirk, loss_threshold=0, head=0)  # type: ignore[arg-type]
        objective = TanObjective(network(), options)
        assert objective.teacher is not None
        with torch.no_grad():
            objective.teacher.network.bert.fc2.weight.neg_()
        found[quirk] = objective(batch)["loss"].item()
    assert found["reference"] != found["corrected"]


def test_random_starts_are_for_training_and_follow_the_seed(batch: dict[str, Tensor]) -> None:
    objective = TanObjective(network(), TanOptions())

    def losses(seed: int) -> set[float]:
        torch.manual_seed(seed)
        return {objective(batch)["loss"].item() for _ in range(8)}

    assert len(losses(1)) > 2
    assert losses(1) == losses(1)
    objective.eval()
    assert len(losses(1)) == 1
    fixed = TanObjective(network(), TanOptions(random_start=False)).train()
    assert len({fixed(batch)["loss"].item() for _ in range(8)}) == 1


def test_random_starts_leave_long_windows_in_the_table() -> None:
    model = network(joint_layers=1, video_layers=1, head=False)
    objective = TanObjective(model, TanOptions()).train()
    long = {
        "video": torch.zeros(1, POSITIONS, 10),
        "video_padding": torch.zeros(1, POSITIONS, dtype=torch.bool),
        "tokens": torch.ones(1, 1, 2, dtype=torch.long),
        "text_padding": torch.zeros(1, 1, dtype=torch.bool),
        "start": torch.tensor([[5]]),
        "end": torch.tensor([[9]]),
    }
    assert objective(long)["loss"].isfinite()


def test_names_for_weight_decay_are_the_published_ones() -> None:
    init = TanObjective(network(), TanOptions()).decay_names()
    assert "ln_text_init.weight" in init
    assert "mlp.weight" not in init
    cotrain = TanObjective(network(), TanOptions(stage="cotrain")).decay_names()
    assert {name.removeprefix("online.") for name in cotrain} - set(init) == {
        "binary_head.weight",
        "binary_head.bias",
    }
    assert all(name.startswith("online.") for name in cotrain)


def test_sentences_without_known_words_are_no_trouble(batch: dict[str, Tensor]) -> None:
    silent = {**batch, "tokens": torch.zeros_like(batch["tokens"])}
    assert TanObjective(network(), TanOptions())(silent)["loss"].isfinite()


@pytest.mark.parametrize("way", ["init with head", "cotrain"])
def test_in_half_precision_the_losses_are_single(way: str, batch: dict[str, Tensor]) -> None:
    objective = TanObjective(network(), TanOptions(**WAYS[way], random_start=False))
    single = objective(batch)
    with torch.autocast("cpu", torch.bfloat16):
        half = objective(batch)
    assert {value.dtype for value in half.values()} == {torch.float32}
    assert half["loss"].item() == pytest.approx(single["loss"].item(), rel=0.1)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"temperature": 0}, "temperature must be above 0"),
        ({"momentum": 1.5}, "momentum must lie between 0 and 1"),
        ({"loss_threshold": float("nan")}, "loss_threshold must lie"),
        ({"head": -1}, "head must lie"),
        ({"encoders": "dual", "head": 1}, "encoders: dual"),
        ({"policy": "bce"}, "weight is 0"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        TanOptions(**options)


def test_a_network_without_a_head_cannot_train_one() -> None:
    with pytest.raises(ConfigError, match="the network has none"):
        TanObjective(network(head=False), TanOptions(stage="cotrain"))
    TanObjective(network(head=False), TanOptions(stage="cotrain", head=0))


def test_what_the_stage_decides_is_filled_in() -> None:
    init, cotrain = TanOptions(), TanOptions(stage="cotrain", quirks="reference", borders="corrected")
    assert (init.head, init.loss_threshold, init.random_start) == (0, 0, True)
    assert (cotrain.head, cotrain.loss_threshold, cotrain.random_start) == (1, 0.5, False)
    assert (init.borders, cotrain.borders, cotrain.undecided) == ("corrected", "corrected", "reference")
