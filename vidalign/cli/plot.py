"""`vidalign plot`: alignments as a figure for a paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vidalign.cli.options import overwrite_option, talk_options
from vidalign.cli.truth import true_intervals, truth_option
from vidalign.cli.untrusted import untrusted_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidalign.cli.output import Talk
    from vidalign.viewer.figure import Panel

_positive = click.FloatRange(min=0.5, max=60)


@click.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(exists=True, path_type=Path)
)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="A .png, .svg or .pdf file."
)
@truth_option
@click.option(
    "--label", "labels", multiple=True, metavar="NAME", help="Title of each file's panel, in their order."
)
@click.option("--start", type=click.FloatRange(min=0), metavar="SECONDS", help="Draw from here on.")
@click.option("--end", type=click.FloatRange(min=0), metavar="SECONDS", help="Draw up to here.")
@click.option("--width", type=_positive, metavar="INCHES", help="Of the figure; by default what it takes.")
@click.option("--height", type=_positive, metavar="INCHES", help="Of the figure; by default what it takes.")
@click.option("--dpi", type=click.IntRange(20, 1200), default=200, show_default=True, help="Dots of a .png.")
@overwrite_option
@untrusted_option()
@talk_options
def plot(
    files: tuple[Path, ...],
    output: Path,
    truth: Path | None,
    labels: tuple[str, ...],
    start: float | None,
    end: float | None,
    width: float | None,
    height: float | None,
    dpi: int,
    overwrite: bool,
    talk: Talk,
) -> None:
    """Draw alignments as a figure: matrix, subtitle times, segments and truth.

    Several FILEs, say of several methods, stand side by side. Needs the extra `plot`. Prints the path of the
    figure.
    """
    from vidalign.batch.export import put
    from vidalign.batch.outputs import check_writable
    from vidalign.cli.output import emit_path
    from vidalign.errors import UsageError
    from vidalign.viewer.figure import Look, check_suffix, write_figure

    format = check_suffix(output)
    if start is not None and end is not None and start >= end:
        raise UsageError("--start must be before --end", hint=f"not {start:g} and {end:g}")
    check_writable([output])
    panels = _panels(files, labels, truth)
    look = Look(start, end, width, height, dpi)
    put(output, lambda path: write_figure(path, format, panels, look), overwrite=overwrite)
    emit_path(output)


def _panels(files: Sequence[Path], labels: Sequence[str], truth: Path | None) -> list[Panel]:
    from vidalign.errors import UsageError
    from vidalign.store.alignments import read_alignment
    from vidalign.viewer.figure import Panel

    if labels and len(labels) != len(files):
        raise UsageError(f"{len(labels)} labels for {len(files)} files", hint="give --label once for each")
    panels = []
    for number, file in enumerate(files):
        alignment = read_alignment(file)
        made = " + ".join(part for part in (alignment.scorer, alignment.decoder) if part)
        several = made if len(files) > 1 else alignment.video or file.name
        title = labels[number] if labels else several or file.name
        known = None if truth is None else true_intervals(truth, alignment)
        panels.append(Panel(title, alignment, known))
    return panels
