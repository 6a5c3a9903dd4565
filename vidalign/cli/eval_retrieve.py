"""`vidalign eval retrieve`: whole videos found by their paragraphs, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidalign.cli.eval_common import (
    features_option,
    measures_option,
    noting,
    resamples_option,
    seed_option,
    tell_left_out,
)
from vidalign.cli.options import device_option, json_option, models_option, scorer_option, talk_options
from vidalign.cli.retrieve import check_scale, reference_option, scale_option, score_option, subset_option

if TYPE_CHECKING:
    from vidalign.aligners.registry import Aligner
    from vidalign.cli.output import Talk
    from vidalign.evaluation.bootstrap import Estimate
    from vidalign.evaluation.full_video import Distances, Measure, Scale, Score
    from vidalign.evaluation.full_video_files import Comparison, Gallery
    from vidalign.evaluation.ranks import RankRule

BACKGROUNDS = {"removed": (False,), "kept": (True,), "both": (False, True)}


@click.command()
@click.argument("transcripts", type=click.Path(exists=True, path_type=Path))
@features_option
@models_option
@scorer_option
@measures_option
@click.option(
    "--background",
    type=click.Choice(list(BACKGROUNDS)),
    default="both",
    show_default=True,
    help="A video is the stretches of its own sentences (removed), or windows of 16 s (kept).",
)
@score_option
@scale_option
@reference_option
@subset_option
@click.option(
    "--ranks",
    type=click.Choice(["fair", "reference"]),
    default="fair",
    show_default=True,
    help="Equal distances come in random order, or count several times as in published code.",
)
@resamples_option
@seed_option
@device_option
@json_option
@talk_options
def retrieve(
    transcripts: Path,
    features: Path,
    models: tuple[str, ...],
    scorer: str | None,
    measures: tuple[Measure, ...],
    background: str,
    score: Score | None,
    scale: Scale,
    reference: bool,
    subset: str | None,
    ranks: RankRule,
    resamples: int,
    seed: int,
    device: str,
    as_json: bool,
    talk: Talk,
) -> None:
    """Find the whole video that a paragraph belongs to, and back, as TempCLR is evaluated.

    TRANSCRIPTS is a folder of subtitles named as the features, YouCook2's JSON, or a CSV with the columns
    video,start,end,text. One row a model, background, measure and direction. (`vidalign eval retrieval`
    is for single clips.) Exit code 1 when a video is missing or its file is bad.
    """
    check_scale(reference=reference, scale=scale)

    from vidalign.aligners.registry import load_aligner
    from vidalign.batch.device import choose_place
    from vidalign.evaluation.files import features_files
    from vidalign.evaluation.full_video import MEASURES, full_video_metrics
    from vidalign.evaluation.full_video_files import Comparison, encode, read_paragraphs
    from vidalign.weights.defaults import default_model

    files = features_files(features)
    paragraphs, place = read_paragraphs(transcripts, files, subset), choose_place(device).device
    rows, complete = [], True
    for name in models or (default_model(),):
        aligner = load_aligner(name, scorer=scorer, device=place)
        told: set[str] = set()
        for kept in BACKGROUNDS[background]:
            with talk.progress(name, total=len(paragraphs.found), unit="videos") as meter:
                gallery = encode(
                    aligner, paragraphs, files, background=kept, paired=True, progress=noting(meter)
                )
            missing = [video for video in gallery.missing if video not in told]
            failed = {video: error for video, error in gallery.failed.items() if str(error) not in told}
            complete &= tell_left_out(name, missing, failed, transcripts, talk)
            told |= {*missing, *map(str, failed.values())}
            for measure in measures or MEASURES:
                how = Comparison(measure, kept, score, scale, reference)
                for row, distances in _directions(how, gallery, aligner):
                    found = full_video_metrics(distances, ranks, resamples=resamples, seed=seed)
                    rows.append((name, row, found, gallery))
    _show(rows, as_json=as_json)
    if not complete:
        raise SystemExit(1)


def _directions(
    how: Comparison, gallery: Gallery, aligner: Aligner
) -> Iterator[tuple[dict[str, Any], Distances]]:
    """What each row is called, and its distances: videos for paragraphs, then paragraphs for videos."""
    distances = how.distances(gallery, aligner)
    told = {
        "background": "kept" if how.background else "removed",
        "measure": how.measure,
        "score": how.score_of(aligner),
        "scale": "product" if how.reference else how.scale,
        "reference": how.reference,
    }
    yield {**told, "direction": "paragraph to video"}, distances
    yield {**told, "direction": "video to paragraph"}, distances.T


_Row = tuple[str, dict[str, Any], dict[str, "Estimate"], "Gallery"]


def _show(rows: list[_Row], *, as_json: bool) -> None:
    """One row each, as a table with intervals or as JSON lines."""
    from vidalign.cli.eval_text import RETRIEVAL_COLUMNS, cell, drawn, estimate_record, new_table
    from vidalign.cli.output import emit_json, emit_text

    heads = [head for head, _ in RETRIEVAL_COLUMNS.values()]
    table = new_table("model", "background", "measure", "direction", "videos", *heads)
    for model, told, found, gallery in rows:
        if as_json:
            emit_json(
                {
                    "model": model,
                    **told,
                    "videos": len(gallery.videos),
                    **{name: estimate_record(value) for name, value in found.items()},
                    "missing": list(gallery.missing),
                    "failed": {video: str(error) for video, error in gallery.failed.items()},
                }
            )
        measure = f"{told['measure']}\n({told['score']})"
        numbers = [cell(found[name], shown) for name, (_, shown) in RETRIEVAL_COLUMNS.items()]
        table.add_row(
            model, told["background"], measure, told["direction"], str(len(gallery.videos)), *numbers
        )
    if not as_json:
        emit_text(drawn(table))
