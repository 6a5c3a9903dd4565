"""TextGrids, read back by Praat itself and by pympi."""

from __future__ import annotations

import parselmouth
import pytest
from parselmouth.praat import call
from pympi import TextGrid

from tests.alignments import HOSTILE, empty_alignment, hostile_alignment, made_alignment
from tests.store.exports.conftest import Export


def tiers(path: object) -> dict[str, list[tuple[float, float, str]]]:
    """Tier name -> intervals that hold text, as Praat reads them."""
    grid = parselmouth.read(str(path))
    found = {}
    for number in range(1, call(grid, "Get number of tiers") + 1):
        intervals = [
            (
                round(call(grid, "Get start time of interval", number, n), 6),
                round(call(grid, "Get end time of interval", number, n), 6),
                call(grid, "Get label of interval", number, n),
            )
            for n in range(1, call(grid, "Get number of intervals", number) + 1)
        ]
        found[call(grid, "Get tier name", number)] = [i for i in intervals if i[2]]
    return found


def test_praat_reads_the_tiers(export: Export) -> None:
    path = export("textgrid", made_alignment())
    assert tiers(path) == {
        "original": [(0.5, 2.25, "stir the egg"), (5, 6.5, "thanks for watching")],
        "original-2": [(2, 4, "put water")],
        "aligned": [(1, 3, "stir the egg")],
        "aligned-2": [(2.5, 4.5, "put water")],
        "alignability": [(0.5, 2.25, "0.900"), (5, 6.5, "0.100")],
        "alignability-2": [(2, 4, "0.500")],
    }
    assert call(parselmouth.read(str(path)), "Get end time") == 8


def test_pympi_reads_the_same(export: Export) -> None:
    grid = TextGrid(str(export("textgrid", made_alignment())))
    [tier] = [tier for tier in grid.get_tiers() if tier.name == "aligned"]
    assert [i for i in tier.get_all_intervals() if i[2]] == [(1.0, 3.0, "stir the egg")]
    assert tier.get_all_intervals()[0][0] == 0 and tier.get_all_intervals()[-1][1] == 8


@pytest.mark.parametrize("seen", [None, (0.0, 1.0)])
def test_nothing_to_say_is_a_grid_too(seen: tuple[float, float] | None, export: Export) -> None:
    assert set(tiers(export("textgrid", empty_alignment()))) == {"original", "aligned", "alignability"}
    held = made_alignment(["a"], [None], [seen], clips=0)
    assert tiers(export("textgrid", held))["aligned"] == ([(0, 1, "a")] if seen else [])


def test_hostile_texts_come_back_as_text(export: Export) -> None:
    texts = {
        text
        for intervals in tiers(export("textgrid", hostile_alignment())).values()
        for *_, text in intervals
    }
    assert {HOSTILE[0], HOSTILE[1], HOSTILE[5]} <= texts
