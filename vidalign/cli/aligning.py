"""The options of `vidalign align` that say what is aligned, and how."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import click

from vidalign.cli.options import (
    Command,
    chosen_decoder,
    decoder_settings_option,
    encoding_option,
    rolling_option,
    weights_option,
)
from vidalign.cli.remote import PathOrUrl

if TYPE_CHECKING:
    from vidalign.batch.pairs import Found
    from vidalign.batch.remote.outputs import RemoteOutputs
    from vidalign.cli.remote import Around

_FILE = PathOrUrl(exists=True, dir_okay=False, path_type=Path)


class GivenPairs(NamedTuple):
    """What is to be aligned, as the command line names it: paths, and URLs."""

    video: Path | str | None
    subtitles: str | None
    output: str | None
    table: Path | str | None
    features: Path | str | None
    texts: Path | str | None
    root: Path | str | None

    @property
    def is_of_strangers(self) -> bool:
        """Whether there are many files, or one comes by URL."""
        if any(isinstance(each, str) for each in (self.video, self.features, self.texts)):
            return True
        return self.table is not None or (isinstance(self.video, Path) and self.video.is_dir())

    def check_spread(self, kept: Path | str | None) -> None:
        """Raise UsageError where this is nothing for many machines: a URL, also for `kept`, or one video."""
        from vidalign.batch.files import urls_here_only
        from vidalign.errors import UsageError
        from vidalign.store.remote import is_url

        if any(isinstance(each, str) and is_url(each) for each in (*self, kept)):
            raise urls_here_only()
        if isinstance(self.video, Path) and (self.video.is_file() or self.features is not None):
            raise UsageError(
                "--engine ray goes with many videos",
                hint="leave it out, or give folders or --pairs CSV -o DIR",
            )

    def find(self, place: Around) -> tuple[Found, RemoteOutputs | None]:
        """The pairs, and what takes their outputs to a URL; raises UsageError, SubtitleError, StoreError."""
        from vidalign.errors import UsageError

        if self.table is not None and self.video is not None:
            raise UsageError("give either a video or --pairs, not both", hint="try 'vidalign align --help'")
        if self.table is not None or (self.video is not None and place.files.is_folder(self.video)):
            return self._many(place)
        if self.video is None:
            raise UsageError(
                "there is nothing to align", hint="vidalign align VIDEO [SUBTITLES], or --pairs CSV -o DIR"
            )
        return self._single(self.video, place)

    def _many(self, place: Around) -> tuple[Found, RemoteOutputs | None]:
        from vidalign.batch.pairs import csv_pairs, folder_pairs
        from vidalign.errors import UsageError

        if self.features is not None:
            raise UsageError(
                "--features goes with one video",
                hint="--save-features DIR uses a folder's; or --pairs with a column features",
            )
        if self.texts is not None:
            raise UsageError(
                "--text-features goes with one video", hint="use --pairs with a column text_features"
            )
        if self.output is None or self.output == "-":
            raise UsageError("many videos need a folder for their alignments", hint="add -o DIR")
        folder, outputs = place.folder(_path_or_url(self.output))
        if self.table is not None:
            return csv_pairs(self.table, folder, self.root, place.files), outputs
        assert self.video is not None
        return folder_pairs(self.video, self.subtitles, folder, self.root, place.files), outputs

    def _single(self, video: Path | str, place: Around) -> tuple[Found, RemoteOutputs | None]:
        from vidalign.batch.pairs import Found, single_pair
        from vidalign.errors import UsageError

        if isinstance(self.features, Path) and self.features.is_dir():
            raise UsageError(f"{self.features} is a folder", hint="--features takes one video's file in it")
        if self.features is None and isinstance(video, Path) and not video.exists():
            raise UsageError(f"{video} does not exist", hint="check the name, or give --features")
        output, outputs = self.output, None
        if output is not None and isinstance(_path_or_url(output), str):
            above, name = _file_of(output, place.files.single(video), place)
            folder, outputs = place.folder(above, listed=False)
            output = str(folder / name)
        pair = single_pair(video, self.subtitles, output, self.features, self.texts, place.files)
        if outputs is not None and pair.output is not None:
            url = outputs.url_of(pair.output)
            if any(place.files.url(path) == url for path in pair.inputs):
                raise UsageError(f"{url} would be written over itself", hint="choose another output")
        return Found((pair,)), outputs


def given_pairs(command: Command) -> Command:
    """Add VIDEO, SUBTITLES and where things lie; the command gets `given` instead of them, with --root."""

    @click.argument("video", required=False, type=PathOrUrl(path_type=Path))
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
        "table",
        type=_FILE,
        metavar="CSV",
        help="A table with the columns video,subtitles[,features][,text_features].",
    )
    @click.option(
        "--features",
        type=PathOrUrl(exists=True, path_type=Path),
        help="A features file to use; VIDEO then need not exist.",
    )
    @click.option(
        "--text-features",
        "texts",
        type=_FILE,
        help="Sentence features to use, for a model that reads them (see `vidalign extract-text`).",
    )
    @functools.wraps(command)
    def found(*args: Any, **values: Any) -> Any:
        given = GivenPairs(**{name: values.pop(name) for name in GivenPairs._fields})
        return command(*args, given=given, **values)

    return cast(Command, found)


ALIGNING = (
    *("model", "weights", "scorer", "decoder", "threshold", "min_confidence", "segment", "rolling"),
    *("encoding", "windowing", "margin", "matrix", "unaligned"),
)
"""Fields of AlignRun that these options set."""


def aligning_options(command: Command) -> Command:
    """Add what decides how alignments come out; the command gets `aligning`, fields of AlignRun, instead."""

    @_model_options
    @_subtitle_options
    @_result_options
    @functools.wraps(command)
    def aligning(*args: Any, decoder_options: tuple[str, ...], **values: Any) -> Any:
        how = {name: values.pop(name) for name in ALIGNING}
        how["decoder"] = chosen_decoder(how["decoder"], decoder_options)
        return command(*args, aligning=how, **values)

    return cast(Command, aligning)


def _model_options(command: Command) -> Command:
    options = (
        click.option(
            "--model",
            metavar="CARD|PATH",
            help="The aligning model (see `vidalign models list`), or a model folder.",
        ),
        weights_option,
        click.option(
            "--scorer",
            metavar="NAME",
            help="tan, similarity (dot product) or cosine; by default what the model says.",
        ),
        click.option(
            "--decoder",
            metavar="NAME",
            help="How segments are found: peak, dtw, otam, drop-dtw, viterbi, ot or steps; "
            "by default what the model says.",
        ),
        decoder_settings_option,
        click.option(
            "--threshold",
            type=click.FloatRange(0, 1),
            help="Alignability from which a sentence counts as aligned.",
        ),
        click.option(
            "--min-confidence",
            type=click.FloatRange(0, 1),
            help="Write nothing and exit with 3 where the confidence is lower.",
        ),
    )
    return _with(options, command)


def _subtitle_options(command: Command) -> Command:
    options = (
        click.option(
            "--segment",
            type=click.Choice(["cue", "sentence"]),
            default="cue",
            show_default=True,
            help="Align each cue, or join and split cues at sentence ends.",
        ),
        rolling_option,
        encoding_option,
    )
    return _with(options, command)


def _result_options(command: Command) -> Command:
    options = (
        click.option(
            "--windowing",
            type=click.Choice(["overlap", "global"]),
            default="overlap",
            show_default=True,
            help="Windows of 64 clips every 16, or the whole video at once.",
        ),
        click.option(
            "--margin",
            type=click.FloatRange(min=0),
            default=64.0,
            show_default=True,
            help="Seconds around a window whose sentences it gets.",
        ),
        click.option(
            "--matrix/--no-matrix",
            default=True,
            help="Write the similarity matrix (default) or leave it out.",
        ),
        click.option(
            "--unaligned",
            type=click.Choice(["keep", "drop", "mark"]),
            default="keep",
            show_default=True,
            help="In .vtt and .srt: what becomes of cues that are not aligned.",
        ),
    )
    return _with(options, command)


def _with(options: tuple[Any, ...], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def _path_or_url(given: str) -> Path | str:
    from vidalign.store.remote import is_url

    return given if is_url(given) else Path(given)


def _file_of(output: str, video: Path, place: Around) -> tuple[str, str]:
    """The folder and the name of one output by URL; where a folder is given, the name is the video's."""
    from vidalign.batch.pairs import OUTPUTS

    folder, _, name = output.rpartition("/")
    if not name or (Path(name).suffix.lower() not in OUTPUTS and place.files.is_folder(output)):
        return output.rstrip("/"), Path(video.name).with_suffix(".align.h5").name
    return folder, name
