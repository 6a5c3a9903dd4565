"""`vidalign eval`: how good alignments and models are, by published protocols."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vidalign.cli.eval_common import (
    noting,
    resamples_option,
    seed_option,
    tell_left_out,
)
from vidalign.cli.eval_fewshot import fewshot
from vidalign.cli.eval_retrieve import retrieve
from vidalign.cli.eval_steps import steps
from vidalign.cli.options import (
    FILE,
    FOLDER,
    chosen_decoder,
    decoder_settings_option,
    device_option,
    json_option,
    models_option,
    talk_options,
)

if TYPE_CHECKING:
    from vidalign.aligners.scores import Encoders
    from vidalign.aligners.windowing import Mode
    from vidalign.cli.output import Talk
    from vidalign.evaluation.htm_align import ProtocolName
    from vidalign.evaluation.lineup import Lineup
    from vidalign.evaluation.ranks import RankRule

_FEATURES = "Features files, found by the video's name."


@click.group("eval")
def evaluate() -> None:
    """Measure alignments, models and baselines against what is true."""


for _command in (retrieve, steps, fewshot):
    evaluate.add_command(_command)


@evaluate.command()
@click.argument("truth", type=FILE)
@click.argument("files", nargs=-1, type=FILE, metavar="[ALIGNMENT...]")
@click.option(
    "--alignments",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="DIR|FILE",
    help="Alignments that `vidalign align` wrote; may be repeated, each folder is one row.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="CARD|PATH",
    help="A model to run over --features with the sentences of TRUTH; may be repeated.",
)
@click.option("--features", type=FOLDER, metavar="DIR", help=_FEATURES)
@click.option(
    "--text-features",
    "texts",
    type=FOLDER,
    metavar="DIR",
    help="Sentence features, found by the video's name, for models that read these.",
)
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    type=click.Choice(["times", "uniform", "similarity"]),
    help="Subtitle times as they stand, sentences spread evenly, or the model's plain similarity.",
)
@click.option(
    "--subtitles",
    type=FOLDER,
    metavar="DIR",
    help="When sentences are spoken, for the baseline `times` and a decoder with a prior.",
)
@click.option(
    "--protocol",
    type=click.Choice(["tan", "nsva", "norton"]),
    default="tan",
    show_default=True,
    help="HTM-Align as TAN, NSVA or Norton evaluate it.",
)
@click.option(
    "--decoder",
    metavar="NAME",
    help="Where a model has a sentence by its scores: peak (the default, as published), dtw, otam, drop-dtw, "
    "viterbi, ot or steps. Alignments have theirs.",
)
@decoder_settings_option
@click.option(
    "--windowing",
    type=click.Choice(["overlap", "global"]),
    help="Stitched windows, or the whole video at once; by default what the protocol says.",
)
@click.option(
    "--encoders",
    type=click.Choice(["both", "dual", "joint"]),
    help="Whose scores of a TAN count; by default both, for the whole video at once the joint.",
)
@resamples_option
@seed_option
@device_option
@json_option
@talk_options
def align(
    truth: Path,
    files: tuple[Path, ...],
    alignments: tuple[Path, ...],
    models: tuple[str, ...],
    features: Path | None,
    texts: Path | None,
    baselines: tuple[str, ...],
    subtitles: Path | None,
    protocol: ProtocolName,
    decoder: str | None,
    decoder_options: tuple[str, ...],
    windowing: Mode | None,
    encoders: Encoders | None,
    resamples: int,
    seed: int,
    device: str,
    as_json: bool,
    talk: Talk,
) -> None:
    """Hold alignments or models against TRUTH, a file in HTM-Align's form.

    TRUTH is htm_align.json as published, or the truth.json of `vidalign synth`: video -> list of
    [alignable, start, end, text]. Prints a table, one row a method, or with --json one object a row. Models
    see no true time of an alignable sentence. Exit code 1 when a video is missing or its file is bad.
    """
    given = (*alignments, *files)
    _check_given(given, models, features, baselines, subtitles)
    decoder = chosen_decoder(decoder, decoder_options) or "peak"

    from vidalign.batch.device import choose_place
    from vidalign.evaluation.htm_align import PROTOCOLS
    from vidalign.evaluation.lineup import Lineup

    lineup = Lineup(
        protocol=PROTOCOLS[protocol],
        alignments=given,
        models=models,
        features=features,
        baselines=baselines,
        subtitles=subtitles,
        windowing=windowing,
        encoders=encoders,
        device=choose_place(device).device,
        texts=texts,
        decoder=decoder,
    )
    if not _contest(truth, lineup, talk, resamples, seed, as_json=as_json):
        raise SystemExit(1)


def _check_given(
    alignments: tuple[Path, ...],
    models: tuple[str, ...],
    features: Path | None,
    baselines: tuple[str, ...],
    subtitles: Path | None,
) -> None:
    """Raise UsageError where something needed is not given."""
    from vidalign.errors import UsageError

    if not (alignments or models or baselines):
        raise UsageError("there is nothing to evaluate", hint="give --alignments, --model or --baseline")
    needs = ["--model"] if models else ["--baseline similarity"] if "similarity" in baselines else []
    if needs and features is None:
        raise UsageError(f"{needs[0]} needs features", hint="add --features DIR, made by `vidalign extract`")
    if "times" in baselines and subtitles is None and not alignments:
        raise UsageError("--baseline times needs subtitles", hint="add --subtitles DIR")
    if "uniform" in baselines and features is None and not alignments:
        raise UsageError("--baseline uniform needs the lengths of the videos", hint="add --features DIR")


def _contest(truth: Path, lineup: Lineup, talk: Talk, resamples: int, seed: int, *, as_json: bool) -> bool:
    """Run every contender and show its numbers; False when one could not be held against all videos."""
    from vidalign.cli.eval_text import align_record, align_table
    from vidalign.cli.output import emit_json, emit_text
    from vidalign.evaluation.annotations import read_annotations
    from vidalign.evaluation.contest import compete
    from vidalign.evaluation.report import report

    rows = read_annotations(truth)
    reports, complete = [], True
    for contender in lineup:
        with talk.progress(contender.method.name, total=len(rows), unit="videos") as meter:
            outcome = compete(contender, rows, lineup.protocol, progress=noting(meter))
        complete &= tell_left_out(outcome.method.name, outcome.missing, outcome.failed, truth, talk)
        reports.append(report(outcome.method, outcome.judged, resamples=resamples, seed=seed))
        if as_json:
            emit_json(align_record(reports[-1], outcome))
    if not as_json:
        emit_text(align_table(reports))
    return complete


@evaluate.command()
@click.argument("segments", type=FILE)
@click.option("--features", type=FOLDER, required=True, metavar="DIR", help=_FEATURES)
@models_option
@click.option(
    "--scorer",
    metavar="NAME",
    help="similarity (dot product) or cosine: the plain vectors of the model's backbone instead.",
)
@click.option("--subset", metavar="NAME", help="In YouCook2's JSON: only these videos, as validation.")
@click.option(
    "--ranks",
    type=click.Choice(["fair", "reference"]),
    default="fair",
    show_default=True,
    help="Equal scores come in random order, or count several times as in the published code.",
)
@resamples_option
@seed_option
@device_option
@json_option
@talk_options
def retrieval(
    segments: Path,
    features: Path,
    models: tuple[str, ...],
    scorer: str | None,
    subset: str | None,
    ranks: RankRule,
    resamples: int,
    seed: int,
    device: str,
    as_json: bool,
    talk: Talk,
) -> None:
    """Find the clip that a text describes among all.

    SEGMENTS is YouCook2's JSON or a CSV with the columns video,start,end,text. Of a TAN the dual encoder
    is read; VideoCLIP and TempCLR see each segment whole. Each model has three rows: plain, centred (each
    side's mean taken off) and standardised vectors.
    Exit code 1 when a video is missing or its file is bad.
    """
    from vidalign.aligners.registry import load_aligner
    from vidalign.batch.device import choose_place
    from vidalign.cli.eval_text import retrieval_record, retrieval_table
    from vidalign.cli.output import emit_json, emit_text
    from vidalign.evaluation.files import features_files
    from vidalign.evaluation.retrieval import VARIANTS, RetrievalRow, encode, evaluate
    from vidalign.evaluation.segments import read_segments
    from vidalign.weights.defaults import default_model

    wanted, files = read_segments(segments, subset), features_files(features)
    place, rows, complete = choose_place(device).device, [], True
    for name in models or (default_model(),):
        aligner = load_aligner(name, scorer=scorer, device=place)
        with talk.progress(name, total=len({s.video for s in wanted}), unit="videos") as meter:
            encoded = encode(aligner, wanted, files, progress=noting(meter))
        complete &= tell_left_out(name, encoded.missing, encoded.failed, segments, talk)
        for variant in VARIANTS:
            metrics = evaluate(encoded, variant, ranks, resamples=resamples, seed=seed)
            rows.append(RetrievalRow(name, aligner.spec.scorer, variant, ranks, encoded, metrics))
            if as_json:
                emit_json(retrieval_record(rows[-1]))
    if not as_json:
        emit_text(retrieval_table(rows))
    if not complete:
        raise SystemExit(1)
