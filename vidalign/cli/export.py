"""`vidalign export`: alignments and features as files of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidalign.cli.options import json_option, overwrite_option, talk_options
from vidalign.cli.untrusted import untrusted_option

if TYPE_CHECKING:
    from vidalign.batch.export import Job
    from vidalign.cli.output import Talk
    from vidalign.store.exports.formats import Dtype, Format, Options, Unaligned

_FLAGS = {
    "unaligned": "--unaligned",
    "frame_rate": "--frame-rate",
    "media": "--video",
    "dtype": "--dtype",
}


@click.command()
@click.argument("files", nargs=-1, metavar="FILE...", type=click.Path(exists=True, path_type=Path))
@click.option("--to", "--preset", "name", metavar="FORMAT", help="What to write; --list names all.")
@click.option("--list", "listing", is_flag=True, help="List the formats, those of plugins too.")
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    help="A file, - for stdout, or a folder where there is one output a file. Default: here, names kept.",
)
@click.option(
    "--unaligned",
    type=click.Choice(["keep", "drop", "mark"]),
    help="vtt, srt: what becomes of cues that are not aligned.  [default: keep]",
)
@click.option(
    "--video", "media", metavar="PATH|URL", help="eaf, label-studio: the video; ends in /: its folder."
)
@click.option(
    "--frame-rate",
    type=click.FloatRange(min=0, min_open=True),
    help="label-studio: frames a second.  [default: 24]",
)
@click.option(
    "--dtype", type=click.Choice(["float16", "float32"]), help="Features: number format; default: the tool's."
)
@overwrite_option
@json_option
@untrusted_option()
@talk_options
def export(
    files: tuple[Path, ...],
    name: str | None,
    listing: bool,
    output: str | None,
    unaligned: Unaligned | None,
    media: str | None,
    frame_rate: float | None,
    dtype: Dtype | None,
    overwrite: bool,
    as_json: bool,
    talk: Talk,
) -> None:
    """Write alignments and features as other tools read them.

    FILE is an alignment or features file, or a folder of such. Alignments: vtt, srt, tsv, csv, jsonl,
    parquet, audacity, eaf (ELAN), textgrid (Praat), label-studio, htm-aa. Features: tan, moment-detr, 2d-tan,
    mad, vslnet, videoclip, webdataset, safetensors. Prints the path of each file written.
    """
    from vidalign.errors import UsageError
    from vidalign.store.exports.registry import get_format

    if listing:
        _list(as_json)
        return
    if name is None:
        raise UsageError("say what to export to, with --to FORMAT", hint="vidalign export --list names all")
    form = get_format(name)
    options = _options(
        name, form, {"unaligned": unaligned, "media": media, "frame_rate": frame_rate, "dtype": dtype}
    )
    _export(files, form, output, options, overwrite, as_json, talk)


def _export(
    files: tuple[Path, ...],
    form: Format,
    output: str | None,
    options: Options,
    overwrite: bool,
    as_json: bool,
    talk: Talk,
) -> None:
    from vidalign.batch.export import find_sources, plan, run_jobs
    from vidalign.batch.outputs import check_writable
    from vidalign.batch.report import Report
    from vidalign.cli.items import tell
    from vidalign.errors import UsageError

    if not files:
        raise UsageError("there is nothing to export", hint="vidalign export FILE... --to FORMAT")
    sources = find_sources(files, form.kind)
    if output == "-":
        _to_stdout(plan(sources, form, f"-{form.suffix}"), form, options, talk)
        return
    jobs = plan(sources, form, output)
    check_writable(job.output for job in jobs)
    report = Report()
    for result in run_jobs(jobs, form, options, overwrite=overwrite):
        report.add(result)
        tell(result, talk, as_json=as_json)
    if len(sources) > 1:
        talk.say(str(report))
    if report.exit_code:
        raise SystemExit(report.exit_code)


def _options(name: str, form: Format, given: dict[str, Any]) -> Options:
    """The options that were given; raises UsageError for one that the format does not heed."""
    from dataclasses import replace

    from vidalign.errors import UsageError
    from vidalign.store.exports.formats import Options

    values = {key: value for key, value in given.items() if value is not None}
    idle = sorted(set(values) - form.takes)
    if idle:
        raise UsageError(f"{_FLAGS[idle[0]]} means nothing to {name}", hint="leave it out")
    return replace(Options(), **values)


def _to_stdout(jobs: list[Job], form: Format, options: Options, talk: Talk) -> None:
    import tempfile
    from dataclasses import replace

    from vidalign.batch.export import run_jobs
    from vidalign.cli.items import tell_doubts
    from vidalign.cli.output import emit_bytes
    from vidalign.errors import UsageError

    if len(jobs) != 1:
        raise UsageError("only one file can go to stdout", hint="give -o DIR")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / f"out{form.suffix}"
        results = list(run_jobs([replace(jobs[0], output=output)], form, options))
        for result in results:
            tell_doubts(result, talk)
        if output.exists():
            emit_bytes(output.read_bytes())
    if any(result.status == "failed" for result in results):
        raise SystemExit(1)


def _list(as_json: bool) -> None:
    from vidalign.cli.output import emit_json, emit_text
    from vidalign.store.exports.formats import FeaturesFormat
    from vidalign.store.exports.registry import all_formats

    formats = list(all_formats())
    width = max(len(name) for name, _ in formats)
    for name, form in formats:
        if as_json:
            emit_json(
                {
                    "name": name,
                    "kind": form.kind,
                    "suffix": form.suffix,
                    "gathers": form.gathers,
                    "imports": isinstance(form, FeaturesFormat) and form.read is not None,
                    "summary": form.summary,
                }
            )
        else:
            emit_text(f"{name:<{width}}  {form.kind:<9}  {form.summary}")
