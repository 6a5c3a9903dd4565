from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from vidalign.synthetic.generate import Sample, draw_sample
from vidalign.synthetic.narration import absent, chatter, describe, in_place, vocabulary
from vidalign.synthetic.world import ACTIONS, COLOURS, SHAPES, TASKS, WorldSettings
from vidalign.text.words import split_words

SEEDS = range(8)


@pytest.fixture(scope="module", params=(20, 60, 160), ids=lambda seconds: f"{seconds}s")
def samples(request: pytest.FixtureRequest) -> list[Sample]:
    return [draw_sample(seed, 0, WorldSettings(seconds=request.param)) for seed in SEEDS]


def test_a_third_to_a_half_of_the_cues_is_alignable(samples: list[Sample]) -> None:
    for sample in samples:
        rows = sample.truth
        assert len(rows) / 3 <= sum(row.alignable for row in rows) <= len(rows) / 2


def test_subtitle_times_hit_at_most_four_in_ten(samples: list[Sample]) -> None:
    for sample in samples:
        hits = [
            in_place((cue.start + cue.end) / 2000, row.start, row.end)
            for cue, row in zip(sample.narration, sample.truth, strict=True)
            if row.alignable
        ]
        assert sum(hits) <= 0.4 * len(hits)


def test_cues_come_in_order_without_overlap(samples: list[Sample]) -> None:
    for sample in samples:
        settings = sample.plan.settings
        cues = sample.narration
        assert cues[0].start >= 0
        assert cues[-1].end <= settings.seconds * 1000
        assert all(a.end < b.start for a, b in pairwise(cues))
        low, high = settings.cue_ms
        assert all(low <= cue.end - cue.start <= high for cue in cues)


def test_alignable_cues_name_their_step(samples: list[Sample]) -> None:
    for sample in samples:
        for cue in sample.narration:
            if cue.step is not None:
                step = sample.plan.steps[cue.step]
                words = set(split_words(cue.text))
                assert words & set(COLOURS[step.colour].words)
                assert words & set(SHAPES[step.shape])
                said = [split_words(f"{p.base} {p.third} {p.gerund}") for p in ACTIONS[step.action]]
                assert any(words & set(forms) for forms in said)


def test_absent_sentences_match_no_step() -> None:
    sample = draw_sample(1, 0, WorldSettings(seconds=60))
    random = Random(0)
    for _ in range(200):
        words = set(split_words(absent(random, sample.plan)))
        for step in sample.plan.steps:
            named = words & set(COLOURS[step.colour].words) and words & set(SHAPES[step.shape])
            gerunds = {word for p in ACTIONS[step.action] for word in (p.base, p.third, p.gerund)}
            text = " ".join(words)
            assert not (named and any(word in text.split() for word in gerunds))


def test_a_step_is_said_in_many_ways() -> None:
    random = Random(0)
    said = {describe(random, ("red", "star", "spin")) for _ in range(300)}
    assert len(said) > 100


def test_the_vocabulary_holds_every_word() -> None:
    words, random = set(vocabulary()), Random(0)
    for _ in range(500):
        kind = random.choice(list(COLOURS)), random.choice(list(SHAPES)), random.choice(list(ACTIONS))
        assert set(split_words(describe(random, kind, "small", "dotted"))) <= words
        assert set(split_words(chatter(random, random.choice(TASKS)))) <= words


def test_no_word_names_two_things() -> None:
    names = [word for colour in COLOURS.values() for word in colour.words]
    names += [word for words in SHAPES.values() for word in words]
    assert len(names) == len(set(names))
