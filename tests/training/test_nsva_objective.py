"""NSVA's loss against plain loops, what it trains, and that it learns."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from vidalign.aligners.scorers.nsva import NSVA
from vidalign.errors import ConfigError
from vidalign.training.objectives.nsva import NsvaObjective, NsvaOptions

CONFIG: dict[str, Any] = {
    "width": 16,
    "heads": 2,
    "hidden": 24,
    "video_layers": 1,
    "text_layers": 2,
    "video_dim": 6,
    "text_dim": 5,
    "dropout": 0.0,
    "seconds": 40,
}
PUBLISHED = 0.07


def network(**changes: Any) -> NSVA:
    torch.manual_seed(0)
    return NSVA(**{**CONFIG, **changes})


@pytest.fixture
def batch() -> dict[str, Tensor]:
    """Two videos of 9 and 7 s with three and two sentences; the first one's last has no positive second."""
    generator = torch.Generator().manual_seed(1)
    video_padding, text_padding = torch.zeros(2, 9, dtype=torch.bool), torch.zeros(2, 3, dtype=torch.bool)
    video_padding[1, 7:], text_padding[1, 2:] = True, True
    start = torch.tensor([[0, 3, 8], [2, 4, 4]])
    return {
        "video": torch.randn(2, 9, 6, generator=generator),
        "video_padding": video_padding,
        "text": torch.randn(2, 3, 5, generator=generator),
        "text_padding": text_padding,
        "start": start,
        "end": start + torch.tensor([[3, 2, 0], [2, 3, 3]]),
    }


def naive(cosines: Tensor, batch: dict[str, Tensor], *, across: bool) -> list[float]:
    """Means of -log(positives / all) of each decoder layer; cosines (L, B, K, A, T)."""
    real = [(0, t) for t in range(9)] + [(1, t) for t in range(7)]
    losses = []
    for layer in cosines:
        terms = []
        for b, k in ((0, 0), (0, 1), (1, 0), (1, 1)):
            score = {(a, t): math.exp(layer[b, k, a, t].item() / PUBLISHED) for a, t in real}
            span = range(int(batch["start"][b, k]), int(batch["end"][b, k]))
            everything = sum(value for (a, _), value in score.items() if across or a == b)
            terms.append(-math.log(sum(score[b, t] for t in span) / everything))
        losses.append(sum(terms) / len(terms))
    return losses


@pytest.mark.parametrize("negatives", ["batch", "video"])
def test_the_loss_by_plain_loops(negatives: str, batch: dict[str, Tensor]) -> None:
    made = network().eval()
    found = NsvaObjective(made, NsvaOptions(negatives=negatives))(batch)  # type: ignore[arg-type]
    cosines = made(batch["video"], batch["text"], batch["video_padding"], batch["text_padding"])
    wanted = naive(cosines, batch, across=negatives == "batch")
    assert found["loss"].item() == pytest.approx(sum(wanted) / 2, rel=1e-4)
    assert found["loss_last"].item() == pytest.approx(wanted[-1], rel=1e-4)


@pytest.mark.parametrize("negatives", ["batch", "video"])
def test_what_is_padding_plays_no_part(negatives: str, batch: dict[str, Tensor]) -> None:
    objective = NsvaObjective(network().eval(), NsvaOptions(negatives=negatives))  # type: ignore[arg-type]
    before = objective(batch)["loss"]
    batch["video"][1, 7:], batch["text"][1, 2:] = 50.0, -50.0
    torch.testing.assert_close(objective(batch)["loss"], before)


@pytest.mark.parametrize("ordered", [True, False])
def test_whatever_is_trainable_gets_a_gradient(ordered: bool, batch: dict[str, Tensor]) -> None:
    objective = NsvaObjective(network(ordered=ordered), NsvaOptions())
    objective(batch)["loss"].backward()
    reached = {name for name, p in objective.named_parameters() if p.grad is not None}
    assert reached == {name for name, p in objective.named_parameters() if p.requires_grad}
    frozen = {name.split(".")[1] for name, p in objective.named_parameters() if not p.requires_grad}
    assert frozen == {"alignable_head", "timestamp_head"} | (set() if ordered else {"text_pos_enc"})


def test_a_temperature_above_0() -> None:
    with pytest.raises(ConfigError, match="temperature"):
        NsvaOptions(temperature=0)


def drawn(generator: torch.Generator, codes: Tensor, shown: Tensor) -> dict[str, Tensor]:
    """Eight videos of 24 s in which six of ten things are shown for 4 s each, and named in another order."""
    batch, sentences, lasting = 8, 6, 4
    order = torch.stack([torch.randperm(10, generator=generator)[:sentences] for _ in range(batch)])
    named = torch.stack([torch.randperm(sentences, generator=generator) for _ in range(batch)])
    video = shown[order].repeat_interleave(lasting, dim=1)
    start = named * lasting
    return {
        "video": video + 0.3 * torch.randn(video.shape, generator=generator),
        "video_padding": torch.zeros(batch, sentences * lasting, dtype=torch.bool),
        "text": codes[order.gather(1, named)],
        "text_padding": torch.zeros(batch, sentences, dtype=torch.bool),
        "start": start,
        "end": start + lasting,
    }


def recall(made: NSVA, batch: dict[str, Tensor]) -> float:
    best = made.eval()(batch["video"], batch["text"], across=False)[-1].argmax(-1)
    return float(((batch["start"] <= best) & (best < batch["end"])).float().mean())


def test_it_learns_which_second_shows_a_sentence() -> None:
    generator = torch.Generator().manual_seed(0)
    codes, shown = torch.randn(10, 5, generator=generator), torch.randn(10, 6, generator=generator)
    made = network(ordered=False)
    objective = NsvaObjective(made, NsvaOptions())
    optimizer = torch.optim.AdamW([p for p in made.parameters() if p.requires_grad], lr=3e-3)
    unseen = drawn(torch.Generator().manual_seed(7), codes, shown)
    assert recall(made, unseen) < 0.4
    made.train()
    for _ in range(80):
        optimizer.zero_grad()
        objective(drawn(generator, codes, shown))["loss"].backward()
        optimizer.step()
    assert recall(made, unseen) > 0.85
