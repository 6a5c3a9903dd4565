"""Cues to sentences and segments back to cues."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidalign.errors import SubtitleError
from vidalign.text.sentences import MOST_WORDS, make_transcript, retime_cues, segment
from vidalign.text.subtitles import from_cues, parse_subtitles
from vidalign.text.subtitles.rolling import pieces
from vidalign.types import Cue, Sentence, Transcript


def cue(start: int | None, end: int | None, text: str, name: str = "") -> Cue:
    return Cue(start, end, text, text, id=name)


TOMATOES = [
    cue(33450, 39690, "lay the tomatoes on the tray"),
    cue(36840, 41670, "and these go into the oven for about 90"),
    cue(39690, 43770, "minutes. if you turn the oven down really"),
    cue(41670, 45590, "low you can leave them in overnight"),
]


def test_the_worked_example_of_sentencified_howto100m() -> None:
    first, second = segment(TOMATOES, "sentence")
    assert first.text == "lay the tomatoes on the tray and these go into the oven for about 90 minutes."
    assert second.text == "if you turn the oven down really low you can leave them in overnight"
    assert (first.start, first.end, second.start, second.end) == (33.45, 40.20, 40.20, 45.59)
    assert [(s.first_cue, s.last_cue) for s in (first, second)] == [(0, 2), (2, 3)]


def test_one_sentence_a_cue_keeps_times_and_ids() -> None:
    cues = [cue(1000, 2500, "One\n two ", "a"), cue(3000, 4000, ""), cue(4000, 4000, "Three. Four.")]
    assert segment(cues) == (
        Sentence("One two", 1.0, 2.5, 0, 0, "a"),
        Sentence("Three. Four.", 4.0, 4.0, 2, 2, "2"),
    )


def test_a_cue_is_split_at_sentence_ends_in_proportion_to_words() -> None:
    found = segment([cue(0, 10_000, "Crack it. Now whisk the whole thing for a minute")], "sentence")
    assert [(s.text, s.start, s.end) for s in found] == [
        ("Crack it.", 0.0, 2.0),
        ("Now whisk the whole thing for a minute", 2.0, 10.0),
    ]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Mr. Smith adds 1.5 cups, i.e. a lot.", 1),
        ("Wait... what? Yes!", 2),
        ("Wait... What?", 2),
        ('He said "stop." Then he left.', 2),
        ("先打鸡蛋。再加盐！好", 3),
        ("really?! yes", 2),
        ("one two three", 1),
    ],
)
def test_where_sentences_end(text: str, count: int) -> None:
    assert len(segment([cue(0, 1000, text)], "sentence")) == count
    assert len(segment([cue(None, None, text)], "sentence")) == count


def test_ideographs_keep_their_spacing() -> None:
    assert [s.text for s in segment([cue(0, 8000, "先打鸡蛋。 再加salt 好")], "sentence")] == [
        "先打鸡蛋。",
        "再加salt 好",
    ]


def test_a_silence_above_one_second_ends_a_sentence() -> None:
    near = [cue(0, 1000, "mix it"), cue(2000, 3000, "well")]
    far = [cue(0, 1000, "mix it"), cue(2001, 3000, "well")]
    assert [s.text for s in segment(near, "sentence")] == ["mix it well"]
    assert [s.text for s in segment(far, "sentence")] == ["mix it", "well"]


def test_sounds_speakers_and_jumps_back_end_a_sentence() -> None:
    cues = [
        cue(0, 1000, "[Music]"),
        cue(1000, 2000, "now we"),
        cue(2000, 3000, "start"),
        cue(3000, 4000, ">> with what"),
        cue(500, 600, "earlier"),
    ]
    texts = [s.text for s in segment(cues, "sentence")]
    assert texts == ["[Music]", "now we start", ">> with what", "earlier"]


def test_long_texts_without_stops_are_cut_where_a_cue_ends() -> None:
    cues = [cue(n * 1000, n * 1000 + 1000, "a b c d e") for n in range(10)]
    found = segment(cues, "sentence")
    assert [len(s.text.split()) for s in found] == [30, 20]
    assert [(s.first_cue, s.last_cue) for s in found] == [(0, 5), (6, 9)]
    assert [s.text.count("x") for s in segment([cue(0, 1, "x " * 70)], "sentence")] == [32, 32, 6]


def test_a_comma_ends_only_long_sentences() -> None:
    early = "one, two " + "w " * 10
    assert len(segment([cue(0, 1000, early)], "sentence")) == 1
    late = "w " * 20 + "end, and more"
    assert [len(s.text.split()) for s in segment([cue(0, 1000, late)], "sentence")] == [21, 2]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 5000), st.integers(-50, 5000), st.text("ab .,!?\n[]>卵。", min_size=0, max_size=40)
        ),
        max_size=12,
    ),
    st.booleans(),
)
def test_no_word_is_lost_or_doubled(entries: list[tuple[int, int, str]], collapse: bool) -> None:
    cues = [cue(start, start + length, text) for start, length, text in entries]
    found = segment(cues, "sentence", collapse=False)
    joined = "".join("".join(s.text for s in found).split())
    assert joined == "".join("".join(c.plain for c in cues).split())
    for sentence in segment(cues, "sentence", collapse=collapse):
        assert sentence.text.strip() and sentence.first_cue <= sentence.last_cue
        assert sentence.start is not None and sentence.end is not None and sentence.start <= sentence.end
        assert len(sentence.text.split()) <= MOST_WORDS


ROLLING = "\n".join(
    [
        "WEBVTT",
        "",
        "00:00:00.160 --> 00:00:02.070",
        " ",
        "crack<00:00:00.480><c> the</c><00:00:00.720><c> egg.</c><00:00:01.500><c> then</c>",
        "",
        "00:00:02.070 --> 00:00:02.080",
        "crack the egg. then",
        " ",
        "",
        "00:00:02.080 --> 00:00:04.309",
        "crack the egg. then",
        "whisk<00:00:02.399><c> it</c>",
        "",
        "00:00:04.309 --> 00:00:04.319",
        "whisk it",
        " ",
        "",
        "00:00:04.319 --> 00:00:09.000",
        "whisk it",
        " ",
        "",
    ]
).encode()


def test_inline_stamps_give_the_times_of_rolling_captions() -> None:
    file = parse_subtitles(ROLLING, path="a.vtt")
    found = make_transcript(file, "sentence").sentences
    assert [(s.text, s.start, s.end, s.first_cue, s.last_cue) for s in found] == [
        ("crack the egg.", 0.16, 1.5, 0, 0),
        ("then whisk it", 1.5, 4.319, 0, 4),
    ]


def test_stamped_words_that_do_not_roll_end_where_the_next_begin() -> None:
    cues = [
        Cue(320, 3320, "crack it", "crack it", words=((320, "crack"), (520, "it"))),
        Cue(2010, 4010, "up. yes", "up. yes", words=((2010, "up."), (2310, "yes"))),
    ]
    assert [(s.text, s.start, s.end) for s in segment(cues, "sentence")] == [
        ("crack it up.", 0.32, 2.31),
        ("yes", 2.31, 4.01),
    ]
    assert [s.end for s in segment([cues[0], replace(cues[1], plain=">> yes")], "sentence")] == [2.01, 4.01]


def test_collapsed_captions_lose_no_cue_on_the_way_back() -> None:
    transcript = make_transcript(parse_subtitles(ROLLING, path="a.vtt"))
    assert [(s.text, s.first_cue, s.last_cue) for s in transcript.sentences] == [
        ("crack the egg. then", 0, 1),
        ("whisk it", 2, 4),
    ]
    times = retime_cues(transcript, [True, True], [(100.0, 101.92), (200.0, 202.239)])
    assert times == [(100000, 101910), (101910, 101920), (200000, 202229), (202229, 202239), (202239, 206920)]


def test_a_single_rolling_phrase_is_recognised() -> None:
    phrase = b"\n\n".join(ROLLING.split(b"\n\n")[:3])
    assert [s.text for s in make_transcript(parse_subtitles(phrase, path="a.vtt")).sentences] == [
        "crack the egg. then"
    ]


def test_rolling_can_be_kept_or_forced() -> None:
    kept = parse_subtitles(ROLLING, path="a.vtt", rolling="keep")
    assert not kept.rolling and len(make_transcript(kept).sentences) == 5
    forced = parse_subtitles(ROLLING, path="a.vtt", rolling="collapse")
    assert forced.rolling and len(make_transcript(forced).sentences) == 2
    assert not any("roll" in line for line in (*kept.warnings, *forced.warnings))


def test_a_phrase_said_twice_is_not_swallowed() -> None:
    twice = ROLLING.replace(b"crack the egg. then", b"whisk it").replace(
        b"crack<00:00:00.480><c> the</c><00:00:00.720><c> egg.</c><00:00:01.500><c> then</c>",
        b"whisk<00:00:00.480><c> it</c>",
    )
    assert [s.text for s in make_transcript(parse_subtitles(twice, path="a.vtt")).sentences] == [
        "whisk it",
        "whisk it",
    ]


def test_lines_with_word_stamps_are_always_new() -> None:
    stamped = "go<00:00:00.500><c> on</c>"
    cues = [
        Cue(n * 1000, n * 1000 + 1000, f"go on\n{stamped}", "go on\ngo on", words=((n * 1000, "go on"),))
        for n in range(3)
    ]
    assert [piece.text for piece in pieces(cues, collapse=True)] == ["go on go on", "go on", "go on"]


def test_no_text_at_all_is_refused() -> None:
    with pytest.raises(SubtitleError, match="none of its 2 cues holds text"):
        make_transcript(from_cues([cue(0, 1, ""), cue(1, 2, " ".strip())], path="a.vtt"))


def test_a_cue_gets_its_share_of_the_segment() -> None:
    cues = (cue(0, 2000, "mix"), cue(2000, 4000, "it."), cue(4000, 5000, "Done."))
    transcript = Transcript(cues, segment(cues, "sentence"))
    assert retime_cues(transcript, [True, False], [(10.0, 12.0), (float("nan"), float("nan"))]) == [
        (10000, 11000),
        (11000, 12000),
        None,
    ]


def test_a_shared_cue_gets_the_hull_of_the_aligned() -> None:
    cues = (cue(0, 2000, "mix it"), cue(2000, 4000, "well. then"), cue(4000, 6000, "bake it"))
    transcript = Transcript(cues, segment(cues, "sentence"))
    assert [(s.start, s.end) for s in transcript.sentences] == [(0.0, 3.0), (3.0, 6.0)]
    spans = [(10.0, 13.0), (20.0, 23.0)]
    assert retime_cues(transcript, [True, True], spans)[1] == (12000, 21000)
    assert retime_cues(transcript, [True, False], spans) == [(10000, 12000), (12000, 13000), None]
    assert retime_cues(transcript, [False, True], spans) == [None, (20000, 21000), (21000, 23000)]


def test_two_sentences_inside_one_cue_stretch_it_over_both() -> None:
    cues = (cue(0, 2000, "One. Two."),)
    transcript = Transcript(cues, segment(cues, "sentence"))
    assert retime_cues(transcript, [True, True], [(5.0, 6.0), (8.0, 9.0)]) == [(5000, 9000)]


def test_without_times_words_decide_the_share() -> None:
    cues = (cue(None, None, "mix it well"), cue(None, None, "now."))
    transcript = Transcript(cues, segment(cues, "sentence"))
    assert [(s.text, s.start, s.mid) for s in transcript.sentences] == [("mix it well now.", None, None)]
    assert retime_cues(transcript, [True], [(4.0, 8.0)]) == [(4000, 7000), (7000, 8000)]


def test_a_cue_without_length_takes_the_whole_segment() -> None:
    cues = (cue(3000, 2000, "backwards"),)
    assert retime_cues(Transcript(cues, segment(cues)), [True], [(1.0, 2.5)]) == [(1000, 2500)]


def test_the_identity_moves_nothing() -> None:
    cues = tuple(cue(n * 1000, n * 1000 + 700, "w.") for n in range(20))
    for sentences in (segment(cues, "cue"), segment(cues, "sentence")):
        transcript = Transcript(cues, sentences)
        spans = [(s.start or 0.0, s.end or 0.0) for s in transcript.sentences]
        assert retime_cues(transcript, [True] * len(spans), spans) == [(c.start, c.end) for c in cues]
