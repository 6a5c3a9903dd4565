"""Decoders by name: one contract for all, what order gains, what is dropped, and how they are written."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from vidalign.aligners.decoders import DECODERS, canonical, get_decoder
from vidalign.aligners.decoders.costs import distances
from vidalign.aligners.decoders.dtw import dtw_path
from vidalign.aligners.decoders.evidence import Evidence
from vidalign.aligners.decoders.options import OPTIONS, parse
from vidalign.errors import DataError, ModelError, UsageError

NAMES = sorted(DECODERS)
ORDERED = sorted(set(NAMES) - {"peak"})
DROPPING = ("drop-dtw", "ot", "viterbi")
ORDER_AWARE = ("dtw", "drop-dtw:clips=20,sentences=20", "viterbi:skip=20", "steps", "steps:cost=softmax")
EACH = pytest.mark.parametrize("name", NAMES)


def evidence(similarity: np.ndarray, **known: object) -> Evidence:
    start = np.arange(similarity.shape[1], dtype=np.float64)
    times = np.stack([start, start + 1], axis=1)
    return Evidence(similarity.astype(np.float32), times, **known)  # type: ignore[arg-type]


def story(seed: int = 0, *, chatter: int = 0) -> tuple[Evidence, np.ndarray]:
    """Six steps of four seconds, each also looking like another one, after `chatter` sentences of nothing."""
    rng = np.random.default_rng(seed)
    similarity = 0.1 * rng.standard_normal((6, 40))
    truth = np.array([[3, 7], [9, 13], [15, 19], [21, 25], [27, 31], [33, 37]])
    for k, (start, end) in enumerate(truth):
        similarity[k, start:end] += 0.75
        other = truth[(k + 3) % 6]
        similarity[k, other[0] : other[1]] += 0.8
    nothing = 0.1 * rng.standard_normal((chatter, 40))
    return evidence(np.concatenate([nothing, similarity])), truth


def hits(clips: np.ndarray, truth: np.ndarray) -> int:
    return int(((clips >= truth[:, 0]) & (clips < truth[:, 1])).sum())


@EACH
def test_segments_hold_their_clip_and_are_there_where_sentences_are_kept(name: str) -> None:
    given, _ = story(chatter=3)
    found = get_decoder(name)(given)
    kept = found.clips >= 0
    assert np.array_equal(kept, found.kept)
    assert kept.any()
    assert np.array_equal(kept, np.isfinite(found.segments).all(axis=1))
    assert np.isnan(found.segments[~kept]).all()
    middles = given.times.mean(axis=1)[found.clips[kept]]
    starts, ends = found.segments[kept].T
    assert ((starts <= middles) & (middles <= ends)).all()
    assert get_decoder(name).drops == (name in DROPPING)
    if name != "otam":
        assert name in DROPPING or kept.all()


@EACH
def test_cells_that_were_not_scored_are_never_chosen(name: str) -> None:
    given, _ = story()
    similarity = given.similarity.copy()
    similarity[np.random.default_rng(3).random(similarity.shape) < 0.3] = np.nan
    similarity[2] = np.nan
    similarity[:, 20:24] = np.nan
    found = get_decoder(name)(replace(given, similarity=similarity))
    kept = found.kept
    assert kept.any() and not kept[2]
    assert np.isfinite(similarity[np.flatnonzero(kept), found.clips[kept]]).all()


def test_a_path_goes_through_as_few_unscored_cells_as_it_can() -> None:
    similarity = np.array([[0.1, np.nan, 0.9, 0.9], [0.9, 0.1, 0.1, np.nan], [np.nan, np.nan, 0.1, 0.1]])
    path = dtw_path(distances(evidence(similarity), must_pass=True))
    cells = list(zip(path.rows.tolist(), path.columns.tolist(), strict=True))
    assert cells == [(0, 0), (1, 1), (1, 2), (2, 3)] or cells == [(0, 0), (1, 0), (1, 1), (2, 2), (2, 3)]
    assert np.isfinite(similarity[path.rows, path.columns]).all()


@pytest.mark.parametrize("name", sorted({*NAMES} - {"ot"}))
def test_bands_of_scored_cells(name: str) -> None:
    """As windows around the subtitles' times leave them, with stretches of the video that nothing scored."""
    similarity = np.full((4, 60), np.nan)
    for k in range(4):
        similarity[k, 12 * k + 6 : 12 * k + 16] = 0.0
        similarity[k, 12 * k + 9] = 0.9
    assert get_decoder(name)(evidence(similarity)).clips.tolist() == [9, 21, 33, 45]


@pytest.mark.parametrize("written", ORDER_AWARE)
def test_order_tells_repeats_apart(written: str) -> None:
    given, truth = story()
    assert hits(get_decoder("peak")(given).clips, truth) <= 2
    assert hits(get_decoder(written)(given).clips, truth) == 6


@pytest.mark.parametrize("written", ["drop-dtw:clips=5,sentences=5", "viterbi:skip=10"])
def test_what_is_never_shown_is_dropped(written: str) -> None:
    given, truth = story(chatter=6)
    found = get_decoder(written)(given)
    assert not found.kept[:6].any()
    assert hits(found.clips[6:], truth) == 6


def test_transport_drops_what_is_like_nothing() -> None:
    given, _ = story(chatter=6)
    assert get_decoder("ot")(given).kept.tolist() == [False] * 6 + [True] * 6


def test_the_path_itself_or_the_peak_within_it() -> None:
    similarity = np.array([[0.1, 0.9, 0.9, 0.2, 0.1, 0.0], [0, 0, 0, 0.1, 0.8, 0.3]])
    given = evidence(similarity)
    assert get_decoder("dtw:segment=path")(given).segments.tolist() == [[0, 4], [4, 6]]
    assert get_decoder("dtw")(given).segments.tolist() == [[1, 3], [4, 5]]
    assert get_decoder("otam:segment=path")(given).segments.tolist() == [[0, 4], [4, 6]]


