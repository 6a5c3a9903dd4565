"""`vidalign eval steps`: recall of the steps of tasks, in CrossTask's way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vidalign.cli.eval_common import (
    features_option,
    given,
    noting,
    resamples_option,
    seed_option,
    tell_left_out,
)
from vidalign.cli.options import (
    FILE,
    FOLDER,
    device_option,
    json_option,
    models_option,
    scorer_option,
    talk_options,
)
from vidalign.cli.steps import without_times

if TYPE_CHECKING:
    from vidalign.cli.output import Talk
    from vidalign.evaluation.bootstrap import Estimate
    from vidalign.evaluation.steps_recall import Recalled


@click.command()
@click.argument("tasks", type=FILE)
@click.argument("annotations", type=FOLDER)
@features_option
@models_option
@scorer_option
@click.option(
    "--decoder",
    "decoders",
    multiple=True,
    metavar="NAME[:KEY=VALUE,...]",
    help="How steps are placed; by default peak (free), steps, and steps:cost=softmax as published.",
)
@click.option("--videos", type=FILE, metavar="CSV", help="Only the test split of this list, task,video,url.")
@click.option("--validation", type=FILE, metavar="CSV", help="With --videos: those to leave out before.")
@click.option(
    "--train",
    type=click.IntRange(min=0),
    default=30,
    show_default=True,
    help="With --videos: how many of each task are drawn for training, with seed 0 as published.",
)
@resamples_option
@seed_option
@device_option
@json_option
@talk_options
def steps(
    tasks: Path,
    annotations: Path,
    features: Path,
    models: tuple[str, ...],
    scorer: str | None,
    decoders: tuple[str, ...],
    videos: Path | None,
    validation: Path | None,
    train: int,
    resamples: int,
    seed: int,
    device: str,
    as_json: bool,
    talk: Talk,
) -> None:
    """Find the steps of tasks in videos.

    TASKS is CrossTask's tasks_primary.txt, ANNOTATIONS its folder of files TASK_VIDEO.csv. Recall is that of
    all steps in a task's videos, averaged over tasks. Exit code 1 when a video is missing or its file is bad.
    """
    from vidalign.aligners.decoders import canonical
    from vidalign.errors import UsageError

    if validation is not None and videos is None:
        raise UsageError("--validation goes with --videos", hint="add --videos CSV")
    if videos is None and given("train"):
        raise UsageError("--train goes with --videos", hint="add --videos CSV")
    written = [without_times(canonical(name)) for name in decoders]

    from vidalign.aligners.registry import load_aligner
    from vidalign.batch.device import choose_place
    from vidalign.evaluation.crosstask import annotation_files, read_tasks
    from vidalign.evaluation.files import features_files
    from vidalign.evaluation.steps import FREE, ORDERED, PUBLISHED
    from vidalign.evaluation.steps_recall import locate_all, recall_of, split_of
    from vidalign.weights.defaults import default_model

    known, files = read_tasks(tasks), features_files(features)
    wanted = annotation_files(annotations, known)
    if videos is not None:
        wanted = split_of(wanted, known, train=train, videos=videos, validation=validation)
    place, rows, complete = choose_place(device).device, [], True
    for name in models or (default_model(),):
        aligner = load_aligner(name, scorer=scorer, device=place)
        if aligner.spec.text == "file":
            raise UsageError(
                f"{name} reads sentence features, which cannot be given here",
                hint="`vidalign steps` with --text-features takes them, a video at a time",
            )
        with talk.progress(name, total=len(wanted), unit="videos") as meter:
            found = locate_all(
                aligner, known, wanted, files, written or [FREE, ORDERED, PUBLISHED], progress=noting(meter)
            )
        complete &= tell_left_out(name, found.missing, found.failed, annotations, talk)
        for decoder, recalled in found.decoders.items():
            rows.append((name, decoder, recalled, recall_of(recalled, resamples=resamples, seed=seed)))
    _show(rows, as_json=as_json)
    if not complete:
        raise SystemExit(1)


def _show(rows: list[tuple[str, str, Recalled, Estimate]], *, as_json: bool) -> None:
    """One row a model and decoder, as a table with intervals or as JSON lines."""
    from vidalign.cli.eval_text import cell, drawn, estimate_record, new_table, percent
    from vidalign.cli.output import emit_json, emit_text

    table = new_table("model", "decoder", "tasks", "videos", "steps", "recall %")
    for model, decoder, recalled, recall in rows:
        by_task = recalled.by_task()
        counts = (len(by_task), recalled.videos, len(recalled.hits))
        table.add_row(model, decoder, *map(str, counts), cell(recall, percent))
        if as_json:
            told = dict(zip(("tasks", "videos", "steps"), counts, strict=True))
            emit_json(
                {"model": model, "decoder": decoder, **told}
                | {"recall": estimate_record(recall), "recall_by_task": by_task}
            )
    if not as_json:
        emit_text(drawn(table))
