"""`vidalign extract-text`: the sentences of a transcript become vectors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vidalign.cli.options import (
    FILE,
    device_option,
    encoding_option,
    json_option,
    overwrite_option,
    rolling_option,
    talk_options,
)

if TYPE_CHECKING:
    from vidalign.cli.output import Talk
    from vidalign.text.sentences import Segmentation
    from vidalign.text.subtitles import Rolling


@click.command("extract-text")
@click.argument("subtitles", type=FILE)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The .h5 file to write.",
)
@click.option(
    "--model",
    required=True,
    metavar="CARD|PATH",
    help="A model with a text tower, such as clip-vit-b32; with --vectors what made them.",
)
@click.option(
    "--vectors",
    type=FILE,
    metavar="FILE.npy",
    help="Vectors made elsewhere, one a sentence, to take instead of making them.",
)
@click.option(
    "--segment",
    type=click.Choice(["cue", "sentence"]),
    default="cue",
    show_default=True,
    help="As in `vidalign align`: each cue, or cues joined and split at sentence ends.",
)
@rolling_option
@encoding_option
@device_option
@overwrite_option
@json_option
@talk_options
def extract_text(
    subtitles: Path,
    output: Path,
    model: str,
    vectors: Path | None,
    segment: Segmentation,
    rolling: Rolling,
    encoding: str | None,
    device: str,
    overwrite: bool,
    as_json: bool,
    talk: Talk,
) -> None:
    """Turn the sentences of SUBTITLES into vectors, for models that read these.

    Give them to `vidalign align --text-features FILE` with the same --segment and --rolling. Prints the path
    of the file.
    """
    from vidalign.batch.outputs import check_writable
    from vidalign.batch.texts import Texts
    from vidalign.cli.items import tell
    from vidalign.errors import UsageError
    from vidalign.text.sentences import make_transcript
    from vidalign.text.subtitles import read_subtitles

    if output.suffix.lower() != ".h5":
        raise UsageError(f"{output}: sentence features are kept in .h5 files", hint="end its name in .h5")
    if output.exists() and output.resolve() in {p.resolve() for p in (subtitles, vectors) if p is not None}:
        raise UsageError(f"{output} would be written over itself", hint="choose another output")
    check_writable([output])
    transcript = make_transcript(read_subtitles(subtitles, encoding=encoding, rolling=rolling), segment)
    for warning in transcript.warnings:
        talk.warn(warning)
    tell(Texts(model, vectors, device).write(transcript, output, overwrite=overwrite), talk, as_json=as_json)