def test_the_times_pull_as_strongly_as_asked() -> None:
    similarity = np.zeros((2, 300))
    similarity[0, [50, 200]] = 0.5, 0.6
    similarity[1, 250] = 0.9
    spoken = np.array([[45.0, 50.0], [np.nan, np.nan]])
    given = evidence(similarity, spoken=spoken)
    assert get_decoder("viterbi")(given).clips.tolist() == [200, 250]
    assert get_decoder("viterbi:prior=0.01")(given).clips.tolist() == [200, 250]
    assert get_decoder("viterbi:prior=0.1")(given).clips.tolist() == [50, 250]


def test_one_clip_each_if_asked() -> None:
    similarity = np.zeros((2, 20))
    similarity[:, 7] = 0.9
    similarity[1, 9] = 0.5
    assert get_decoder("viterbi:skip=100")(evidence(similarity)).clips.tolist() == [7, 7]
    assert get_decoder("viterbi:skip=100,distinct=true")(evidence(similarity)).clips.tolist() == [7, 9]


def test_steps_with_runs_take_what_is_cheaper_than_background() -> None:
    similarity = np.full((2, 9), 0.1)
    similarity[0, 2:4] = similarity[1, 5:8] = 0.9
    found = get_decoder("steps:runs=true,background=0.5")(evidence(similarity))
    assert found.segments.tolist() == [[2, 4], [5, 8]]


def test_dot_products_of_any_size() -> None:
    given, truth = story()
    scaled = replace(given, similarity=50 * given.similarity - 700, score="dot", temperature=50.0)
    for written in ORDER_AWARE:
        assert hits(get_decoder(written)(scaled).clips, truth) == 6


def test_a_matrix_that_may_not_be_written_serves_as_well() -> None:
    given, _ = story()
    given.similarity.flags.writeable = False
    for name in NAMES:
        assert get_decoder(name)(given).kept.any()


@pytest.mark.parametrize("name", ORDERED)
@pytest.mark.parametrize(
    ("similarity", "message"),
    [
        (np.zeros((3, 1)), "the features have 1 clip: no order can be found in that"),
        (np.zeros((0, 9)), "there is no sentence to align"),
        (np.full((3, 9), np.nan), "no sentence was scored against any clip"),
    ],
    ids=["one clip", "no sentence", "nothing scored"],
)
def test_where_there_is_no_order(name: str, similarity: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message) as refused:
        get_decoder(name)(evidence(similarity))
    assert refused.value.hint


def test_more_steps_than_seconds() -> None:
    with pytest.raises(DataError, match="9 steps do not fit into 5 seconds"):
        get_decoder("steps")(evidence(np.zeros((9, 5))))


def test_every_decoder_has_its_options() -> None:
    assert list(DECODERS) == list(OPTIONS)


@pytest.mark.parametrize(
    ("written", "more", "expected"),
    [
        ("dtw", [], "dtw"),
        ("dtw", ["segment=peak"], "dtw"),
        ("dtw", ["segment=path"], "dtw:segment=path"),
        ("drop-dtw:sentences=1,clips=5.0", [], "drop-dtw:clips=5,sentences=1"),
        ("drop-dtw:clips=5", ["clips=7", "segment=peak"], "drop-dtw:clips=7,segment=peak"),
        ("steps", ["runs=true", "background=0.25"], "steps:runs=true,background=0.25"),
        ("ot", ["iterations=9"], "ot:iterations=9"),
    ],
)
def test_one_way_of_writing(written: str, more: list[str], expected: str) -> None:
    assert canonical(written, more) == expected
    assert canonical(expected) == expected
    assert get_decoder(expected).written == expected
    assert parse(expected)[0] == expected.partition(":")[0]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("dtw:segment", "decoder option 'segment' has no value"),
        ("dtw:segment=all", "segment=all is none of its values.*give peak or path"),
        ("dtw:speed=3", "decoder dtw has no option 'speed'.*it knows segment"),
        ("peak:level=3", "decoder peak has no option 'level'.*it has none"),
        ("drop-dtw:clips=101", "clips=101 is out of range.*from 0 to 100"),
        ("drop-dtw:clips=nan", "clips=nan is out of range"),
        ("drop-dtw:clips=many", "clips=many is not a number"),
        ("viterbi:prior=-1", "prior=-1 is out of range.*from 0 on"),
        ("viterbi:prior=inf", "prior=inf is out of range"),
        ("viterbi:distinct=yes", "distinct=yes is none of its values.*true or false"),
        ("ot:iterations=2.5", "iterations=2.5 is not a whole number"),
        ("ot:epsilon=0", "epsilon=0 is out of range"),
    ],
)
def test_options_that_are_none(written: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        get_decoder(written)


def test_names_that_are_none() -> None:
    with pytest.raises(ModelError, match="unknown decoder 'dream'"):
        canonical("dream")
    with pytest.raises(UsageError, match="not KEY=VALUE"):
        canonical("dtw", ["segment"])


def test_reading_names_and_options_needs_no_numpy() -> None:
    program = (
        "import sys; from vidalign.aligners.decoders import get_decoder; get_decoder('viterbi:skip=3');"
        "print(*{'numpy', 'torch', 'numba'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_decoding_needs_no_torch() -> None:
    program = (
        "import sys; from importlib import import_module; from vidalign.aligners.decoders import DECODERS;"
        "[import_module(module) for module in DECODERS.values()];"
        "print(*{'torch', 'numba'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
