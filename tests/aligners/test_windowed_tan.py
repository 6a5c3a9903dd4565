from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vidalign.aligners.scorers.tan import HEAD_STAGE, TAN
from vidalign.aligners.scorers.windowed_tan import TanScorer
from vidalign.aligners.scores import sentence_mids
from vidalign.aligners.tokens import DictionaryTokens
from vidalign.aligners.windowing import Stitcher, Windowing, plan_windows
from vidalign.errors import DataError
from vidalign.types import Features, Sentence

WORDS = [f"w{i}" for i in range(99)]


def small(**changes: object) -> TAN:
    torch.manual_seed(1)
    sizes = {"width": 32, "heads": 4, "video_dim": 16, "text_dim": 24, "vocabulary": 100, "word_dim": 12}
    layers = {"video_layers": 2, "joint_layers": 3, "text_hidden": 20}
    return TAN(**{**sizes, **layers, **changes}).eval()  # type: ignore[arg-type]


def features(count: int, width: int = 16) -> Features:
    start = np.arange(count, dtype=np.float64)
    values = np.random.default_rng(2).standard_normal((count, width)).astype(np.float32)
    return Features(features=values, times=np.stack([start, start + 1], axis=1))


def sentences(count: int, length: float) -> list[Sentence]:
    rng = np.random.default_rng(3)
    mids = np.sort(rng.uniform(0, length, count)).tolist()
    return [Sentence(" ".join(rng.choice(WORDS, 1 + k % 6)), m - 1, m + 1, k, k) for k, m in enumerate(mids)]


def tokens() -> DictionaryTokens:
    return DictionaryTokens(WORDS, length=32, unknown="keep")


def one_at_a_time(
    scorer: TanScorer, given: Features, said: Sequence[Sentence]
) -> tuple[np.ndarray, np.ndarray]:
    stitcher, logits = Stitcher(len(said), len(given.features)), [[] for _ in said]
    for window in plan_windows(given.times, sentence_mids(said), Windowing()):
        ids, mask = scorer.tokenizer([said[k].text for k in window.sentences])
        text = scorer.model.embed_text(torch.from_numpy(ids), torch.from_numpy(mask))[None]
        clips = torch.from_numpy(given.features[window.start : window.stop])[None]
        with torch.inference_mode():
            outputs = scorer.model(clips, text)
        both = (outputs["logits_dual"][0, -1, :, 0] + outputs["logits_joint"][0, -1, :, 0]) / 2
        stitcher.add(window, both.T.numpy())
        for k, logit in zip(
            window.sentences, outputs["joint_logits_alignability"][0, HEAD_STAGE, :, 0], strict=True
        ):
            logits[k].append(float(logit))
    return stitcher.mean(), np.array([np.mean(values) for values in logits])


def test_batched_windows_give_the_numbers_of_single_ones() -> None:
    scorer, given, said = TanScorer(small(), tokens(), batch=3), features(300), sentences(40, 300)
    with torch.inference_mode():
        expected, logits = one_at_a_time(scorer, given, said)
    found = scorer.score(given, said, Windowing())
    assert np.isnan(expected).any(), "the case must hold cells that no window scored"
    np.testing.assert_allclose(found.similarity, expected, atol=1e-5)
    assert found.head is not None
    np.testing.assert_allclose(found.head, logits, atol=1e-5)


def test_each_sentence_is_embedded_once_and_each_second_projected_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = small()
    seen = {"sentences": 0, "seconds": 0}
    embed, project = model.embed_text, model.project_video

    def counted_embed(ids: Tensor, mask: Tensor | None = None) -> Tensor:
        seen["sentences"] += len(ids)
        return embed(ids, mask)

    def counted_project(video: Tensor) -> Tensor:
        seen["seconds"] += video.shape[:-1].numel()
        return project(video)

    monkeypatch.setattr(model, "embed_text", counted_embed)
    monkeypatch.setattr(model, "project_video", counted_project)
    TanScorer(model, tokens()).score(features(300), sentences(40, 300), Windowing())
    assert seen == {"sentences": 40, "seconds": 300}


def test_global_windowing_is_one_pass_with_stretched_positions() -> None:
    model, given, said = small(), features(150), sentences(5, 150)
    scorer = TanScorer(model, tokens())
    ids, mask = scorer.tokenizer([s.text for s in said])
    with torch.inference_mode():
        text = model.embed_text(torch.from_numpy(ids), torch.from_numpy(mask))[None]
        outputs = model(torch.from_numpy(given.features)[None], text, interpolate_from=64)
    expected = (outputs["logits_dual"][0, -1, :, 0] + outputs["logits_joint"][0, -1, :, 0]).T / 2
    found = scorer.score(given, said, Windowing(mode="global"))
    np.testing.assert_allclose(found.similarity, expected.numpy(), atol=1e-5)


def test_sentences_without_times_meet_every_window() -> None:
    said = [Sentence("w1 w2", None, None, 0, 0)]
    found = TanScorer(small(), tokens()).score(features(300), said, Windowing())
    assert not np.isnan(found.similarity).any()


def test_a_model_without_head_gives_no_logits() -> None:
    scorer = TanScorer(small(head=False, joint_layers=1), tokens())
    assert scorer.score(features(20), sentences(2, 20), Windowing()).head is None


def test_a_wrong_width_is_refused_with_both_numbers() -> None:
    with pytest.raises(DataError, match="8 wide, this model wants 16"):
        TanScorer(small(), tokens()).score(features(10, 8), sentences(2, 10), Windowing())


def test_similarity_is_a_cosine() -> None:
    model = small()
    found = TanScorer(model, tokens()).score(features(64), sentences(4, 64), Windowing())
    assert np.abs(found.similarity).max() <= 1
    with torch.inference_mode():
        unit = F.normalize(model.encode_video(model.project_video(torch.zeros(1, 4, 16))), dim=-1)
    assert torch.allclose(unit.norm(dim=-1), torch.ones(1, 2, 4))
