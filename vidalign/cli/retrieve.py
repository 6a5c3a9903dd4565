"""`vidalign retrieve`: what in a folder of videos shows what is told in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vidalign.cli.eval_common import given, noting, tell_left_out
from vidalign.cli.options import device_option, json_option, scorer_option, talk_options
from vidalign.cli.results import show

if TYPE_CHECKING:
    from vidalign.aligners.registry import Aligner
    from vidalign.cli.output import Talk
    from vidalign.evaluation.files import NamedFiles
    from vidalign.evaluation.full_video import Distances, Measure, Scale, Score
    from vidalign.evaluation.full_video_files import Comparison, Gallery, Paragraphs

score_option = click.option(
    "--score",
    type=click.Choice(["cosine", "dot"]),
    help="How vectors are compared; by default as the model does, in sequences by cosine.",
)
reference_option = click.option(
    "--reference", is_flag=True, help="As the published code computes it: its scale, padding and signs."
)
scale_option = click.option(
    "--scale",
    type=click.Choice(["product", "sum"]),
    default="product",
    show_default=True,
    help="Warped distances are divided by the product of the lengths, as published, or by their sum.",
)
subset_option = click.option(
    "--subset", metavar="NAME", help="Where TRANSCRIPTS is YouCook2's JSON: only these videos."
)


def check_scale(*, reference: bool, scale: Scale) -> None:
    """Raise UsageError where the scale would have no effect."""
    from vidalign.errors import UsageError

    if reference and scale == "sum":
        raise UsageError("--reference divides by the product of the lengths", hint="leave --scale out")


@click.command()
@click.argument("features", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("transcripts", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--text", "texts", multiple=True, help="What to look for, in words; may be repeated.")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="How many results.")
@click.option("--back", is_flag=True, help="Find the transcripts of each video instead.")
@click.option(
    "--measure",
    type=click.Choice(["average", "dtw", "otam"]),
    default="dtw",
    show_default=True,
    help="How a transcript is held against a video: the mean of its sentences' best clips, or warping.",
)
@click.option(
    "--background",
    type=click.Choice(["kept", "removed"]),
    default="kept",
    show_default=True,
    help="A video is windows of 16 s, or only the stretches that its own sentences' times give.",
)
@click.option(
    "--model", metavar="CARD|PATH", help="A model with vectors of clips and texts, or a model folder."
)
@scorer_option
@score_option
@scale_option
@reference_option
@subset_option
@device_option
@json_option
@talk_options
def retrieve(
    features: Path,
    transcripts: Path | None,
    texts: tuple[str, ...],
    top: int,
    back: bool,
    measure: Measure,
    background: str,
    model: str | None,
    scorer: str | None,
    score: Score | None,
    scale: Scale,
    reference: bool,
    subset: str | None,
    device: str,
    as_json: bool,
    talk: Talk,
) -> None:
    """Search the videos of FEATURES, a folder made by `vidalign extract`.

    With --text: the clips that show it. With TRANSCRIPTS (a folder of subtitles named as the features, one
    subtitle file, or a CSV with the columns video,start,end,text): the videos that each transcript as a whole
    may belong to. Prints a table, or with --json one object a result. Exit code 1 when a file is bad.
    """
    from vidalign.errors import UsageError

    if bool(texts) == (transcripts is not None):
        raise UsageError("give either --text or TRANSCRIPTS", hint="try 'vidalign retrieve --help'")
    if texts and (lost := given("back", "measure", "background", "score", "scale", "reference", "subset")):
        raise UsageError(f"{lost[0]} goes with TRANSCRIPTS", hint="leave it out")
    check_scale(reference=reference, scale=scale)

    from vidalign.aligners.registry import load_aligner
    from vidalign.batch.device import choose_place
    from vidalign.cli.notice import notice
    from vidalign.evaluation.files import features_files
    from vidalign.weights.defaults import default_model

    files, name = features_files(features), model or default_model()
    aligner = load_aligner(name, scorer=scorer, device=choose_place(device).device)
    notice(name, talk)
    if transcripts is None:
        complete = _clips(aligner, texts, files, top, talk, as_json=as_json)
    else:
        from vidalign.evaluation.full_video_files import Comparison, read_paragraphs

        how = Comparison(measure, background == "kept", score, scale, reference)
        paragraphs = read_paragraphs(transcripts, files, subset)
        gallery = _gallery(aligner, paragraphs, files, how, talk)
        complete = tell_left_out(name, gallery.missing, gallery.failed, transcripts, talk)
        _show_ranked(gallery, how.distances(gallery, aligner), top, back=back, as_json=as_json)
    if not complete:
        raise SystemExit(1)


def _clips(
    aligner: Aligner, texts: tuple[str, ...], files: NamedFiles, top: int, talk: Talk, *, as_json: bool
) -> bool:
    """Search for texts and show what was found; False where a file is bad."""
    from vidalign.cli.notice import doubt_words
    from vidalign.evaluation.search import search

    doubt_words(texts, aligner, talk)
    with talk.progress("search", total=sum(map(len, files.whole.values())), unit="videos") as meter:
        found = search(aligner, texts, files, top=top, progress=noting(meter))
    for error in found.failed.values():
        talk.error(error)
    rows = [
        {"text": text, "rank": rank, **hit._asdict()}
        for text, hits in zip(texts, found.hits, strict=True)
        for rank, hit in enumerate(hits, 1)
    ]
    show(rows, as_json=as_json)
    return not found.failed


def _gallery(
    aligner: Aligner, paragraphs: Paragraphs, files: NamedFiles, how: Comparison, talk: Talk
) -> Gallery:
    """Vectors of the transcripts and of all videos that can be found."""
    from vidalign.cli.notice import doubt_words
    from vidalign.evaluation.full_video_files import encode

    doubt_words((s.text for said in paragraphs.found.values() for s in said), aligner, talk)
    with talk.progress("retrieve", total=len(files.whole), unit="videos") as meter:
        return encode(
            aligner, paragraphs, files, background=how.background, paired=False, progress=noting(meter)
        )


def _show_ranked(gallery: Gallery, distances: Distances, top: int, *, back: bool, as_json: bool) -> None:
    """The best videos of each transcript, or back."""
    names, of = (gallery.videos, gallery.paragraphs) if back else (gallery.paragraphs, gallery.videos)
    keys = ("video", "transcript") if back else ("transcript", "video")
    rows = [
        {keys[0]: name, "rank": rank, keys[1]: of[n], "distance": float(row[n])}
        for name, row in zip(names, distances.T if back else distances, strict=True)
        for rank, n in enumerate(row.argsort(kind="stable")[:top].tolist(), 1)
    ]
    show(rows, as_json=as_json)
