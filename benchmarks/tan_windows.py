"""TAN over 3,600 s x 600 sentences: the scorer against one window at a time, on one CPU thread or a GPU.

The plain way embeds the sentences, projects the clips and runs both encoders anew for each window.
Prints the ratio plain / vidalign (goal: at least 1.15 on a CPU, 4 on a GPU) and the largest difference.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional as F

from vidalign.aligners.scorers.tan import TAN
from vidalign.aligners.scorers.windowed_tan import TanScorer
from vidalign.aligners.scores import sentence_mids
from vidalign.aligners.tokens import DictionaryTokens
from vidalign.aligners.windowing import Stitcher, Windowing, plan_windows
from vidalign.types import Features, Sentence

WORDS = [f"w{i}" for i in range(66249)]


def one_window_at_a_time(
    scorer: TanScorer, features: Features, sentences: list[Sentence], device: str
) -> np.ndarray:
    """The straightforward loop."""
    stitcher = Stitcher(len(sentences), len(features.features))
    video = torch.from_numpy(features.features)
    with torch.inference_mode():
        for window in plan_windows(features.times, sentence_mids(sentences), Windowing()):
            ids, mask = scorer.tokenizer([sentences[k].text for k in window.sentences])
            text = scorer.model.embed_text(
                torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)
            )
            clips = video[window.start : window.stop].to(device)
            clip_tokens, text_tokens = (
                scorer.model.project_video(clips[None]),
                scorer.model.project_text(text[None]),
            )
            dual = F.normalize(scorer.model.encode_video(clip_tokens)[0, -1], dim=-1)
            joint_clips, joint_text = scorer.model.encode_joint(clip_tokens, text_tokens)
            scorer.model.alignability(joint_text)
            joint = F.normalize(joint_text[0, -1], dim=-1) @ F.normalize(joint_clips[0, -1], dim=-1).T
            stitcher.add(window, ((joint + F.normalize(text_tokens[0], dim=-1) @ dual.T) / 2).cpu().numpy())
    return stitcher.mean()


def seconds(work: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Processor time on a CPU, which other processes disturb less; wall time on a GPU."""
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    began = clock()
    result = work()
    return clock() - began, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--sentences", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    scorer = TanScorer(TAN(), DictionaryTokens(WORDS, length=32, unknown="keep"), device=given.device)
    start = np.arange(given.seconds, dtype=np.float64)
    features = Features(
        features=rng.standard_normal((given.seconds, 1024)).astype(np.float32),
        times=np.stack([start, start + 1], axis=1),
    )
    middles = np.sort(rng.uniform(0, given.seconds, given.sentences))
    sentences = [
        Sentence(" ".join(rng.choice(WORDS, 8)), m - 2, m + 2, i, i) for i, m in enumerate(middles.tolist())
    ]
    ratios, difference = [], 0.0
    for _ in range(given.rounds):
        plain, expected = seconds(lambda: one_window_at_a_time(scorer, features, sentences, given.device))
        ours, found = seconds(lambda: scorer.score(features, sentences, Windowing()).similarity)
        ratios.append(plain / ours)
        difference = max(difference, float(np.nanmax(np.abs(found - expected))))
        print(f"plain {plain:.1f} s, vidalign {ours:.1f} s, ratio {plain / ours:.2f}")
    print(f"median ratio {np.median(ratios):.2f} on {given.device}; largest difference {difference:.1e}")


if __name__ == "__main__":
    main()
