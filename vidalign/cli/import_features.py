"""`vidalign import-features`: features that other tools made become features files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vidalign.cli.options import json_option, overwrite_option, talk_options

if TYPE_CHECKING:
    from vidalign.batch.imports import Stated
    from vidalign.cli.output import Talk
    from vidalign.store.exports.formats import FeaturesFormat


@click.command("import-features")
@click.argument(
    "sources", nargs=-1, required=True, metavar="SOURCE...", type=click.Path(exists=True, path_type=Path)
)
@click.option("--preset", required=True, metavar="LAYOUT", help="How the features are kept: tan, mad, ...")
@click.option(
    "--recipe",
    required=True,
    metavar="NAME|FILE",
    help="How their clips were cut: a recipe's name or a YAML file. Nobody but you knows.",
)
@click.option("--backbone", metavar="CARD", help="The model that made them, where it is known here.")
@click.option(
    "--durations",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="JSON of how many seconds each video lasts, for a recipe that takes every frame.",
)
@click.option("--key", metavar="NAME", help="Which array to take, where a file holds several.")
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the features files.",
)
@overwrite_option
@json_option
@talk_options
def import_features(
    sources: tuple[Path, ...],
    preset: str,
    recipe: str,
    backbone: str | None,
    durations: Path | None,
    key: str | None,
    folder: Path,
    overwrite: bool,
    as_json: bool,
    talk: Talk,
) -> None:
    """Turn features of other tools into features files, one a video.

    SOURCE is a file in one of the layouts that `vidalign export` writes (tan, moment-detr, 2d-tan, mad,
    vslnet, videoclip, webdataset, safetensors), or a folder of such. Rows get their times from the recipe:
    row i covers the clip that begins at i times its stride. Prints the path of each file.
    """
    from vidalign.batch.imports import find_layout_files, import_files
    from vidalign.batch.outputs import check_writable
    from vidalign.batch.report import Report
    from vidalign.cli.items import tell

    form = _layout(preset)
    stated = _stated(preset, recipe, backbone, durations)
    files = find_layout_files(sources, form)
    check_writable([folder / "file"])
    report = Report()
    for result in import_files(files, form, stated, folder, key=key, overwrite=overwrite):
        report.add(result)
        tell(result, talk, as_json=as_json)
    talk.say(str(report))
    if report.exit_code:
        raise SystemExit(report.exit_code)


def _layout(preset: str) -> FeaturesFormat:
    from vidalign.errors import UsageError
    from vidalign.store.exports.formats import FeaturesFormat
    from vidalign.store.exports.registry import get_format

    form = get_format(preset)
    if not isinstance(form, FeaturesFormat) or form.read is None:
        raise UsageError(
            f"{preset} is no layout that features can be read from", hint="vidalign export --list"
        )
    return form


def _stated(preset: str, recipe: str, backbone: str | None, durations: Path | None) -> Stated:
    from vidalign.backbones.spec import backbone_spec, check_recipe
    from vidalign.batch.imports import Stated, read_durations
    from vidalign.weights.cards import get_card
    from vidalign.weights.recipes import get_recipe

    followed = get_recipe(recipe)
    seconds = None if durations is None else read_durations(durations)
    if backbone is None:
        return Stated(preset, followed, durations=seconds)
    card = get_card(backbone)
    check_recipe(backbone_spec(card), followed, backbone, pictures=False)
    return Stated(preset, followed, card.name, backbone_spec(card), seconds)
