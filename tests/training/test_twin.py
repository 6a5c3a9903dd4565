from __future__ import annotations

import pytest
import torch
from torch import nn

from vidalign.training.twin import Teacher


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))


def test_it_begins_as_its_original_and_then_follows_slowly() -> None:
    online = network()
    teacher = Teacher(online, momentum=0.9)
    start = online[0].weight.detach().clone()
    assert torch.equal(teacher.network[0].weight, start)
    with torch.no_grad():
        online[0].weight.add_(1)
    assert torch.equal(teacher.network[0].weight, start)
    teacher.follow(online)
    torch.testing.assert_close(teacher.network[0].weight, start + 0.1)
    teacher.follow(online)
    torch.testing.assert_close(teacher.network[0].weight, start + 0.19)


def test_buffers_are_copied() -> None:
    online = network()
    teacher = Teacher(online, momentum=0.999)
    online(torch.ones(4, 3))
    teacher.follow(online)
    for mine, theirs in zip(teacher.network.buffers(), online.buffers(), strict=True):
        assert torch.equal(mine, theirs)


def test_it_is_never_trained() -> None:
    teacher = Teacher(network(), momentum=0.5)
    assert not any(p.requires_grad for p in teacher.parameters())
    teacher.train()
    assert not any(module.training for module in teacher.network.modules())


def test_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Teacher(network(), momentum=0.5).follow(nn.Linear(3, 3))
