"""`vidalign synth`: draw narrated how-to videos whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vidalign.cli.options import json_option, overwrite_option, talk_options

if TYPE_CHECKING:
    from vidalign.cli.output import Talk


@click.command()
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for videos/NAME.mp4, subtitles/NAME.vtt and truth.json.",
)
@click.option("--videos", type=click.IntRange(min=1), default=1, show_default=True, help="How many videos.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed, same videos."
)
@click.option("--seconds", type=float, default=None, show_default="160", help="Length of each video.")
@overwrite_option
@json_option
@talk_options
def synth(
    folder: Path, videos: int, seed: int, seconds: float | None, overwrite: bool, as_json: bool, talk: Talk
) -> None:
    """Draw narrated how-to videos, with the truth of what is shown when.

    Coloured shapes move, grow, split or vanish; the subtitles tell of it too early or too late, among chatter
    and things that are never shown. truth.json says for every cue whether it can be seen, and when. The same
    seed gives the same files. Prints the path of each finished video.
    """
    from vidalign.cli.output import emit
    from vidalign.synthetic.generate import generate
    from vidalign.synthetic.world import WorldSettings

    settings = WorldSettings() if seconds is None else WorldSettings(seconds=seconds)
    cues = alignable = 0
    with talk.progress("synth", total=videos, unit="videos") as meter:
        for written in generate(folder, videos, seed, settings, overwrite=overwrite):
            cues += written.cues
            alignable += written.alignable
            emit(
                {
                    "name": written.name,
                    "video": str(written.video),
                    "subtitles": str(written.subtitles),
                    "cues": written.cues,
                    "alignable": written.alignable,
                }
                if as_json
                else written.video
            )
            meter.advance()
    talk.say(f"{videos} videos in {folder}: {cues} cues, {alignable} of them alignable")
