"""`vidalign eval fewshot`: actions recognised from a few examples by matching sequences of clips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vidalign.cli.eval_common import features_option, measures_option, noting, tell_left_out
from vidalign.cli.options import FILE, json_option, talk_options

if TYPE_CHECKING:
    from vidalign.cli.output import Talk
    from vidalign.evaluation.bootstrap import Estimate
    from vidalign.evaluation.full_video import Measure


@click.command()
@click.argument("labels", type=FILE)
@features_option
@click.option("--ways", type=click.IntRange(min=2), default=5, show_default=True, help="Classes.")
@click.option(
    "--shots", type=click.IntRange(min=1), default=1, show_default=True, help="Examples of each class."
)
@click.option(
    "--questions",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Videos of each class to be recognised.",
)
@click.option("--episodes", type=click.IntRange(min=1), default=1000, show_default=True, help="Draws.")
@click.option(
    "--clips",
    type=click.IntRange(min=0),
    default=8,
    show_default=True,
    help="Clips taken of each video, spread evenly; 0 takes all.",
)
@measures_option
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the episodes."
)
@json_option
@talk_options
def fewshot(
    labels: Path,
    features: Path,
    ways: int,
    shots: int,
    questions: int,
    episodes: int,
    clips: int,
    measures: tuple[Measure, ...],
    seed: int,
    as_json: bool,
    talk: Talk,
) -> None:
    """Recognise actions from a few examples, by the order of their clips.

    LABELS is a CSV with the columns video,label. Any features will do; nothing is trained. Prints mean
    accuracy over the episodes with its 95 % interval. Exit code 1 when a video is missing or its file is bad.
    """
    from dataclasses import asdict

    from vidalign.errors import DataError, UsageError
    from vidalign.evaluation.fewshot import Setting, check_classes, mean_accuracy
    from vidalign.evaluation.fewshot_files import read_labelled, read_labels
    from vidalign.evaluation.files import features_files
    from vidalign.evaluation.full_video import MEASURES

    known, setting = read_labels(labels), Setting(ways, shots, questions)
    try:
        check_classes(list(known.values()), setting)
    except DataError as error:
        raise UsageError(error.message, hint=error.hint) from None
    with talk.progress("read", total=len(known), unit="videos") as meter:
        found = read_labelled(known, features_files(features), clips=clips, progress=noting(meter))
    complete = tell_left_out("few-shot", found.missing, found.failed, labels, talk)
    rows = []
    for measure in measures or MEASURES:
        with talk.progress(measure, total=episodes, unit="episodes") as meter:
            share = mean_accuracy(
                *(found.videos, found.labels, measure, setting),
                count=episodes,
                seed=seed,
                progress=meter.update,
            )
        rows.append((measure, share))
    counts = {"videos": len(found.videos), "classes": len(set(found.labels))}
    _show(rows, {**asdict(setting), "episodes": episodes, "clips": clips, **counts}, as_json=as_json)
    if not complete:
        raise SystemExit(1)


def _show(rows: list[tuple[Measure, Estimate]], told: dict[str, int], *, as_json: bool) -> None:
    """One row a measure, as a table with intervals or as JSON lines."""
    from vidalign.cli.eval_text import cell, drawn, estimate_record, new_table, percent
    from vidalign.cli.output import emit_json, emit_text

    table = new_table("measure", *told, "accuracy %")
    for measure, share in rows:
        table.add_row(measure, *map(str, told.values()), cell(share, percent))
        if as_json:
            emit_json({"measure": measure, **told, "accuracy": estimate_record(share)})
    if not as_json:
        emit_text(drawn(table))
