"""`vidalign steps`: where the steps of a task are shown in a video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidalign.cli.options import (
    FILE,
    chosen_decoder,
    decoder_settings_option,
    device_option,
    json_option,
    reader_option,
    scorer_option,
    talk_options,
)
from vidalign.cli.results import show

if TYPE_CHECKING:
    from vidalign.aligners.registry import Aligner
    from vidalign.cli.output import Talk
    from vidalign.evaluation.steps import Located
    from vidalign.types import Features


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="[VIDEO] STEPS")
@click.option("--features", type=FILE, help="A features file to use; VIDEO may then be left out.")
@click.option(
    "--text-features",
    "vectors",
    type=FILE,
    help="Features of the steps, for a model that reads them (see `vidalign extract-text`).",
)
@click.option("--task", metavar="ID", help="STEPS is CrossTask's list of tasks: the steps of this one.")
@click.option("--free", is_flag=True, help="Each step by itself, in no order.")
@click.option(
    "--decoder", metavar="NAME", help="How steps are placed; by default steps, which keeps their order."
)
@decoder_settings_option
@click.option(
    "--annotations", type=FILE, metavar="CSV", help="When steps are shown, step,start,end, to tell recall."
)
@click.option("--model", metavar="CARD|PATH", help="The aligning model, or a model folder.")
@scorer_option
@device_option
@reader_option
@json_option
@talk_options
def steps(
    paths: tuple[Path, ...],
    features: Path | None,
    vectors: Path | None,
    task: str | None,
    free: bool,
    decoder: str | None,
    decoder_options: tuple[str, ...],
    annotations: Path | None,
    model: str | None,
    scorer: str | None,
    device: str,
    reader: str,
    as_json: bool,
    talk: Talk,
) -> None:
    """Say when each step of STEPS, a text file with one a line, is shown in VIDEO.

    Every step is placed, in their order, in the second that fits best; with --free each by itself. Prints a
    table, or with --json one object a step: start, end, the best second, and the similarity there.
    """
    from vidalign.errors import UsageError

    if free and decoder is not None:
        raise UsageError("--free and --decoder exclude each other", hint="leave one out")
    if len(paths) != 2 and (len(paths) > 2 or features is None):
        raise UsageError(
            "give a video, or its features, and a file of steps", hint="vidalign steps VIDEO STEPS"
        )
    if not paths[-1].is_file():
        raise UsageError(f"there is no file {paths[-1]}", hint="write the steps into one, one a line")
    written = without_times(
        chosen_decoder("peak" if free else decoder or "steps", decoder_options) or "steps"
    )

    from vidalign.aligners.registry import load_aligner
    from vidalign.batch.device import choose_place
    from vidalign.cli.notice import doubt_words, notice
    from vidalign.evaluation.steps import locate, read_steps
    from vidalign.weights.defaults import default_model

    texts = read_steps(paths[-1]) if task is None else _of_task(paths[-1], task)
    aligner = load_aligner(
        name := model or default_model(), scorer=scorer, device=choose_place(device).device
    )
    notice(name, talk)
    if vectors is None:
        doubt_words(texts, aligner, talk)
    seen = _features(paths[0], features, aligner, device, reader, talk)
    located = locate(seen, texts, _reading(aligner, vectors), written)
    _show(located, None if annotations is None else _shown(annotations, located, seen), talk, as_json=as_json)


def without_times(written: str) -> str:
    """The decoder as it is; raises UsageError for one that asks when sentences are spoken."""
    from vidalign.aligners.decoders import get_decoder
    from vidalign.errors import UsageError

    if get_decoder(written).reads_times:
        raise UsageError(
            f"the decoder {written} asks when sentences are spoken, steps are not", hint="leave prior out"
        )
    return written


def _of_task(path: Path, task: str) -> tuple[str, ...]:
    """The steps of one of CrossTask's tasks."""
    from vidalign.errors import UsageError
    from vidalign.evaluation.crosstask import read_tasks

    tasks = read_tasks(path)
    if task not in tasks:
        raise UsageError(f"{path} has no task {task}", hint=f"it has {', '.join(list(tasks)[:5])} ...")
    return tasks[task].steps


def _reading(aligner: Aligner, vectors: Path | None) -> Aligner:
    """The aligner, with the features of the steps; raises UsageError where it reads none, or lacks them."""
    from vidalign.aligners.registry import with_texts
    from vidalign.aligners.spec import lacks_text_features, reads_words, takes_text_features
    from vidalign.store.text_features import read_text_features

    if vectors is not None and not takes_text_features(aligner.spec):
        raise reads_words(aligner.card.name)
    if vectors is not None:
        return with_texts(aligner, read_text_features(vectors), str(vectors))
    if aligner.spec.text == "file":
        raise lacks_text_features(aligner.card.name)
    return aligner


def _features(
    video: Path, features: Path | None, aligner: Aligner, device: str, reader: str, talk: Talk
) -> Features:
    """Those of the file, or made of the video as the aligner needs them."""
    from vidalign.batch.facade import extract
    from vidalign.store.features import read_features
    from vidalign.weights.cards import backbone_of

    if features is not None:
        return read_features(features)
    backbone = backbone_of(aligner.card).reference
    talk.say(f"extracting features of {video}")
    return extract(video, backbone=backbone, recipe=aligner.spec.recipe, device=device, reader=reader)


def _shown(annotations: Path, located: Located, features: Features) -> dict[int, bool]:
    """Whether each annotated step was found."""
    from vidalign.evaluation.crosstask import read_annotation, steps_found

    shown = read_annotation(annotations, len(located.steps))
    return steps_found(located, shown, float(features.times.max()))


def _show(located: Located, found: dict[int, bool] | None, talk: Talk, *, as_json: bool) -> None:
    """One row a step; with what is annotated, whether it was found and recall."""
    import math

    rows: list[dict[str, Any]] = []
    for k, step in enumerate(located.steps):
        start, end = located.segments[k].tolist()
        numbers = {"start": start, "end": end, "second": located.seconds[k], "score": located.scores[k]}
        told = {name: None if math.isnan(value) else float(value) for name, value in numbers.items()}
        rows.append({"step": step, **told, **({} if found is None else {"found": found.get(k)})})
    show(rows, as_json=as_json)
    if found is not None:
        hits, share = sum(found.values()), f" ({sum(found.values()) / len(found):.1%})" if found else ""
        talk.say(f"recall: {hits} of {len(found)} steps{share}")
