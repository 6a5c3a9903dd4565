"""`vidalign inspect`: what is in a file."""

from __future__ import annotations

import shutil
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidalign.cli.options import talk_options
from vidalign.cli.untrusted import untrusted_option

if TYPE_CHECKING:
    from vidalign.cli.output import Talk
    from vidalign.types import Alignment, Features


_COLOURS = {"·": 244, "░": 25, "▒": 38, "▓": 114, "█": 227}
"""Characters of the heat map -> colours of terminals with 256 of them."""


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, without arrays.")
@click.option("--width", type=click.IntRange(min=20), help="Columns to use; by default the terminal's.")
@untrusted_option()
@talk_options
def inspect(file: Path, as_json: bool, width: int | None, talk: Talk) -> None:
    """Show a features or alignment file: what it is, how long, where every sentence is."""
    from vidalign.cli.output import emit_json, emit_text
    from vidalign.types import Features
    from vidalign.viewer.describe import describe_features

    held = _read(file)
    if as_json:
        emit_json(_values(held))
    elif isinstance(held, Features):
        emit_text("\n".join(describe_features(held)))
    else:
        emit_text(_alignment_text(held, width or shutil.get_terminal_size((100, 24)).columns))


def _read(file: Path) -> Features | Alignment:
    from vidalign.store.alignments import read_alignment
    from vidalign.store.features import read_features
    from vidalign.store.kind import kind_of

    return read_features(file) if kind_of(file) == "features" else read_alignment(file)


def _values(held: Features | Alignment) -> dict[str, Any]:
    from vidalign.store.alignments import alignment_to_json
    from vidalign.types import Features
    from vidalign.viewer.describe import alignment_values, features_values

    if isinstance(held, Features):
        return features_values(held)
    return alignment_values(held, alignment_to_json(held, matrix=False))


def _alignment_text(alignment: Alignment, width: int) -> str:
    import sys

    from vidalign.cli.lines import color_choice
    from vidalign.viewer.describe import describe_alignment

    if color_choice() is None and sys.stdout.isatty():
        return "\n".join(describe_alignment(alignment, width, _paint, _shade))
    return "\n".join(describe_alignment(alignment, width))


def _paint(text: str, aligned: bool) -> str:
    return click.style(text, fg="green" if aligned else "yellow")


def _shade(line: str) -> str:
    """Blocks from blue to yellow, cells that no window scored in grey."""
    runs = (("".join(run), _COLOURS.get(cell)) for cell, run in groupby(line))
    return "".join(run if colour is None else click.style(run, fg=colour) for run, colour in runs)
