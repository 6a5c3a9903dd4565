"""The fast decoders find what a search through all paths finds, with numpy and with numba alike."""

from __future__ import annotations

import json
import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.aligners.paths import SIXTEENTHS, cost_of, matrices, ordered, placings, runs, subsets, warpings
from vidalign.aligners.decoders import fast
from vidalign.aligners.decoders.costs import Cost, percentile
from vidalign.aligners.decoders.drop_dtw import drop_dtw, drop_dtw_path
from vidalign.aligners.decoders.dtw import dtw, dtw_padded, dtw_path, padded_as_in_reference
from vidalign.aligners.decoders.otam import otam, otam_both, otam_path
from vidalign.aligners.decoders.paths import Path as Found
from vidalign.aligners.decoders.steps import ordered_steps
from vidalign.aligners.decoders.viterbi import Prior, viterbi, viterbi_path
from vidalign.errors import DataError

ENGINES: tuple[fast.Engine, ...] = ("numpy", "numba")
EXACT = settings(max_examples=40, deadline=None)
DROP = st.integers(0, 48).map(lambda n: n / 16)


def cells(path: Found) -> list[tuple[int, int]]:
    return list(zip(path.rows.tolist(), path.columns.tolist(), strict=True))


@EXACT
@given(matrices(holes=True))
def test_dtw_is_the_cheapest_warping(cost: np.ndarray) -> None:
    best = min(cost_of(cost, path) for path in warpings(*cost.shape))
    paths = [dtw_path(cost, engine=engine) for engine in ENGINES]
    assert [dtw(cost, engine=engine) for engine in ENGINES] == [best, best]
    assert [path.distance for path in paths] == [best, best]
    assert cells(paths[0]) == cells(paths[1])
    if best < math.inf:
        assert cost_of(cost, cells(paths[0])) == best
        assert cells(paths[0]) in list(warpings(*cost.shape))
    else:
        assert not cells(paths[0])


@EXACT
@given(matrices(holes=True))
def test_otam_is_the_cheapest_ordered_path(cost: np.ndarray) -> None:
    best = min(cost_of(cost, path) for path in ordered(*cost.shape))
    paths = [otam_path(cost, engine=engine) for engine in ENGINES]
    assert [otam(cost, engine=engine) for engine in ENGINES] == [best, best]
    assert cells(paths[0]) == cells(paths[1])
    if best < math.inf:
        assert cost_of(cost, cells(paths[0])) == best
        assert cells(paths[0]) in list(ordered(*cost.shape))
    back = min(cost_of(cost.T, path) for path in ordered(*cost.T.shape))
    assert otam_both(cost) == best + back


@EXACT
@given(matrices(holes=True), st.data())
def test_drop_dtw_is_the_cheapest_choice_of_what_to_keep(cost: np.ndarray, data: st.DataObject) -> None:
    rows = data.draw(st.lists(DROP, min_size=len(cost), max_size=len(cost)))
    columns = data.draw(st.lists(DROP, min_size=len(cost.T), max_size=len(cost.T)))
    best = min(cost_of(cost, path, rows, columns) for path in subsets(*cost.shape))
    of_rows, of_columns = np.array(rows), np.array(columns)
    paths = [drop_dtw_path(cost, of_rows, of_columns, engine=engine) for engine in ENGINES]
    assert [drop_dtw(cost, of_rows, of_columns, engine=engine) for engine in ENGINES] == [best, best]
    assert cells(paths[0]) == cells(paths[1])
    assert cost_of(cost, cells(paths[0]), rows, columns) == best


def test_what_may_never_be_dropped_is_kept() -> None:
    cost = np.array([[5.0, 1.0, 5.0], [5.0, 5.0, 1.0]])
    assert cells(drop_dtw_path(cost, 0.0, 0.0)) == []
    assert cells(drop_dtw_path(cost, math.inf, 0.0)) == [(0, 1), (1, 2)]
    assert cells(drop_dtw_path(cost, 0.0, math.inf)) == [(0, 0), (0, 1), (1, 2)]
    assert drop_dtw(cost, math.inf, math.inf) == dtw(cost)
    never = np.full((2, 3), math.nan)
    assert drop_dtw(never, math.inf, 0.0) == math.inf
    assert not cells(drop_dtw_path(never, math.inf, 0.0))


@EXACT
@given(matrices(holes=True), st.booleans(), DROP)
def test_steps_are_the_cheapest_placing_of_all(cost: np.ndarray, in_runs: bool, background: float) -> None:
    if len(cost) > len(cost.T):
        with pytest.raises(DataError, match=r"steps do not fit into \d seconds"):
            ordered_steps(cost, runs=in_runs)
        return
    placed = runs(*cost.shape, longest=None if in_runs else 1)
    best = min(cost_of(cost, path, 0.0, background) for path in placed)
    found = ordered_steps(cost, runs=in_runs, background=background)
    assert found.distance == best
    if best < math.inf:
        assert cost_of(cost, cells(found), 0.0, background) == best
        assert np.array_equal(np.unique(found.rows), np.arange(len(cost)))


