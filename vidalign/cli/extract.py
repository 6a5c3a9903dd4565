"""`vidalign extract`: videos become features files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

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
    weights_option,
)
from vidalign.cli.remote import Given, PathOrUrl, brought_near, scratch_options, url_root_option

if TYPE_CHECKING:
    from vidalign.batch.engines.registry import Engine, Extract
    from vidalign.batch.extract import Planned
    from vidalign.batch.extraction import Extraction
    from vidalign.batch.report import Report
    from vidalign.batch.shards import Asked, Dealing
    from vidalign.cli.options import Computing
    from vidalign.cli.output import Talk
    from vidalign.cli.remote import Area, Near


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    type=PathOrUrl(file_okay=False, path_type=Path),
    metavar="DIR|URL",
    help="Folder for the features files; the folder structure of the sources is kept.",
)
@click.option(
    "--backbone",
    "backbones",
    multiple=True,
    metavar="CARD|PATH",
    help="Model that sees the clips (see `vidalign models list`), or a model folder; given more than once: "
    "DIR/CARD/... each, from one reading of the video.",
)
@click.option("--recipe", metavar="NAME|FILE", help="How clips are cut; by default what the model needs.")
@weights_option
@click.option(
    "--dtype",
    type=click.Choice(["float16", "float32"]),
    default="float16",
    show_default=True,
    help="Number format of the features in the file.",
)
@click.option(
    "--gvf",
    type=click.Choice(["max", "avg"]),
    help="One row a video, all its clips pooled over time: the global feature that TSP is trained with.",
)
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
@talk_options
@launch_options
@start_delay_option
@with_manners
def extract(
    sources: tuple[str, ...],
    folder: Path | str,
    backbones: tuple[str, ...],
    recipe: str | None,
    weights: Path | None,
    dtype: Literal["float16", "float32"],
    gvf: Literal["max", "avg"] | None,
    computing: Computing,
    reader: str,
    root: Path | str | None,
    area: Area,
    shard: Asked | None,
    engine: Engine | None,
    manners: Manners,
    talk: Talk,
) -> None:
    """Turn videos into clip features, one HDF5 file a video.

    SOURCE is a video, a folder (walked for videos), or - for a list of paths on stdin; all of them by URL
    too (s3://, gs://, https://). Finished videos are skipped, bad ones named and passed over. Prints the path
    of each finished file.
    """
    from vidalign.batch.extraction import Extraction, default_backbone
    from vidalign.errors import UsageError

    _check_folder(folder)
    names = tuple(dict.fromkeys(backbones)) or (default_backbone(),)
    if weights is not None and len(names) > 1:
        raise UsageError("--weights goes with one --backbone only", hint="run once for each backbone")
    device, runtime, compiled = computing
    extractions = [
        Extraction(name, recipe, weights, device, dtype, reader, gvf, runtime, compiled) for name in names
    ]
    given = Given(sources, _listed(sources), folder, root)
    with brought_near(given, area, engine, manners.settings.timeout) as near:
        report = _extract(near, extractions, shard, talk, manners)
    talk.say(str(report))
    if report.exit_code:
        raise SystemExit(report.exit_code)


def _check_folder(folder: Path | str) -> None:
    """Raise UsageError where the output is named like a file."""
    from vidalign.errors import UsageError

    if str(folder).lower().endswith(".h5") and not Path(folder).is_dir():
        raise UsageError(f"{folder}: features go into a folder", hint="give -o DIR: a.mp4 becomes DIR/a.h5")


def _folders(folder: Path, extractions: Sequence[Extraction]) -> list[Path]:
    """Where each backbone's files go: one of several has a folder of its name."""
    from vidalign.errors import UsageError

    if len(extractions) == 1:
        return [folder]
    names = [extraction.card.name for extraction in extractions]
    if len(set(names)) < len(names):
        raise UsageError(f"two backbones are called {names[0]}", hint="run once for each, into other folders")
    return [folder / extraction.card.folder_name for extraction in extractions]


def _listed(sources: Sequence[str]) -> list[str]:
    from vidalign.store.items import read_paths

    return read_paths(sys.stdin.buffer.read()) if "-" in sources else []


def _extract(
    near: Near, extractions: Sequence[Extraction], asked: Asked | None, talk: Talk, manners: Manners
) -> Report:
    """Extract what is asked for, of all or of one shard, and tell of each item."""
    from vidalign.batch.extract import Planned
    from vidalign.cli.items import share_of
    from vidalign.store.items import find_items

    folders = _folders(near.folder, extractions)
    chosen = share_of(asked, folders, "extract", talk)
    plan = []
    for extraction, folder in zip(extractions, folders, strict=True):
        items = find_items(near.sources, folder, root=near.root, stdin=near.listed, more=near.more)
        plan.append(Planned(extraction, items if chosen is None else chosen.pick(items)))
    return _run(plan, near.extract, None if chosen is None else chosen.dealing, talk, manners)


def _run(
    plan: Sequence[Planned], extract: Extract, dealing: Dealing | None, talk: Talk, manners: Manners
) -> Report:
    from vidalign.batch.report import Report
    from vidalign.batch.tally import Tally
    from vidalign.cli.items import meter_for, tell
    from vidalign.cli.notice import notice

    report = Report(strict=manners.strict)
    tally = Tally(len(plan[0].items), len(plan))
    with meter_for(talk, tally):
        results = extract(
            plan,
            overwrite=manners.overwrite,
            retry_failed=manners.retry_failed,
            dry_run=manners.dry_run,
            dealing=dealing,
            settings=manners.settings,
            progress=lambda item: tally.begin(item.name),
        )
        for extraction, _ in plan:
            notice(extraction.backbone, talk)
        with closing(results):
            for result in results:
                report.add(result)
                tally.end(result)
                tell(result, talk, as_json=manners.as_json, tally=tally)
                if manners.end_with(result):
                    break
    return report
