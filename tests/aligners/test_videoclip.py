"""The VideoCLIP / TempCLR network against its reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fill_rule import fill_shapes, ramp, read_keys
from vidalign.aligners.scorers.videoclip import VideoCLIP

SMALL = {
    "width": 16,
    "heads": 2,
    "hidden": 24,
    "video_layers": 2,
    "text_layers": 2,
    "video_dim": 8,
    "vocabulary": 20,
    "positions": 12,
    "clips": 6,
    "first": 2,
    "last": 3,
}


@pytest.fixture(scope="module")
def expected(golden: Path) -> dict[str, np.ndarray]:
    return dict(np.load(golden / "tempclr.npz"))


@pytest.fixture(scope="module")
def published(golden: Path) -> VideoCLIP:
    with torch.device("meta"):
        model = VideoCLIP()
    state = fill_shapes(read_keys(golden / "tempclr_keys.tsv"))
    model.load_state_dict(state, strict=True, assign=True)
    return model.eval()


@pytest.fixture(scope="module")
def small() -> VideoCLIP:
    torch.manual_seed(0)
    return VideoCLIP(**SMALL).eval()


def close(found: torch.Tensor, wanted: np.ndarray, within: float = 1e-4) -> None:
    assert found.shape == wanted.shape
    assert np.abs(found.numpy() - wanted).max() <= within


def test_names_and_shapes_are_the_published_ones(published: VideoCLIP, golden: Path) -> None:
    found = {name: tuple(tensor.shape) for name, tensor in published.state_dict().items()}
    assert list(found.items()) == list(read_keys(golden / "tempclr_keys.tsv").items())
    assert sum(p.numel() for p in published.parameters()) == 177_423_360


def test_videos_and_sentences_are_the_reference_s(
    published: VideoCLIP, expected: dict[str, np.ndarray]
) -> None:
    clips = torch.from_numpy(expected["vmasks"])
    video = ramp((3, 32, 512), np.sin) * clips[..., None]
    kept = np.r_[0, 2:64]  # [CLS], then what follows the first [SEP]
    ids, words = (torch.from_numpy(expected[name][:, kept]) for name in ("caps", "cmasks"))
    with torch.inference_mode():
        seen, said = published.encode_video(video, clips), published.encode_text(ids[:, :8], words[:, :8])
        outputs = published(video, clips, ids[:, :8], words[:, :8])
    close(seen[:, :12], expected["video_hidden"])
    close(said, expected["text_hidden"], 1.5e-4)  # one [SEP] where float64 is 9e-5 off, too
    for name in ("pooled_video", "pooled_text"):
        close(outputs[name], expected[name])


def test_padding_says_nothing(small: VideoCLIP) -> None:
    video, mask = torch.randn(2, 6, 8), torch.ones(2, 6, dtype=torch.bool)
    mask[1, 3:] = False
    with torch.inference_mode():
        padded = small.embed_clips(video, mask)[1], small.embed_seconds(video, mask)[1, :3]
        short = video[1:, :3], mask[1:, :3]
        alone = small.embed_clips(*short)[0], small.embed_seconds(*short)[0]
    for one, other in zip(padded, alone, strict=True):
        torch.testing.assert_close(one, other)


def test_seconds_do_not_see_the_first_mark(small: VideoCLIP) -> None:
    video, mask = torch.randn(1, 4, 8), torch.ones(1, 4, dtype=torch.bool)
    with torch.inference_mode():
        before = small.embed_seconds(video, mask), small.embed_clips(video, mask)
        kept = small.video_encoder.bert.embeddings.word_embeddings.weight[2].clone()
        small.video_encoder.bert.embeddings.word_embeddings.weight[2] += torch.arange(16.0)
        after = small.embed_seconds(video, mask), small.embed_clips(video, mask)
        small.video_encoder.bert.embeddings.word_embeddings.weight[2] = kept
    torch.testing.assert_close(before[0], after[0])
    assert not torch.allclose(before[1], after[1])


@pytest.mark.parametrize(
    ("change", "told"),
    [({"clips": 11}, "do not go into 12 positions"), ({"last": 20}, "not in a vocabulary of 20")],
)
def test_what_makes_no_network_is_told(change: dict[str, int], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        VideoCLIP(**{**SMALL, **change})


def test_more_clips_than_it_sees_are_refused(small: VideoCLIP) -> None:
    with pytest.raises(ValueError, match="7 clips; this network sees 1 to 6"):
        small.embed_clips(torch.zeros(1, 7, 8), torch.ones(1, 7, dtype=torch.bool))


def test_tokens_are_dropped_in_training_alone() -> None:
    torch.manual_seed(0)
    model = VideoCLIP(**SMALL, dropout=0.5)
    video, mask = torch.randn(1, 4, 8), torch.ones(1, 4, dtype=torch.bool)
    ids, words = torch.tensor([[2, 5, 6, 3]]), torch.ones(1, 4, dtype=torch.bool)
    for trained in (model.train(), model.eval()):
        one, other = (trained(video, mask, ids, words) for _ in range(2))
        for name in ("pooled_video", "pooled_text"):
            assert torch.equal(one[name], other[name]) != trained.training