@EXACT
@given(matrices(holes=True), st.booleans(), st.data())
def test_viterbi_is_the_cheapest_placing(cost: np.ndarray, distinct: bool, data: st.DataObject) -> None:
    skips = data.draw(st.lists(SIXTEENTHS, min_size=len(cost), max_size=len(cost)))
    best = min(cost_of(cost, path, skips) for path in placings(*cost.shape, distinct=distinct))
    found = viterbi_path(cost, np.array(skips), distinct=distinct)
    assert viterbi(cost, np.array(skips), distinct=distinct) == found.distance == best
    assert cost_of(cost, cells(found), skips) == best
    assert cells(found) in list(placings(*cost.shape, distinct=distinct))


def test_viterbi_with_the_times_as_a_prior() -> None:
    cost = np.zeros((2, 5))
    at = np.arange(5) + 0.5
    assert cells(viterbi_path(cost, 1.0)) == [(0, 0), (1, 0)]
    prior = Prior(np.array([1.5, 3.5]), at, 0.25)
    assert cells(viterbi_path(cost, 1.0, prior=prior)) == [(0, 1), (1, 3)]
    unknown = Prior(np.array([math.nan, 3.5]), at, 0.25)
    assert cells(viterbi_path(cost, 1.0, prior=unknown)) == [(0, 0), (1, 3)]
    assert viterbi(cost, 9.0, prior=Prior(np.array([1.5, 5.5]), at, 0.25)) == 0.25


@EXACT
@given(matrices(holes=True), st.sampled_from([np.float32, np.float64]))
def test_costs_read_off_a_similarity(values: np.ndarray, dtype: type) -> None:
    similarity = values.astype(dtype)
    made = 2.0 - 0.5 * similarity.astype(np.float64)
    read = Cost(similarity, scale=-0.5, offset=2.0)
    barrier = Cost(similarity, scale=-0.5, offset=2.0, unscored=1000.0)
    walled = np.where(np.isnan(made), 1000.0, made)
    for engine in ENGINES:
        assert dtw(read, engine=engine) == dtw(made, engine=engine)
        assert dtw(barrier, engine=engine) == dtw(walled, engine=engine)
        assert otam(barrier, engine=engine) == otam(walled, engine=engine)
        assert drop_dtw(read, 1.0, 0.5, engine=engine) == drop_dtw(made, 1.0, 0.5, engine=engine)


def test_costs_by_column() -> None:
    rng = np.random.default_rng(0)
    values, shift = rng.random((4, 7)), rng.random(7)
    read = Cost(values, by_column=shift)
    assert dtw(read, engine="numpy") == dtw(values + shift)
    assert ordered_steps(read).distance == ordered_steps(values + shift).distance
    assert np.array_equal(read.cells(np.array([1, 2]), np.array([3, 4])), (values + shift)[[1, 2], [3, 4]])


