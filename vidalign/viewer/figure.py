"""Alignments as a figure for a paper: matrix, subtitle times, segments, truth, several methods side by side.

Needs matplotlib (the extra `plot`). Grey matrix under marks that differ in shape and in a palette for all
eyes (Okabe and Ito, 2008); fonts are embedded in PDF as TrueType and in SVG as outlines.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vidalign.errors import MissingExtraError, UsageError
from vidalign.types import Alignment
from vidalign.viewer.describe import shorten
from vidalign.viewer.heatmap import clock

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)

Span = tuple[float, float]

SUFFIXES = (".png", ".svg", ".pdf")
SPOKEN, SEEN, TRUE = "#0072B2", "#D55E00", "#009E73"
_UNALIGNED, _UNSCORED = "0.45", "#f3ead9"
_MOST_COLUMNS, _MOST_ROWS = 4000, 4000
_MOST_LABELS, _LABEL_COLUMNS = 90, 46
_ROW, _LOWEST, _HIGHEST, _FRAME, _BAR = 0.15, 1.0, 9.0, 1.3, 0.09
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18000, 36000)
_FALLBACKS = (
    "DejaVu Sans",
    "Noto Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
    "WenQuanYi Zen Hei",
    "Arial Unicode MS",
    "Unifont",
)
_RC: dict[str, Any] = {
    "text.parse_math": False,
    "text.usetex": False,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "vidalign",
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.linewidth": 0.6,
    "hatch.linewidth": 0.5,
}
_NAMELESS = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One alignment under a title; `truth` has one interval a sentence in seconds, None where none is."""

    title: str
    alignment: Alignment
    truth: Sequence[Span | None] | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What of it, and how large: seconds shown (None: all), inches (None: as many as it takes), dots."""

    start: float | None = None
    end: float | None = None
    width: float | None = None
    height: float | None = None
    dpi: int = 200


def check_suffix(path: Path) -> str:
    """The format that a file name asks for; raises UsageError."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path} is no name of a figure", hint=f"it ends in {', '.join(SUFFIXES)}")
    return path.suffix.lower()[1:]


def write_figure(path: Path, format: str, panels: Sequence[Panel], look: Look | None = None) -> None:
    """Draw the panels side by side into a file; the same input gives the same bytes.

    Raises MissingExtraError without matplotlib.
    """
    look = look or Look()
    try:
        import matplotlib as mpl
    except ModuleNotFoundError:
        raise MissingExtraError(
            "figures need the package matplotlib", hint="pip install 'vidalign[plot]'"
        ) from None
    ours = {key: value for key, value in mpl.rcParamsDefault.items() if key != "backend"}
    with mpl.rc_context(ours | _RC | {"font.family": _fonts()}), _glyphs_told():
        figure = draw([_cropped(panel, look) for panel in panels], look)
        figure.savefig(path, format=format, dpi=look.dpi, metadata=_NAMELESS[format])


