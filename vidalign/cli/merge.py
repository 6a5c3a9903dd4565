"""`vidalign merge`: many files in one HDF5, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from vidalign.cli.options import json_option, overwrite_option, talk_options
from vidalign.cli.untrusted import untrusted_option

if TYPE_CHECKING:
    from vidalign.cli.output import Talk


@click.command()
@click.argument(
    "sources", nargs=-1, required=True, metavar="DIR...", type=click.Path(exists=True, path_type=Path)
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="The merged file; with --split a folder.",
)
@click.option(
    "--kind",
    type=click.Choice(["features", "alignment"]),
    default="features",
    show_default=True,
    help="Which files of the folders to merge.",
)
@click.option(
    "--virtual",
    is_flag=True,
    help="Point to the arrays in the files instead of copying them; they must stay.",
)
@click.option("--split", is_flag=True, help="The way back: DIR is a merged file, OUTPUT the folder.")
@overwrite_option
@json_option
@untrusted_option()
@talk_options
def merge(
    sources: tuple[Path, ...],
    output: Path,
    kind: Literal["features", "alignment"],
    virtual: bool,
    split: bool,
    overwrite: bool,
    as_json: bool,
    talk: Talk,
) -> None:
    """Put many features (or alignment) files into one HDF5, and back.

    Every file becomes a group of its name: f["a/b"]["features"][:]. Files of different recipes or weights are
    not merged. With --split the files come back as they were. Prints the path of each file written.
    """
    from vidalign.batch.merging import merge_files, split_file
    from vidalign.batch.outputs import check_writable
    from vidalign.batch.report import Report
    from vidalign.cli.items import tell
    from vidalign.errors import UsageError

    if split and (virtual or len(sources) > 1):
        raise UsageError(
            "--split takes one merged file and nothing else", hint="vidalign merge ALL.h5 --split -o DIR"
        )
    check_writable([output / "member" if split else output])
    report = Report()
    results = (
        split_file(sources[0], output, overwrite=overwrite)
        if split
        else merge_files(sources, kind, output, virtual=virtual, overwrite=overwrite)
    )
    for result in results:
        report.add(result)
        tell(result, talk, as_json=as_json)
    talk.say(str(report))
    if report.exit_code:
        raise SystemExit(report.exit_code)
