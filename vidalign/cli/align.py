"""`vidalign align`: a video and its subtitles become an alignment file."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidalign.cli.aligning import GivenPairs, aligning_options, given_pairs
from vidalign.cli.items import Manners, with_manners
from vidalign.cli.launch import launch_options, start_delay_option
from vidalign.cli.options import (
    computing_options,
    dry_run_option,
    engine_options,
    fail_fast_option,
    json_option,
    overwrite_option,
    pipeline_options,
    reader_option,
    retry_failed_option,
    shard_option,
    strict_option,
    talk_options,
)
from vidalign.cli.remote import Area, PathOrUrl, around, scratch_options, url_root_option
from vidalign.cli.untrusted import untrusted_option

if TYPE_CHECKING:
    from vidalign.batch.engines.registry import Align, Engine
    from vidalign.batch.pairs import Found
    from vidalign.batch.report import ItemResult
    from vidalign.batch.settings import AlignRun
    from vidalign.batch.shards import Asked, Dealing
    from vidalign.batch.tally import Tally
    from vidalign.cli.options import Computing
    from vidalign.cli.output import Talk
    from vidalign.types import Alignment


@click.command()
@given_pairs
@click.option(
    "--save-features",
    type=PathOrUrl(file_okay=False, path_type=Path),
    metavar="DIR|URL",
    help="Keep the features made on the way in this folder, and use those found there.",
)
@aligning_options
@computing_options
@reader_option
@pipeline_options
@url_root_option
@scratch_options
@shard_option
@engine_options
@overwrite_option
@retry_failed_option
@fail_fast_option
@strict_option
@dry_run_option
@json_option
@untrusted_option(lambda given, **_: given.is_of_strangers)
@talk_options
@launch_options
@start_delay_option
@with_manners
def align(
    given: GivenPairs,
    save_features: Path | str | None,
    aligning: dict[str, Any],
    computing: Computing,
    reader: str,
    area: Area,
    shard: Asked | None,
    engine: Engine | None,
    manners: Manners,
    talk: Talk,
) -> None:
    """Say for every sentence whether it can be seen in the video, and where.

    SUBTITLES may be left out when VIDEO.vtt or VIDEO.srt lies beside the video or the video holds one text
    track; track:N picks one of several. With folders, or --pairs, many are aligned into the folder -o. All of
    them, files and folders, by URL too (s3://, gs://, https://). Prints the path of each alignment file.
    """
    from vidalign.batch.remote.run import RemoteRun
    from vidalign.batch.settings import AlignRun
    from vidalign.errors import UsageError
    from vidalign.weights.defaults import default_model

    if given.features is not None and save_features is not None:
        raise UsageError("--features and --save-features exclude each other", hint="leave one out")
    if engine is not None:
        given.check_spread(save_features)
    with around(area, manners.settings.timeout) as place, place.telling():
        found, outputs = given.find(place)
        found, dealing = _dealt(found, shard, talk)
        kept, features = (None, None) if save_features is None else place.folder(save_features)
        how = {**aligning, **computing._asdict(), "model": aligning["model"] or default_model()}
        run = AlignRun(**how, reader=reader, save_features=kept)
        doing = engine or RemoteRun(place.files, outputs, features)
        if code := _align_all(found, run, doing.align, dealing, talk, manners):
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


def _align_all(
    found: Found, run: AlignRun, align: Align, dealing: Dealing | None, talk: Talk, manners: Manners
) -> int:
    """Align, tell of each, and give the exit code."""
    from vidalign.batch.report import Report
    from vidalign.batch.tally import Tally
    from vidalign.cli.items import meter_for
    from vidalign.cli.notice import notice

    report = Report(strict=manners.strict)
    tally = Tally(len(found.pairs) + len(found.failed))
    with meter_for(talk, tally):
        aligned = align(
            found,
            run,
            overwrite=manners.overwrite,
            retry_failed=manners.retry_failed,
            dry_run=manners.dry_run,
            dealing=dealing,
            settings=manners.settings,
            progress=lambda pair: tally.begin(pair.name),
        )
        notice(run.model, talk)
        with closing(aligned):
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