def draw(panels: Sequence[Panel], look: Look) -> Figure:
    """The figure; sentences are named once where all panels have the same."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    texts = [tuple(sentence.text for sentence in panel.alignment.sentences) for panel in panels]
    shared = len(set(texts)) == 1
    rows = max(len(text) for text in texts)
    figure = Figure(figsize=_size(rows, len(panels), shared, look), layout="constrained")
    FigureCanvasAgg(figure)
    columns = figure.subplots(1, len(panels), squeeze=False)[0]
    for number, (axes, panel) in enumerate(zip(columns, panels, strict=True)):
        _draw_panel(figure, axes, panel, look)
        if number == 0 or not shared:
            _name_rows(axes, panel.alignment, labelled=len(panels) == 1)
        else:
            axes.set_yticks([])
    _legend(figure, panels)
    return figure


def on_grid(
    similarity: NDArray[np.float32], times: NDArray[np.float64]
) -> tuple[NDArray[np.float32], float, float]:
    """(K, T) at even steps from the first clip to the end of the last, and those two times.

    At most 4000 columns and rows, neighbours merged by their maximum; NaN where there is no clip or no score.
    """
    start, end = float(times[0, 0]), float(times[-1, 1])
    steps = np.diff(times[:, 0])
    step = float(np.median(steps)) if len(steps) else end - start
    count = min(max(round((end - start) / step), 1), 20 * len(times)) if step > 0 else len(times)
    centres = start + (np.arange(count) + 0.5) * (end - start) / count
    clip = np.clip(np.searchsorted(times[:, 0], centres, side="right") - 1, 0, len(times) - 1)
    grid = np.where(centres < times[clip, 1], similarity[:, clip], np.nan).astype(np.float32)
    return _merged(_merged(grid, _MOST_ROWS).T, _MOST_COLUMNS).T, start, end


def _merged(matrix: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    if len(matrix) <= most:
        return matrix
    return np.fmax.reduceat(matrix, np.arange(most) * len(matrix) // most, axis=0)


def _draw_panel(figure: Figure, axes: Axes, panel: Panel, look: Look) -> None:
    alignment = panel.alignment
    rows = len(alignment.sentences)
    axes.set_title(shorten(panel.title, 60))
    axes.set_facecolor(_UNSCORED)
    _draw_matrix(figure, axes, alignment)
    _draw_marks(axes, panel, thickness=_thickness(rows, figure.get_size_inches()[1]))
    axes.set_ylim(max(rows, 1) - 0.5, -0.5)
    _time_axis(axes, *_extent(panel, look))
    if not rows:
        axes.text(0.5, 0.5, "no sentences", transform=axes.transAxes, ha="center", va="center")


def _draw_matrix(figure: Figure, axes: Axes, alignment: Alignment) -> None:
    similarity, times = alignment.similarity, alignment.times
    if similarity is None or times is None or not similarity.size or not np.isfinite(similarity).any():
        return
    grid, start, end = on_grid(similarity, times)
    scored = grid[np.isfinite(grid)]
    low, high = (float(value) for value in np.percentile(scored, [1, 99.9])) if scored.size else (0.0, 1.0)
    image = axes.imshow(
        grid,
        cmap="Greys",
        vmin=low,
        vmax=high if high > low else low + 1,
        extent=(start, end, len(alignment.sentences) - 0.5, -0.5),
        aspect="auto",
        interpolation="nearest",
    )
    aspect = max((figure.get_size_inches()[1] - _FRAME) / _BAR, 10)
    bar = figure.colorbar(image, ax=axes, pad=0.01, fraction=0.03, aspect=aspect)
    bar.set_label(f"similarity ({alignment.score})" if alignment.score else "similarity")
    bar.outline.set_linewidth(0.4)


def _draw_marks(axes: Axes, panel: Panel, thickness: float) -> None:
    from matplotlib.collections import LineCollection, PatchCollection
    from matplotlib.patches import Rectangle

    spoken = [[(a, float(k)), (b, float(k))] for k, (a, b) in _spoken(panel.alignment)]
    ends = [[(x, k - 0.28), (x, k + 0.28)] for k, span in _spoken(panel.alignment) for x in span]
    for color, width in (("white", 2.6 * thickness), (SPOKEN, thickness)):
        axes.add_collection(LineCollection(spoken + ends, colors=color, linewidths=width))
    true = [Rectangle((a, k + 0.22), b - a, 0.26) for k, (a, b) in _true(panel)]
    axes.add_collection(PatchCollection(true, facecolor=TRUE, edgecolor="white", linewidth=0.3 * thickness))
    seen = [Rectangle((a, k - 0.46), b - a, 0.92) for k, (a, b) in _seen(panel.alignment)]
    axes.add_collection(PatchCollection(seen, facecolor="none", edgecolor=SEEN, linewidth=1.2 * thickness))


def _spoken(alignment: Alignment) -> Iterator[tuple[int, Span]]:
    for k, sentence in enumerate(alignment.sentences):
        if sentence.start is not None and sentence.end is not None:
            yield k, (sentence.start, sentence.end)


def _seen(alignment: Alignment) -> Iterator[tuple[int, Span]]:
    for k, (start, end) in enumerate(alignment.segments.tolist()):
        if alignment.aligned[k] and np.isfinite([start, end]).all():
            yield k, (start, end)


def _true(panel: Panel) -> Iterator[tuple[int, Span]]:
    return ((k, span) for k, span in enumerate(panel.truth or ()) if span is not None)


def _legend(figure: Figure, panels: Sequence[Panel]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    if any(True for panel in panels for _ in _spoken(panel.alignment)):
        handles.append(Line2D([], [], color=SPOKEN, marker="|", label="subtitle time"))
    if any(True for panel in panels for _ in _seen(panel.alignment)):
        handles.append(Patch(facecolor="none", edgecolor=SEEN, label="aligned segment"))
    if any(panel.truth is not None for panel in panels):
        handles.append(Patch(facecolor=TRUE, label="truth"))
    if any(_has_gaps(panel.alignment) for panel in panels):
        handles.append(Patch(facecolor=_UNSCORED, edgecolor="0.7", linewidth=0.4, label="not scored"))
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)


def _has_gaps(alignment: Alignment) -> bool:
    return alignment.similarity is not None and bool(np.isnan(alignment.similarity).any())


def _time_axis(axes: Axes, start: float, end: float) -> None:
    step = next((s for s in _STEPS if (end - start) / s <= 8), (end - start) / 8)
    ticks = np.arange(np.ceil(start / step), np.floor(end / step) + 1) * step
    axes.set_xticks(ticks, [clock(tick) if step >= 1 else f"{tick:.1f}" for tick in ticks])
    axes.set_xlim(start, end)
    axes.set_xlabel("time in the video" if step >= 1 else "time in the video (s)")


def _name_rows(axes: Axes, alignment: Alignment, *, labelled: bool) -> None:
    """The texts beside the rows; where they are `labelled`, those not aligned are grey."""
    rows = len(alignment.sentences)
    if rows > _MOST_LABELS:
        axes.set_ylabel("sentence")
        return
    labels = [shorten(sentence.text, _LABEL_COLUMNS) for sentence in alignment.sentences]
    axes.set_yticks(range(rows), labels, fontsize=6.5)
    axes.tick_params(axis="y", length=0, pad=2)
    for label, aligned in zip(axes.get_yticklabels(), alignment.aligned, strict=True):
        label.set_color("black" if aligned or not labelled else _UNALIGNED)


def _extent(panel: Panel, look: Look) -> Span:
    """What is asked for, else from second 0 to the end of the last clip or mark."""
    times = panel.alignment.times
    spans = [*_spoken(panel.alignment), *_seen(panel.alignment), *_true(panel)]
    ends = [end for _, (_, end) in spans if np.isfinite(end)]
    if times is not None and len(times):
        ends.append(float(times[-1, 1]))
    start = 0.0 if look.start is None else look.start
    end = max(ends, default=start + 1) if look.end is None else look.end
    return start, end if end > start else start + 1


def _cropped(panel: Panel, look: Look) -> Panel:
    """Only the clips in the seconds shown, and the sentences that have a mark there."""
    if look.start is None and look.end is None:
        return panel
    start, end = _extent(panel, look)
    marks = [*_spoken(panel.alignment), *_seen(panel.alignment), *_true(panel)]
    kept = sorted({k for k, (a, b) in marks if b > start and a < end})
    held = panel.alignment
    similarity, times = held.similarity, held.times
    if similarity is not None and times is not None:
        shown = (times[:, 1] > start) & (times[:, 0] < end)
        similarity, times = similarity[kept][:, shown], times[shown]
    alignment = replace(
        held,
        similarity=similarity,
        times=times,
        alignability=held.alignability[kept],
        confidence=held.confidence[kept],
        aligned=held.aligned[kept],
        segments=held.segments[kept],
        sentences=tuple(held.sentences[k] for k in kept),
    )
    truth = None if panel.truth is None else [panel.truth[k] for k in kept]
    return replace(panel, alignment=alignment, truth=truth)


def _size(rows: int, panels: int, shared: bool, look: Look) -> tuple[float, float]:
    labels = 2.2 if rows <= _MOST_LABELS else 0.4
    width = 0.3 + panels * 4.2 + labels * (1 if shared else panels)
    height = _FRAME + min(max(rows * _ROW, _LOWEST), _HIGHEST)
    return look.width or min(width, 60.0), look.height or height


def _thickness(rows: int, height: float) -> float:
    """Points; lines are thinner where rows are lower."""
    return float(np.clip(6 * (height - _FRAME) / max(rows, 1), 0.4, 0.9))


def _fonts() -> list[str]:
    """Families on this machine in which to look for a glyph, one after the other."""
    from matplotlib import font_manager

    known = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in _FALLBACKS if name in known] or ["sans-serif"]


@contextmanager
def _glyphs_told() -> Iterator[None]:
    """One line for people instead of a warning for each glyph that no font has."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    missing = {str(warning.message) for warning in caught if "missing from font" in str(warning.message)}
    if missing:
        log.warning(
            "%d characters of the sentences are in no font of this machine; they are drawn as boxes",
            len(missing),
        )
