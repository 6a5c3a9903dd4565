"""The MIL-NCE objective: what it computes, what its options change, and that it learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from vidalign.backbones.encode import clip_tensor
from vidalign.backbones.s3d import S3D
from vidalign.errors import ConfigError
from vidalign.training.losses.milnce import mil_nce
from vidalign.training.objectives.milnce import MilNceObjective, MilNceOptions, ease_start
from vidalign.training.tasks.heldout import held_out_losses
from vidalign.weights.recipes import get_recipe

RECIPE = get_recipe("mini-8fps")


def network() -> S3D:
    torch.manual_seed(0)
    return S3D(width=0.0625, embedding=16, vocabulary=12, word_dim=8, text_hidden=16)


def batch(clips: int = 4, candidates: int = 3) -> dict[str, torch.Tensor]:
    """Clips of different colours; sentence p of clip i says word 1 + i."""
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 60, (clips, 4, 16, 16, 3), generator=generator)
    pixels += torch.arange(clips).view(-1, 1, 1, 1, 1) * torch.tensor([40, 0, 20])
    tokens = torch.zeros(clips, candidates, 5, dtype=torch.int64)
    tokens[..., 0] = torch.arange(1, clips + 1)[:, None]
    tokens[:, 1, 1] = 11
    real = torch.ones(clips, candidates, dtype=torch.bool)
    real[0, 2] = False
    return {"clips": pixels.to(torch.uint8).permute(0, 4, 1, 2, 3), "tokens": tokens, "candidates": real}


def made(**options: object) -> MilNceObjective:
    return MilNceObjective(network(), RECIPE, MilNceOptions(**options)).eval()  # type: ignore[arg-type]


def test_the_loss_is_that_of_the_networks_vectors() -> None:
    objective, given = made(), batch()
    video = objective.network(given["clips"].float() / 255)["video_embedding"]
    text = objective.network.text_module(given["tokens"].flatten(0, 1)).view(4, 3, -1)
    losses = objective(given)
    expected = mil_nce(video, text, given["candidates"])
    assert losses["loss"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert set(losses) == {"loss", "right"}
    assert not losses["right"].requires_grad


def test_temperature_score_and_padding_change_it() -> None:
    given = batch()
    objective = made(score="cosine", temperature=0.07, padding="masked")
    video = F.normalize(objective.network(given["clips"].float() / 255)["video_embedding"], dim=-1)
    ids = given["tokens"].flatten(0, 1)
    text = F.normalize(objective.network.text_module(ids, ids > 0).view(4, 3, -1), dim=-1)
    expected = mil_nce(video, text, given["candidates"], temperature=0.07)
    assert objective(given)["loss"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_both_ways_of_padding_are_averaged() -> None:
    given = batch()
    counts, masked, both = (made(padding=way)(given)["loss"] for way in ("counts", "masked", "both"))
    assert counts.item() != pytest.approx(masked.item(), rel=1e-5)
    assert both.item() == pytest.approx((counts + masked).item() / 2, rel=1e-6)


def test_candidates_that_are_not_real_play_no_part() -> None:
    objective, given = made(), batch()
    before = objective(given)["loss"]
    given["tokens"][0, 2] = torch.tensor([5, 6, 7, 8, 9])
    assert torch.equal(objective(given)["loss"], before)
    given["tokens"][0, 1] = torch.tensor([5, 6, 7, 8, 9])
    assert not torch.equal(objective(given)["loss"], before)


def test_pixels_are_scaled_as_for_extraction() -> None:
    recipe = replace(RECIPE, range="-1-1", mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    given = batch()
    objective = MilNceObjective(network(), recipe).eval()
    clips = clip_tensor(given["clips"].permute(0, 2, 3, 4, 1).numpy(), recipe, torch.device("cpu"))
    video = objective.network(clips)["video_embedding"]
    text = objective.network.text_module(given["tokens"].flatten(0, 1)).view(4, 3, -1)
    expected = mil_nce(video, text, given["candidates"])
    assert objective(given)["loss"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_layout_in_memory_changes_nothing_else() -> None:
    given = batch()
    plain, last = made(channels_last=False), made(channels_last=True)
    weight = last.network.conv1.conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last_3d)
    assert plain(given)["loss"].item() == pytest.approx(last(given)["loss"].item(), rel=1e-4)


def test_every_parameter_learns_and_clips_find_their_sentences() -> None:
    objective = MilNceObjective(network(), RECIPE, MilNceOptions(padding="both"))
    ease_start(objective.network)
    optimiser = torch.optim.AdamW(objective.parameters(), 3e-3)
    given = batch()
    history = []
    for _ in range(18):
        losses = objective(given)
        optimiser.zero_grad()
        losses["loss"].backward()
        optimiser.step()
        history.append((losses["loss"].item(), losses["right"].item()))
    assert all(parameter.grad is not None for parameter in objective.parameters())
    assert history[-1][0] < 0.5 * history[0][0]
    assert history[-1][1] == 1.0


def test_an_eased_start_opens_rectifiers() -> None:
    eased = network()
    ease_start(eased)
    assert (eased.conv1.bn1.bias == 1).all()
    temporal = eased.conv_2c.conv2.weight
    identity = torch.nn.init.dirac_(torch.empty_like(temporal))
    assert (temporal - identity).std() < 0.2 / temporal.shape[1] ** 0.5


def test_held_out_losses_are_means_over_clips_however_many_an_item_has() -> None:
    class Pairs:
        """Items of two clips each."""

        def __len__(self) -> int:
            return 3

        def item(self, epoch: int, index: int) -> float:
            return float(index)

        def collate(self, items: Sequence[float]) -> dict[str, torch.Tensor]:
            return {"value": torch.tensor(items).repeat_interleave(2)}

    class Mean(torch.nn.Linear):
        def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            return {"loss": batch["value"].mean()}

    assert held_out_losses(Mean(1, 1), Pairs(), batch=2) == {"loss": 1.0}


def test_a_temperature_of_zero_is_refused() -> None:
    with pytest.raises(ConfigError, match="temperature"):
        MilNceOptions(temperature=0.0)
