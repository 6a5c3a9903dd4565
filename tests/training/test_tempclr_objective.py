"""TempCLR's and Norton's objectives: what is trained, what learns, what happens at the edges."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from vidalign.aligners.scorers.videoclip import VideoCLIP
from vidalign.errors import ConfigError
from vidalign.training.objectives.tempclr import NortonObjective, make_objective
from vidalign.training.objectives.tempclr_options import SequenceOptions, TempclrOptions, TransportOptions

VIDEOS, CLIPS, SECONDS, PIECES = 3, 4, 5, 6
CONFIG: dict[str, Any] = {
    "width": 16,
    "heads": 2,
    "hidden": 24,
    "video_layers": 1,
    "text_layers": 1,
    "video_dim": 8,
    "vocabulary": 40,
    "positions": 12,
    "clips": 6,
    "first": 2,
    "last": 3,
    "dropout": 0.0,
}
WAYS: dict[str, TempclrOptions] = {
    "clips alone": TempclrOptions(sequence=SequenceOptions(weight=0)),
    "dtw": TempclrOptions(sequence=SequenceOptions(clips=3, negatives=5)),
    "otam": TempclrOptions(sequence=SequenceOptions(distance="otam", clips=3, negatives=5)),
    "norms": TempclrOptions(trained="norms", sequence=SequenceOptions(clips=3, negatives=5)),
    "norton": TempclrOptions("norton", transport=TransportOptions(clips=2, iterations=10)),
    "norton norms": TempclrOptions("norton", "norms", transport=TransportOptions(clips=4, iterations=10)),
}


def network(**changes: Any) -> VideoCLIP:
    torch.manual_seed(0)
    return VideoCLIP(**{**CONFIG, **changes})


@pytest.fixture
def batch() -> dict[str, Tensor]:
    """Three videos of four clips of 5 s, one shorter, whose captions say what they show."""
    generator = torch.Generator().manual_seed(1)
    kinds = torch.arange(VIDEOS * CLIPS).view(VIDEOS, CLIPS)
    shown = torch.randn(VIDEOS * CLIPS, 8, generator=generator)[kinds]
    video = shown[:, :, None] + 0.1 * torch.randn(VIDEOS, CLIPS, SECONDS, 8, generator=generator)
    seen, said = torch.ones(VIDEOS, CLIPS, SECONDS).bool(), torch.ones(VIDEOS, CLIPS, PIECES).bool()
    seen[0, 1, 3:], said[2, 0, 4:] = False, False
    tokens = torch.randint(4, 40, (VIDEOS * CLIPS, PIECES), generator=generator)[kinds]
    tokens[..., 0], tokens[..., -1], tokens[2, 0, 3] = 2, 3, 3
    return {
        "video": video * seen[..., None],
        "video_mask": seen,
        "tokens": tokens * said,
        "text_mask": said,
        "apart": torch.tensor([[True] * 4, [True, True, False, True], [True, False, True, False]]),
    }


@pytest.mark.parametrize("way", WAYS)
def test_whatever_is_trainable_gets_a_gradient(way: str, batch: dict[str, Tensor]) -> None:
    objective = make_objective(network(), WAYS[way])
    losses = objective(batch)
    assert all(value.dim() == 0 and value.isfinite() for value in losses.values())
    losses["loss"].backward()
    reached = {name for name, p in objective.named_parameters() if p.grad is not None}
    assert reached == {name for name, p in objective.named_parameters() if p.requires_grad}
    assert reached and not any("pooler" in name for name in reached)


@pytest.mark.parametrize("way", WAYS)
def test_it_learns(way: str, batch: dict[str, Tensor]) -> None:
    objective = make_objective(network(), WAYS[way])
    optimiser = torch.optim.AdamW(objective.decay_names().values(), 2e-2 if "norms" in way else 5e-3)
    losses = []
    for _ in range(30):
        loss = objective(batch)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert min(losses[-3:]) < 0.8 * losses[0]


def test_the_norms_of_the_published_network_are_59904_numbers() -> None:
    with torch.device("meta"):
        model = VideoCLIP()
    norms = make_objective(model, TempclrOptions(trained="norms")).decay_names()
    assert (len(norms), sum(p.numel() for p in norms.values())) == (78, 59_904)
    every = make_objective(model, TempclrOptions()).decay_names()
    assert len(every) == 308 - 4
    assert model.video_encoder.videomlp.LayerNorm.weight.requires_grad


def test_the_loss_is_a_share_of_each(batch: dict[str, Tensor]) -> None:
    found = make_objective(network(), WAYS["dtw"]).eval()(batch)
    assert found["videos"].item() == pytest.approx(2 / 3)
    wanted = 0.3 * found["loss_clip"] + 0.7 * found["loss_sequence"]
    torch.testing.assert_close(found["loss"], wanted)
    alone = make_objective(network(), WAYS["clips alone"])(batch)
    assert set(alone) == {"loss", "loss_clip", "accuracy"}
    torch.testing.assert_close(alone["loss"], found["loss_clip"])


def test_a_batch_without_enough_clips_has_no_sequences(batch: dict[str, Tensor]) -> None:
    objective = make_objective(network(), WAYS["otam"])
    batch["apart"] = torch.zeros_like(batch["apart"])
    losses = objective(batch)
    losses["loss"].backward()
    assert losses["loss_sequence"] == 0 and losses["videos"] == 0
    assert all(p.grad is not None for p in objective.parameters() if p.requires_grad)


def test_orders_follow_the_seed_and_are_fixed_in_evaluation(batch: dict[str, Tensor]) -> None:
    objective = make_objective(network(), TempclrOptions(sequence=SequenceOptions(clips=3, negatives=2)))

    def losses(seed: int) -> list[float]:
        torch.manual_seed(seed)
        return [objective(batch)["loss"].item() for _ in range(6)]

    assert losses(1) == losses(1)
    assert len(set(losses(1))) > 1
    objective.eval()
    assert len(set(losses(1) + losses(2))) == 1


@pytest.mark.parametrize("way", ["dtw", "norton"])
def test_a_video_is_compared_by_the_mean_of_its_clips_and_captions(
    way: str, batch: dict[str, Tensor]
) -> None:
    objective = make_objective(network(), WAYS[way]).eval()
    found = objective.vectors(batch)
    assert found.shape == (VIDEOS, CONFIG["width"])
    alone = objective.network(*(batch[name][1] for name in ("video", "video_mask", "tokens", "text_mask")))
    parts = torch.cat([alone["pooled_video"], alone["pooled_text"]])
    torch.testing.assert_close(found[1], parts.mean(0))


def test_norton_learns_its_temperature_and_corrects_targets(batch: dict[str, Tensor]) -> None:
    model = network()
    objective = make_objective(model, WAYS["norton"])
    assert isinstance(objective, NortonObjective) and objective.temperature == pytest.approx(0.07)
    assert "log_temperature" in objective.decay_names()
    plain = TempclrOptions("norton", transport=TransportOptions(clips=2, iterations=10, rectify=0))
    assert make_objective(model, plain)(batch)["loss_clip"] != objective(batch)["loss_clip"]
    found = objective(batch)
    torch.testing.assert_close(found["loss"], found["loss_clip"] + 0.1 * found["loss_paragraph"])


@pytest.mark.parametrize("way", ["dtw", "norton"])
def test_in_half_precision_the_losses_are_single(way: str, batch: dict[str, Tensor]) -> None:
    objective = make_objective(network(), WAYS[way]).eval()
    single = objective(batch)
    with torch.autocast("cpu", torch.bfloat16):
        half = objective(batch)
    assert {value.dtype for value in half.values()} == {torch.float32}
    assert half["loss"].item() == pytest.approx(single["loss"].item(), rel=0.1)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: SequenceOptions(weight=1.0), "weight must lie between 0 and below 1"),
        (lambda: SequenceOptions(clips=4), "negatives is 31; 4 clips have 23 other orders"),
        (lambda: SequenceOptions(clips=1), "clips must be at least 2"),
        (lambda: SequenceOptions(gamma=0.0), "gamma must be above 0"),
        (lambda: TransportOptions(weight=-1.0), "weight must not be below 0"),
        (lambda: TransportOptions(epsilon=0.0), "epsilon must be above 0"),
        (lambda: TransportOptions(rectify=1.5), "rectify must lie between 0 and 1"),
    ],
)
def test_options_that_cannot_be(make: Any, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        make()
