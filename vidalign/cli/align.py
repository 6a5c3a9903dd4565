"""`vidalign align`: a video and its subtitles become an alignment file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vidalign.cli.launch import launch_options, start_delay_option
from vidalign.cli.options import (
    chosen_decoder,
    computing_options,
    decoder_settings_option,
    dry_run_option,
    fail_fast_option,
    json_option,
    overwrite_option,
    pipeline_options,
    reader_option,
    retry_failed_option,
    root_option,
    shard_option,
    strict_option,
    talk_options,
)
from vidalign.cli.untrusted import untrusted_option

if TYPE_CHECKING:
    from vidalign.aligners.windowing import Mode
    from vidalign.batch.pairs import Found
    from vidalign.batch.pipeline import Settings
    from vidalign.batch.report import ItemResult
    from vidalign.batch.settings import AlignRun, Unaligned
    from vidalign.batch.shards import Asked, Dealing
    from vidalign.batch.tally import Tally
    from vidalign.cli.items import Manners
    from vidalign.cli.options import Computing
    from vidalign.cli.output import Talk
    from vidalign.text.sentences import Segmentation
    from vidalign.text.subtitles import Rolling
    from vidalign.types import Alignment

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("video", required=False, type=click.Path(path_type=Path))
@click.argument("subtitles", required=False)
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    help="A .h5, .json, .vtt or .srt file, - for JSON on stdout, or a folder for many videos. "
    "Default: STEM.align.h5 here.",
)
@click.option(
    "--pairs",
    type=_FILE,
    metavar="CSV",
    help="A table with the columns video,subtitles[,features][,text_features].",
)
@click.option("--features", type=_FILE, help="A features file to use; VIDEO then need not exist.")
@click.option(
    "--text-features",
    "texts",
    type=_FILE,
    help="Sentence features to use, for a model that reads them (see `vidalign extract-text`).",
)
@click.option(
    "--save-features",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep the features made on the way in this folder, and use those found there.",
)
@click.option(
    "--model",
    metavar="CARD|PATH",
    help="The aligning model (see `vidalign models list`), or a model folder.",
)
@click.option("--weights", type=_FILE, help="A checkpoint file to use instead of the model's own.")
@click.option(
    "--scorer",
    metavar="NAME",
    help="tan, similarity (dot product) or cosine; by default what the model says.",
)
@click.option(
    "--decoder",
    metavar="NAME",
    help="How segments are found: peak, dtw, otam, drop-dtw, viterbi, ot or steps; "
    "by default what the model says.",
)
@decoder_settings_option
@click.option(
    "--threshold", type=click.FloatRange(0, 1), help="Alignability from which a sentence counts as aligned."
)
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    help="Write nothing and exit with 3 where the confidence is lower.",
)
@click.option(
    "--segment",
    type=click.Choice(["cue", "sentence"]),
    default="cue",
    show_default=True,
    help="Align each cue, or join and split cues at sentence ends.",
)
@click.option(
    "--rolling",
    type=click.Choice(["auto", "keep", "collapse"]),
    default="auto",
    show_default=True,
    help="What to do with captions that repeat the line before.",
)
@click.option("--encoding", help="Encoding of the subtitle file; by default it is detected.")
@click.option(
    "--windowing",
    type=click.Choice(["overlap", "global"]),
    default="overlap",
    show_default=True,
    help="Windows of 64 clips every 16, or the whole video at once.",
)
@click.option(
    "--margin",
    type=click.FloatRange(min=0),
    default=64.0,
    show_default=True,
    help="Seconds around a window whose sentences it gets.",
)
@click.option(
    "--matrix/--no-matrix", default=True, help="Write the similarity matrix (default) or leave it out."
)
@click.option(
    "--unaligned",
    type=click.Choice(["keep", "drop", "mark"]),
    default="keep",
    show_default=True,
    help="In .vtt and .srt: what becomes of cues that are not aligned.",
)
@computing_options
@reader_option
@pipeline_options
@root_option
@shard_option
@overwrite_option
@retry_failed_option
@fail_fast_option
@strict_option
@dry_run_option
@json_option
@untrusted_option(lambda video, pairs, **_: pairs is not None or (video is not None and video.is_dir()))
@talk_options
@launch_options
@start_delay_option
def align(
    video: Path | None,
    subtitles: str | None,
    output: str | None,
    pairs: Path | None,
    features: Path | None,
    texts: Path | None,
    save_features: Path | None,
    model: str | None,
    weights: Path | None,
    scorer: str | None,
    decoder: str | None,
    decoder_options: tuple[str, ...],
    threshold: float | None,
    min_confidence: float | None,
    segment: Segmentation,
    rolling: Rolling,
    encoding: str | None,
    windowing: Mode,
    margin: float,
    matrix: bool,
    unaligned: Unaligned,
    computing: Computing,
    reader: str,
    settings: Settings,
    root: Path | None,
    shard: Asked | None,
    overwrite: bool,
    retry_failed: bool,
    fail_fast: bool,
    strict: bool,
    dry_run: bool,
    as_json: bool,
    talk: Talk,
) -> None:
    """Say for every sentence whether it can be seen in the video, and where.

    SUBTITLES may be left out when VIDEO.vtt or VIDEO.srt lies beside the video or the video holds one text
    track; track:N picks one of several. With folders, or --pairs, many are aligned into the folder -o.
    Prints the path of each alignment file.
    """
    from vidalign.batch.settings import AlignRun
    from vidalign.cli.items import Manners
    from vidalign.errors import UsageError
    from vidalign.weights.defaults import default_model

    if features is not None and save_features is not None:
        raise UsageError("--features and --save-features exclude each other", hint="leave one out")
    found, dealing = _dealt(_find(video, subtitles, output, pairs, features, texts, root), shard, talk)
    run = AlignRun(
        model=model or default_model(),
        scorer=scorer,
        decoder=chosen_decoder(decoder, decoder_options),
        threshold=threshold,
        min_confidence=min_confidence,
        windowing=windowing,
        margin=margin,
        segment=segment,
        rolling=rolling,
        encoding=encoding,
        matrix=matrix,
        unaligned=unaligned,
        weights=weights,
        device=computing.device,
        runtime=computing.runtime,
        compiled=computing.compiled,
        reader=reader,
        save_features=save_features,
    )
    manners = Manners(overwrite, retry_failed, fail_fast, strict, dry_run, as_json, settings)
    if code := _align_all(found, run, dealing, talk, manners):
        raise SystemExit(code)


def _dealt(found: Found, asked: Asked | None, talk: Talk) -> tuple[Found, Dealing | None]:
    """The share of the pairs that is to be done, and how all are dealt, if they are."""
    from vidalign.cli.items import share_of
    from vidalign.errors import UsageError

    if found.folder is None:
        if asked is not None:
            raise UsageError("--shard goes with many videos", hint="give folders, or --pairs CSV -o DIR")
        return found, None
    share = share_of(asked, [found.folder], "align", talk)
    if share is None:
        return found, None
    failed = tuple(each for each in found.failed if share.holds(each.item.name))
    return replace(found, pairs=tuple(share.pick(found.pairs)), failed=failed), share.dealing


def _find(
    video: Path | None,
    subtitles: str | None,
    output: str | None,
    table: Path | None,
    features: Path | None,
    texts: Path | None,
    root: Path | None,
) -> Found:
    from vidalign.batch.pairs import Found, csv_pairs, folder_pairs, single_pair
    from vidalign.errors import UsageError

    if table is not None and video is not None:
        raise UsageError("give either a video or --pairs, not both", hint="try 'vidalign align --help'")
    if table is not None or (video is not None and video.is_dir()):
        if features is not None:
            raise UsageError("--features goes with one video", hint="use --pairs with a column features")
        if texts is not None:
            raise UsageError(
                "--text-features goes with one video", hint="use --pairs with a column text_features"
            )
        if output is None or output == "-":
            raise UsageError("many videos need a folder for their alignments", hint="add -o DIR")
        if video is not None:
            return folder_pairs(video, subtitles, Path(output), root)
    if table is not None and output is not None:
        return csv_pairs(table, Path(output), root)
    if video is None:
        raise UsageError(
            "there is nothing to align", hint="vidalign align VIDEO [SUBTITLES], or --pairs CSV -o DIR"
        )
    if features is None and not video.exists():
        by_url = "videos by URL go through `vidalign extract`, whose file --features takes"
        remote = ":" in video.parts[0][1:]
        raise UsageError(
            f"{video} does not exist", hint=by_url if remote else "check the name, or give --features"
        )
    return Found((single_pair(video, subtitles, output, features, texts),))


def _align_all(found: Found, run: AlignRun, dealing: Dealing | None, talk: Talk, manners: Manners) -> int:
    """Align, tell of each, and give the exit code."""
    from vidalign.batch.align import align_pairs
    from vidalign.batch.report import Report
    from vidalign.batch.tally import Tally
    from vidalign.cli.items import meter_for
    from vidalign.cli.notice import notice

    report = Report(strict=manners.strict)
    tally = Tally(len(found.pairs) + len(found.failed))
    with meter_for(talk, tally):
        aligned = align_pairs(
            found.pairs,
            run,
            unpaired=found.failed,
            folder=found.folder,
            overwrite=manners.overwrite,
            retry_failed=manners.retry_failed,
            dry_run=manners.dry_run,
            dealing=dealing,
            settings=manners.settings,
            progress=lambda pair: tally.begin(pair.name),
        )
        notice(run.model, talk)
        for result, alignment in aligned:
            report.add(result)
            tally.end(result)
            _tell(result, alignment, run, talk, tally if manners.as_json else None)
            if manners.end_with(result):
                break
    if len(found.pairs) + len(found.failed) > 1 or not (report.worked or report.exit_code):
        talk.say(str(report))
    return report.exit_code


def _tell(
    result: ItemResult, alignment: Alignment | None, run: AlignRun, talk: Talk, tally: Tally | None
) -> None:
    """The verdict to stderr; to stdout the path, with `tally` the JSON record, or (-o -) the alignment."""
    from vidalign.batch.verdict import summarise
    from vidalign.cli.items import tell, tell_doubts
    from vidalign.cli.output import emit_json
    from vidalign.store.alignments import alignment_to_json

    if alignment is not None:
        talk.say(f"{result.item}: {summarise(alignment)}")
    if alignment is not None and result.error is None and not result.output:
        tell_doubts(result, talk)
        emit_json(alignment_to_json(alignment, matrix=run.matrix))
    else:
        tell(result, talk, as_json=tally is not None, tally=tally)
