from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from vidalign.synthetic.generate import Sample, draw_sample
from vidalign.synthetic.lexicon import ACTIONS, COLOURS, SHAPES, TASKS
from vidalign.synthetic.narration import in_place
from vidalign.synthetic.sentences import absent, captioned, chatter, describe, describe_half, vocabulary
from vidalign.synthetic.settings import LEVELS, WorldSettings
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
        low, high = settings.cue_seconds
        assert all(1000 * low <= cue.end - cue.start <= 1000 * high for cue in cues)


def test_a_whole_sentence_names_its_step() -> None:
    settings = WorldSettings(pronoun_share=0, partial_share=0, error_share=0)
    for seed in SEEDS:
        sample = draw_sample(seed, 0, settings)
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
        words = set(split_words(absent(random, {step.kind for step in sample.plan.steps})))
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


def test_steps_are_spoken_of_in_order() -> None:
    for seed in SEEDS:
        spoken = [c.step for c in draw_sample(seed, 1, LEVELS["hard"]).narration if c.step is not None]
        assert spoken == sorted(spoken)


def test_it_is_said_only_of_an_object_that_goes_on() -> None:
    settings = replace(LEVELS["published"], pronoun_share=1, partial_share=0, error_share=0)
    pronouns = {"it", "this"}
    said = 0
    for seed in SEEDS:
        sample = draw_sample(seed, 0, settings)
        for cue in sample.narration:
            if cue.step is None:
                continue
            step = sample.plan.steps[cue.step]
            words = set(split_words(cue.text))
            assert step.goes_on == bool(pronouns & words) == (not words & set(SHAPES[step.shape]))
            said += step.goes_on
    assert said > 10


def test_half_a_sentence_lacks_the_colour_or_the_shape() -> None:
    random = Random(0)
    for _ in range(100):
        words = set(split_words(describe_half(random, ("red", "star", "spin"))))
        assert bool(words & set(COLOURS["red"].words)) != bool(words & set(SHAPES["star"]))


def test_captions_mishear_and_lose_words_but_not_all() -> None:
    random = Random(0)
    settings = WorldSettings(error_share=1, filler_share=0)
    assert captioned(random, "the red star spins", settings) == "read start pins"
    assert captioned(random, "the purple", settings) == "the purple"
    assert captioned(random, "the red star", WorldSettings(error_share=0, filler_share=0)) == "the red star"
    filled = captioned(random, "the red star", WorldSettings(error_share=0, filler_share=1))
    assert len(filled) > len("the red star")


def test_drift_moves_the_end_more_than_the_beginning() -> None:
    exact = replace(WorldSettings(), in_place_share=1, max_in_place=1, alignable_share=(1, 1), twice_share=0)
    moved = []
    for seed in range(30):
        pairs = (draw_sample(seed, 0, replace(exact, drift=drift)) for drift in (0, 6))
        before, after = (sample.narration for sample in pairs)
        moved.append([abs(a.start - b.start) for a, b in zip(before, after, strict=True)])
    assert sum(row[0] for row in moved) * 3 < sum(row[-2] for row in moved)