@pytest.mark.parametrize("shape", [(37, 211), (150, 90), (1, 40), (40, 1)])
def test_numba_and_numpy_agree_to_the_last_bit(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    cost = Cost(rng.random(shape, dtype=np.float32), scale=-1.0, offset=1.0, unscored=9.0)
    cost.matrix[rng.random(shape) < 0.1] = math.nan
    drops = rng.random(shape[0]), rng.random(shape[1])
    for one, two in (
        [dtw_path(cost, engine=engine) for engine in ENGINES],
        [otam_path(cost, engine=engine) for engine in ENGINES],
        [drop_dtw_path(cost, *drops, engine=engine) for engine in ENGINES],
    ):
        assert one.distance == two.distance
        assert cells(one) == cells(two)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_no_matrix_no_path(shape: tuple[int, int]) -> None:
    for function in (dtw, otam):
        with pytest.raises(ValueError, match="has no path"):
            function(np.zeros(shape))


def closed_form(*shape: int) -> np.ndarray:
    return ((np.sin(0.7 * np.arange(math.prod(shape))) + 1) / 2).reshape(shape)


@pytest.mark.parity
def test_tempclr_evaluation_distances(golden: Path) -> None:
    known = json.loads((golden / "tempclr_dist.json").read_text())
    for cost, warped, walked in zip(
        closed_form(2, 4, 6), known["dtw_hard"][0], known["otam_hard_prepadded"][0], strict=True
    ):
        found = [[dtw(cost[: i + 1, : j + 1]) for j in range(6)] for i in range(4)]
        np.testing.assert_allclose(found, warped, atol=1e-5)
        ends = np.minimum.accumulate(np.array(walked)[:, 1:7], axis=0)
        found = [[otam(cost[: i + 1, : j + 1]) for j in range(6)] for i in range(4)]
        np.testing.assert_allclose(found, ends, atol=1e-5)
        np.testing.assert_allclose(otam(cost, reference=True), walked[-1][-1], atol=1e-5)


@pytest.mark.parity
def test_tempclr_padding_and_what_is_wrong_with_it(golden: Path) -> None:
    known = json.loads((golden / "tempclr_dist.json").read_text())
    first, second = closed_form(2, 4, 6)
    wider = [padded_as_in_reference(cost, 5, 8) for cost in (first, second)]
    np.testing.assert_allclose(wider, np.array(known["dtw_pad_to_5x8"], dtype=float), atol=1e-6)
    level = [padded_as_in_reference(cost, 4, 6) for cost in (first, second)]
    np.testing.assert_allclose(level, known["dtw_pad_to_4x6"][0], atol=1e-6)
    for shape in ((4, 6), (5, 8), (4, 8), (5, 6)):
        assert dtw_padded(first, *shape) == dtw(first)
        assert dtw_padded(first, *shape, reference=True) < dtw(first)


def test_the_sign_of_the_references_otam() -> None:
    cost = np.array([[-1.0, 0.0], [0.5, 0.0]])
    for engine in ENGINES:
        assert otam(cost, engine=engine) == -1.0
        assert otam(-cost, engine=engine) == -0.5
        assert otam(np.array([[-1.0], [-1.0]]), engine=engine) == -2.0
        assert otam(np.array([[-1.0], [-1.0]]), reference=True, engine=engine) == -1.0


@pytest.mark.parity
def test_crosstask_assignments(golden: Path) -> None:
    known = json.loads((golden / "crosstask_dp.json").read_text())["Y"]
    cost = (np.sin(0.9 * np.arange(36)) + 1.2).astype(np.float32).reshape(12, 3)
    logits = np.cos(0.7 * np.arange(36)).reshape(12, 3)
    cases = {
        f"exactly_one={one},bg_cost={background:g}": ordered_steps(
            cost.T, runs=not one, background=background
        )
        for one in (1, 0)
        for background in (0.0, 0.5)
    }
    softmax = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    cases["neg_log_softmax(cos(0.7 n)), defaults"] = ordered_steps(-softmax.T)
    assert cases.keys() == known.keys()
    for name, path in cases.items():
        assigned = np.zeros((12, 3))
        assigned[path.columns, path.rows] = 1
        assert assigned.tolist() == known[name], name


def test_memory_beyond_the_matrix() -> None:
    cost = np.random.default_rng(0).random((150, 900), dtype=np.float32)
    lines = 16 * 8 * (150 + 900)
    for work, limit in (
        (lambda: dtw(cost, engine="numpy"), lines),
        (lambda: otam(cost, engine="numpy"), lines),
        (lambda: drop_dtw(cost, 0.1, 0.1, engine="numpy"), lines),
        (lambda: viterbi(cost, 0.1), lines),
        (lambda: dtw_path(cost, engine="numpy"), 1.1 * cost.size + lines),
        (lambda: otam_path(cost, engine="numpy"), 1.1 * cost.size + lines),
        (lambda: drop_dtw_path(cost, 0.1, 0.1, engine="numpy"), 1.1 * cost.size + lines),
        (lambda: viterbi_path(cost, 0.1), 1.1 * cost.size + lines),
        (lambda: ordered_steps(cost), 1.1 * cost.size + lines),
    ):
        tracemalloc.start()
        work()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < limit


@pytest.mark.parametrize("share", [0.0, 1.0, 30.0, 99.5, 100.0])
def test_percentiles_are_counted_or_sorted(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    values = rng.standard_normal((50, 70)).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = math.nan
    values[:5] = 0.25
    values[5] = -0.0
    expected = np.nanpercentile(values.astype(np.float64), share)
    assert percentile(values, share) == pytest.approx(expected, abs=1e-12)
    monkeypatch.setattr("vidalign.aligners.decoders.costs._BLOCK", 100)
    assert percentile(values, share) == pytest.approx(expected, abs=1e-12)
    with pytest.raises(ValueError, match="no cells"):
        percentile(np.full((2, 2), math.nan), share)


def test_without_numba_numpy_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from vidalign.errors import MissingExtraError

    cost = np.random.default_rng(0).random((5, 9))
    expected = dtw(cost)
    monkeypatch.setattr(fast, "find_spec", lambda name: None)
    assert dtw(cost) == expected
    with pytest.raises(MissingExtraError, match=r"vidalign\[fast\]"):
        dtw(cost, engine="numba")
