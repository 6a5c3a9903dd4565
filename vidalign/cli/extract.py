"""`vidalign extract`: videos become features files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

from vidalign.cli.launch import launch_options, start_delay_option
from vidalign.cli.options import (
    computing_options,
    dry_run_option,
    engine_option,
    engine_options_option,
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

if TYPE_CHECKING:
    from vidalign.batch.engines.registry import Engine
    from vidalign.batch.extract import Planned
    from vidalign.batch.extraction import Extraction
    from vidalign.batch.pipeline import Settings
    from vidalign.batch.report import Report
    from vidalign.batch.shards import Asked, Dealing, Shard
    from vidalign.cli.options import Computing
    from vidalign.cli.output import Talk
    from vidalign.store.items import Item


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
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
@click.option(
    "--weights",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint file to use instead of the model's own.",
)
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
@root_option
@shard_option
@engine_option
@engine_options_option
@overwrite_option
@retry_failed_option
@fail_fast_option
@strict_option
@dry_run_option
@json_option
@talk_options
@launch_options
@start_delay_option
def extract(
    sources: tuple[str, ...],
    folder: Path,
    backbones: tuple[str, ...],
    recipe: str | None,
    weights: Path | None,
    dtype: Literal["float16", "float32"],
    gvf: Literal["max", "avg"] | None,
    computing: Computing,
    reader: str,
    settings: Settings,
    root: Path | None,
    shard: Asked | None,
    engine: str,
    engine_options: dict[str, Any],
    overwrite: bool,
    retry_failed: bool,
    fail_fast: bool,
    strict: bool,
    dry_run: bool,
    as_json: bool,
    talk: Talk,
) -> None:
    """Turn videos into clip features, one HDF5 file a video.

    SOURCE is a video, a folder (walked for videos), or - for a list of paths on stdin. Finished videos are
    skipped, bad ones named and passed over. Prints the path of each finished file.
    """
    from vidalign.batch.engines.registry import make_engine
    from vidalign.batch.extract import Planned
    from vidalign.batch.extraction import Extraction, default_backbone
    from vidalign.cli.items import share_of
    from vidalign.errors import UsageError

    names = tuple(dict.fromkeys(backbones)) or (default_backbone(),)
    if weights is not None and len(names) > 1:
        raise UsageError("--weights goes with one --backbone only", hint="run once for each backbone")
    listed = _listed(sources)
    device, runtime, compiled = computing
    extractions = [
        Extraction(name, recipe, weights, device, dtype, reader, gvf, runtime, compiled) for name in names
    ]
    folders = _folders(folder, extractions)
    chosen = share_of(shard, folders, "extract", talk)
    plan = [
        Planned(extraction, _items(sources, listed, place, root, chosen))
        for extraction, place in zip(extractions, folders, strict=True)
    ]
    dealing = None if chosen is None else chosen.dealing
    manners = Manners(overwrite, retry_failed, fail_fast, strict, dry_run, as_json, dealing, settings)
    report = _run(plan, make_engine(engine, engine_options), talk, manners)
    talk.say(str(report))
    if report.exit_code:
        raise SystemExit(report.exit_code)


def _folders(folder: Path, extractions: Sequence[Extraction]) -> list[Path]:
    """Where each backbone's files go: one of several has a folder of its name."""
    from vidalign.errors import UsageError

    if len(extractions) == 1:
        return [folder]
    names = [extraction.card.name for extraction in extractions]
    if len(set(names)) < len(names):
        raise UsageError(f"two backbones are called {names[0]}", hint="run once for each, into other folders")
    return [folder / extraction.card.folder_name for extraction in extractions]


class Manners(NamedTuple):
    """How the run treats what is there, what fails, and who listens."""

    overwrite: bool
    retry_failed: bool
    fail_fast: bool
    strict: bool
    dry_run: bool
    as_json: bool
    dealing: Dealing | None
    settings: Settings


def _listed(sources: Sequence[str]) -> list[str]:
    from vidalign.store.items import read_paths

    return read_paths(sys.stdin.buffer.read()) if "-" in sources else []


def _items(
    sources: Sequence[str], listed: list[str], folder: Path, root: Path | None, shard: Shard | None
) -> list[Item]:
    from vidalign.store.items import find_items

    found = find_items(sources, folder, root=root, stdin=listed)
    return found if shard is None else shard.pick(found)


def _run(plan: Sequence[Planned], engine: Engine, talk: Talk, manners: Manners) -> Report:
    from vidalign.batch.report import Report
    from vidalign.batch.tally import Tally
    from vidalign.cli.items import meter_for, tell
    from vidalign.cli.notice import notice

    report = Report(strict=manners.strict)
    tally = Tally(len(plan[0].items), len(plan))
    with meter_for(talk, tally):
        results = engine(
            plan,
            overwrite=manners.overwrite,
            retry_failed=manners.retry_failed,
            dry_run=manners.dry_run,
            dealing=manners.dealing,
            settings=manners.settings,
            progress=lambda item: tally.begin(item.name),
        )
        for extraction, _ in plan:
            notice(extraction.backbone, talk)
        for result in results:
            report.add(result)
            tally.end(result)
            tell(result, talk, as_json=manners.as_json, tally=tally)
            if manners.fail_fast and report.exit_code:
                break
    return report
