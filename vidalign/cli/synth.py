"""`vidalign synth`: draw narrated how-to videos whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vidalign.cli.options import json_option, overwrite_option, talk_options

if TYPE_CHECKING:
    from vidalign.cli.output import Talk
    from vidalign.synthetic.generate import Writer


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
@click.option(
    "--level",
    type=click.Choice(["default", "published", "hard"]),
    default=None,
    show_default="default",
    help="How hard the world is.",
)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=None,
    help="YAML file with a level and any knobs of the world.",
)
@click.option(
    "--features-only",
    is_flag=True,
    help="No videos but features/NAME.h5, as `extract --backbone mini` would nearly make them.",
)
@overwrite_option
@json_option
@talk_options
def synth(
    folder: Path,
    videos: int,
    seed: int,
    seconds: float | None,
    level: str | None,
    config: Path | None,
    features_only: bool,
    overwrite: bool,
    as_json: bool,
    talk: Talk,
) -> None:
    """Draw narrated how-to videos, with the truth of what is shown when.

    Coloured shapes move, grow, split or vanish; the subtitles tell of it too early or too late, among chatter
    and things that are never shown. truth.json says for every cue whether it can be seen, and when. The same
    seed gives the same files. Prints the path of each finished video.
    """
    from vidalign.batch.outputs import check_writable
    from vidalign.cli.output import emit
    from vidalign.synthetic.generate import generate, write_video
    from vidalign.synthetic.settings import make_settings, read_knobs

    knobs = {} if config is None else read_knobs(config)
    knobs |= {k: v for k, v in (("level", level), ("seconds", seconds)) if v is not None}
    settings = make_settings(knobs, str(config or "synth"))
    check_writable([folder / "truth.json"])
    write: Writer = write_video
    if features_only:
        from vidalign.synthetic.features import write_features_only

        write = write_features_only
    cues = alignable = 0
    with talk.progress("synth", total=videos, unit="videos") as meter:
        for written in generate(folder, videos, seed, settings, write=write, overwrite=overwrite):
            cues += written.cues
            alignable += written.alignable
            emit(
                {
                    "name": written.name,
                    "features" if features_only else "video": str(written.video),
                    "subtitles": str(written.subtitles),
                    "cues": written.cues,
                    "alignable": written.alignable,
                }
                if as_json
                else written.video
            )
            meter.advance()
    talk.say(f"{videos} videos in {folder}: {cues} cues, {alignable} of them alignable")
