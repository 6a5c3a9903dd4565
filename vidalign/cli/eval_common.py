"""Options and messages that the evaluations share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vidalign.cli.options import FOLDER

if TYPE_CHECKING:
    from vidalign.cli.output import Talk
    from vidalign.cli.progress import Meter
    from vidalign.errors import VidalignError

features_option = click.option(
    "--features", type=FOLDER, required=True, metavar="DIR", help="Features, found by the video's name."
)
resamples_option = click.option(
    "--resamples",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="Bootstrap samples of videos for the 95 % intervals; 0: no intervals.",
)
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the bootstrap."
)

measures_option = click.option(
    "--measure",
    "measures",
    multiple=True,
    type=click.Choice(["average", "dtw", "otam"]),
    help="The mean of nearest clips in any order, or warping; may be repeated, by default all three.",
)


def given(*names: str) -> list[str]:
    """Those of these parameters that the command line has, as options."""
    context = click.get_current_context()
    return [
        f"--{name}"
        for name in names
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]


def noting(meter: Meter) -> Callable[[int, str], None]:
    """Shows how many videos are done, and which is next."""
    return lambda done, video: meter.update(done, note=video)


def tell_left_out(
    name: str, missing: Sequence[str], failed: Mapping[str, VidalignError], truth: Path, talk: Talk
) -> bool:
    """Name the videos that are not among the numbers; True when there are none."""
    from vidalign.errors import DataError

    for error in failed.values():
        talk.error(error)
    if missing:
        message = f"{name}: no file for {len(missing)} of the videos of {truth}: {' '.join(missing)}"
        talk.error(
            DataError(message, hint="files are found by the video's name: NAME.h5, NAME.align.h5, NAME.vtt")
        )
    return not (missing or failed)
