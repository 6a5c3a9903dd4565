"""The figure: what is drawn where, fonts inside, the same bytes every time, and nothing that breaks it."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.figure import Figure

from tests.alignments import empty_alignment, hostile_alignment, made_alignment
from vidalign.errors import MissingExtraError, UsageError
from vidalign.types import Alignment
from vidalign.viewer import figure as module
from vidalign.viewer.figure import Look, Panel, check_suffix, draw, on_grid, write_figure

TRUTH = [(1.0, 2.5), None, (6.0, 7.0)]
FORMATS = pytest.mark.parametrize("format", ["png", "svg", "pdf"])


def drawn(*panels: Panel, look: Look | None = None) -> tuple[Figure, list[Axes]]:
    figure = draw(panels, look or Look())
    figure.draw_without_rendering()
    return figure, [axes for axes in figure.axes if axes.get_title()]


def boxes(axes: Axes, color: str, filled: bool) -> list[tuple[float, float, float]]:
    """(start, end, row) of the rectangles of that colour."""
    from matplotlib.colors import to_rgba

    found = []
    for patches in axes.collections:
        if isinstance(patches, PatchCollection):
            colors = patches.get_facecolor() if filled else patches.get_edgecolor()
            if len(colors) and tuple(colors[0]) == to_rgba(color):
                for path in patches.get_paths():
                    (a, low), (b, high) = path.vertices.min(axis=0), path.vertices.max(axis=0)
                    found.append((a, b, round((low + high) / 2)))
    return found


def test_every_mark_is_at_its_time_and_row() -> None:
    _, [axes] = drawn(Panel("a", made_alignment(), TRUTH))
    assert boxes(axes, module.SEEN, filled=False) == [(1, 3, 0), (2.5, 4.5, 1)]
    assert boxes(axes, module.TRUE, filled=True) == [(1, 2.5, 0), (6, 7, 2)]
    lines = next(c for c in axes.collections if isinstance(c, LineCollection))
    spoken = [segment for segment in lines.get_segments() if segment[0][1] == segment[1][1]]
    assert [(s[0][0], s[1][0], s[0][1]) for s in spoken] == [(0.5, 2.25, 0), (2, 4, 1), (5, 6.5, 2)]
    assert axes.get_ylim() == (2.5, -0.5) and axes.get_xlim() == (0, 8)


def test_the_matrix_lies_under_the_marks_and_gaps_are_gaps() -> None:
    held = made_alignment()
    _, [axes] = drawn(Panel("a", held))
    [image] = axes.images
    assert tuple(image.get_extent()) == (0, 8, 2.5, -0.5)
    values = np.ma.filled(image.get_array().astype(float), np.nan)
    assert np.array_equal(values, np.asarray(held.similarity, dtype=float), equal_nan=True)


def test_methods_stand_side_by_side_and_sentences_are_named_once() -> None:
    other = replace(made_alignment(), score="dot")
    figure, axes = drawn(Panel("TAN", made_alignment()), Panel("dot product", other))
    assert [a.get_title() for a in axes] == ["TAN", "dot product"]
    names = [[label.get_text() for label in a.get_yticklabels()] for a in axes]
    assert names == [["stir the egg", "put water", "thanks for watching"], []]
    assert {a.get_ylabel() for a in figure.axes} >= {"similarity (cosine)", "similarity (dot)"}
    _, different = drawn(Panel("x", made_alignment()), Panel("y", made_alignment(["one"], [None], [None])))
    assert [label.get_text() for label in different[1].get_yticklabels()] == ["one"]


def said(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_the_legend_names_what_is_there() -> None:
    everything = ["subtitle time", "aligned segment", "truth", "not scored"]
    assert said(drawn(Panel("a", made_alignment(), TRUTH))[0]) == everything
    plain = replace(made_alignment(["a"], [None], [None]), similarity=None)
    assert said(drawn(Panel("a", plain))[0]) == []


def test_a_stretch_of_the_video() -> None:
    _, [axes] = drawn(Panel("a", module._cropped(Panel("a", made_alignment()), Look(4.2, 7)).alignment))
    assert [label.get_text() for label in axes.get_yticklabels()] == ["put water", "thanks for watching"]


def simulated(color: str) -> np.ndarray:
    """sRGB as seen without red cones and without green cones (Vienot et al., 1999), in linear light."""
    from matplotlib.colors import to_rgb

    linear = np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)])
    protan = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
    deutan = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])
    return np.stack([linear, protan @ linear, deutan @ linear])


def test_the_colours_differ_for_all_eyes() -> None:
    colors = [simulated(color) for color in (module.SPOKEN, module.SEEN, module.TRUE)]
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert np.linalg.norm(colors[first] - colors[second], axis=1).min() > 0.08


HARD = {
    "hostile": hostile_alignment(),
    "no sentence": empty_alignment(),
    "no clip": made_alignment(clips=0),
    "one clip": made_alignment(clips=1),
    "no matrix": replace(made_alignment(), similarity=None, times=None),
    "all NaN": replace(made_alignment(), similarity=np.full((3, 8), np.nan, np.float32)),
    "infinite": replace(made_alignment(), similarity=np.full((3, 8), np.inf, np.float32)),
    "flat": replace(made_alignment(), similarity=np.ones((3, 8), np.float32)),
    "many": made_alignment(["s"] * 300, [(k, k + 2.0) for k in range(300)], [None] * 300, clips=302),
}


@pytest.mark.parametrize("held", HARD.values(), ids=HARD.keys())
@FORMATS
def test_hard_cases_are_figures_too(
    held: Alignment, format: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "vidalign"):
        write_figure(tmp_path / "x", format, [Panel(r"$\frac$ <b>", held)], Look(dpi=40))
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[format]
    assert (tmp_path / "x").read_bytes().startswith(start)
    assert len(caplog.records) <= 1


@FORMATS
def test_the_same_input_gives_the_same_bytes(format: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_figure(tmp_path / name, format, [Panel("a", made_alignment(), TRUTH)], Look(dpi=50))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_fonts_are_embedded(tmp_path: Path) -> None:
    for format in ("pdf", "svg"):
        write_figure(tmp_path / format, format, [Panel("a", made_alignment())])
    pdf, svg = (tmp_path / "pdf").read_bytes(), (tmp_path / "svg").read_text("utf-8")
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf
    assert "<text" not in svg and len(re.findall(r'<path id="DejaVuSans-', svg)) > 10


def test_own_settings_of_matplotlib_do_not_show(tmp_path: Path) -> None:
    import matplotlib as mpl

    write_figure(tmp_path / "a", "svg", [Panel("a", made_alignment())])
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "image.cmap": "jet"}):
        write_figure(tmp_path / "b", "svg", [Panel("a", made_alignment())])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def grid(times: Sequence[tuple[float, float]]) -> list[float | None]:
    similarity = np.arange(1, len(times) + 1, dtype=np.float32)[None]
    values, *_ = on_grid(similarity, np.array(times, dtype=np.float64))
    return [None if np.isnan(v) else float(v) for v in values[0]]


def test_clips_are_drawn_where_they_are() -> None:
    assert grid([(0, 1), (1, 2), (2, 3)]) == [1, 2, 3]
    assert grid([(0, 1), (1, 2), (4, 5), (5, 6)]) == [1, 2, None, None, 3, 4]
    assert grid([(0, 2), (1, 3), (2, 4)]) == [1, 2, 3, 3]
    assert grid([(7, 7.5)]) == [1]


def test_long_videos_keep_their_peaks() -> None:
    times = np.stack([np.arange(12_000.0), np.arange(12_000.0) + 1], axis=1)
    similarity = np.zeros((2, 12_000), np.float32)
    similarity[1, 7_777] = 5
    values, start, end = on_grid(similarity, times)
    assert values.shape == (2, 4000) and values[1].max() == 5 and (start, end) == (0, 12_000)


def test_without_matplotlib_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'vidalign\[plot\]'"):
        write_figure(tmp_path / "x", "png", [Panel("a", made_alignment())])


def test_suffixes() -> None:
    assert check_suffix(Path("a.PDF")) == "pdf"
    with pytest.raises(UsageError, match=r"ends in \.png, \.svg, \.pdf"):
        check_suffix(Path("a.jpg"))
