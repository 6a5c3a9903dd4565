"""The objective on annotated steps: its terms by plain loops, what is trained, and videos side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.training.test_tempclr_objective import network
from vidalign.errors import ConfigError
from vidalign.training.data.rows import HeldRows
from vidalign.training.data.step_videos import StepSets, StepVideo
from vidalign.training.losses.steps import order_of_steps, other_sequences, shuffled_frames
from vidalign.training.objectives.steps import StepObjective, StepOptions, averaged

SIZE = 6
"""Seconds that the network sees at once."""


def video(seed: int, seconds: int, *shown: tuple[int, int, int], steps: int = 3) -> StepVideo:
    generator = np.random.default_rng(seed)
    tokens = generator.integers(4, 40, (steps, 5)).astype(np.int32)
    tokens[:, 0], tokens[:, -1], tokens[-1, -2:] = 2, 3, (3, 0)
    rows = HeldRows(generator.normal(size=(seconds, 8)).astype(np.float32))
    return StepVideo("1", "v", rows, tokens, shown, Path("1_v.csv"))


LONG = video(0, 14, (1, 1, 5), (0, 4, 9), (1, 9, 10))
SHORT = video(1, 4, (0, 0, 2), steps=2)


def batch(*videos: StepVideo, frames: int = 3) -> dict[str, Tensor]:
    data = StepSets(videos, SIZE, frames)
    return data.collate([data.item(0, index) for index in range(len(videos))])


def test_the_losses_are_those_of_plain_loops() -> None:
    objective = StepObjective(network(), StepOptions(frames=3, negatives=5)).eval()
    found, given, model = objective(batch(LONG)), batch(LONG), objective.network
    tokens = torch.from_numpy(LONG.tokens.astype(np.int64))
    text = model.embed_text(tokens, tokens != 0)
    whole = torch.from_numpy(LONG.rows.read(0, 14))
    cells, seen = [], torch.zeros(14, 16)
    count = torch.zeros(14, 1)
    for start in (0, 3, 6, 9):
        part = whole[start : start + SIZE]
        out = model.embed_seconds(part[None], torch.ones(1, len(part), dtype=torch.bool))[0]
        seen[start : start + SIZE] += out
        count[start : start + SIZE] += 1
        for t, vector in enumerate(out, start):
            for k in range(3):
                shown = any(step == k and first <= t < end for step, first, end in LONG.shown)
                logit = vector @ text[k]
                cells.append(F.softplus(-logit) if shown else F.softplus(logit))
    torch.testing.assert_close(found["loss_frames"], torch.stack(cells).mean())
    frames, stretch = given["frames"][0], given["stretch"][0]
    assert all(
        first <= t < end
        for t, n in zip(frames.tolist(), stretch.tolist(), strict=True)
        for _, first, end in [LONG.shown[n]]
    )
    assert stretch.tolist() == [0] * 3 + [1] * 3 + [2]
    fixed = torch.Generator().manual_seed(0)
    orders = other_sequences(torch.tensor([1, 0, 1]), 5, fixed)
    assert len(orders) == 2
    mixed = shuffled_frames(stretch, orders, fixed)
    wanted = order_of_steps(text[[1, 0, 1]], (seen / count)[frames], mixed, "dtw", 0.1)
    torch.testing.assert_close(found["loss_sequence"], wanted)
    torch.testing.assert_close(found["loss"], 0.88 * found["loss_frames"] + 0.12 * wanted)
    assert found["videos"] == 1


@pytest.mark.parametrize("options", [StepOptions(), StepOptions(weight=0), StepOptions(distance="otam")])
def test_videos_side_by_side_are_as_by_themselves(options: StepOptions) -> None:
    objective = StepObjective(network(), options).eval()
    alone = [objective(batch(one)) for one in (LONG, SHORT)]
    both = objective(batch(LONG, SHORT))
    frames = torch.stack([one["loss_frames"] for one in alone]).mean()
    torch.testing.assert_close(both["loss_frames"], frames)
    if not options.weight:
        assert set(both) == {"loss", "loss_frames"}
        torch.testing.assert_close(both["loss"], frames)
        return
    assert both["videos"] == 0.5
    torch.testing.assert_close(both["loss_sequence"], alone[0]["loss_sequence"])


def test_steps_that_are_all_the_same_have_no_other_order() -> None:
    objective = StepObjective(network(), StepOptions())
    found = objective(batch(video(2, 9, (2, 0, 3), (2, 5, 8))))
    assert (found["loss_sequence"], found["videos"]) == (0, 0)
    torch.testing.assert_close(found["loss"], 0.88 * found["loss_frames"])
    found["loss"].backward()


@pytest.mark.parametrize("options", [StepOptions(), StepOptions(trained="norms"), StepOptions(weight=0)])
def test_whatever_is_trainable_gets_a_gradient(options: StepOptions) -> None:
    objective = StepObjective(network(), options)
    objective(batch(LONG, SHORT))["loss"].backward()
    reached = {name for name, p in objective.named_parameters() if p.grad is not None}
    assert reached == {name for name, p in objective.named_parameters() if p.requires_grad}
    assert all("LayerNorm" in name for name in reached) == (options.trained == "norms")


def test_it_learns() -> None:
    objective = StepObjective(network(), StepOptions())
    optimiser = torch.optim.AdamW(objective.decay_names().values(), 5e-3)
    given, losses = batch(LONG, SHORT), []
    for _ in range(30):
        loss = objective(given)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert max(losses[-3:]) < 0.5 * losses[0]


def test_seconds_of_several_windows_are_averaged() -> None:
    found = averaged(torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([0, 2, 2]), 4)
    assert found.tolist() == [[1], [0], [3], [0]]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"weight": 1}, "weight must lie between 0 and below 1, not 1"),
        ({"negatives": 0}, "negatives must be above 0"),
        ({"frames": 0}, "frames must be above 0"),
        ({"gamma": 0}, "gamma must be above 0"),
    ],
)
def test_options_that_cannot_be(values: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        StepOptions(**values)  # type: ignore[arg-type]
