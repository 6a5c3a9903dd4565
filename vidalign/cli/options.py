"""Options that several commands share, so that they are spelled and explained alike."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import click

if TYPE_CHECKING:
    from vidalign.batch.extraction import Runtime
    from vidalign.batch.shards import Asked
    from vidalign.cli.output import Talk

Command = TypeVar("Command", bound=Callable[..., Any])

CONFIG_FILES = "vidalign.config_files"
"""Key in a context's `meta`: the configuration files in use."""

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object per finished item on stdout, how far the run is under `progress` in it.",
)
retry_failed_option = click.option(
    "--retry-failed",
    is_flag=True,
    help="Also try what an earlier run recorded as hopeless (NAME.error.json) and has not changed since.",
)
overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Make finished outputs again, also those of other settings."
)
fail_fast_option = click.option(
    "--fail-fast", is_flag=True, help="Stop at the first item that fails instead of going on."
)
strict_option = click.option(
    "--strict", is_flag=True, help="Count an item as failed when its video breaks off before its end."
)
dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would be done and write nothing.")
root_option = click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder from which output names count (paths from stdin or a CSV: the current folder).",
)
decoder_settings_option = click.option(
    "--decoder-option",
    "decoder_options",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the decoder, such as segment=path; repeatable.",
)
device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda[:N]|mps",
    help="Where the model runs; auto takes a GPU if there is one.",
)

models_option = click.option(
    "--model",
    "models",
    multiple=True,
    metavar="CARD|PATH",
    help="A model to run, by default the user's own default; may be repeated.",
)
weights_option = click.option(
    "--weights", type=FILE, help="A checkpoint file to use instead of the model's own."
)
rolling_option = click.option(
    "--rolling",
    type=click.Choice(["auto", "keep", "collapse"]),
    default="auto",
    show_default=True,
    help="What to do with captions that repeat the line before.",
)
encoding_option = click.option("--encoding", help="Encoding of the subtitle file; by default it is detected.")
scorer_option = click.option(
    "--scorer", metavar="NAME", help="similarity (dot product) or cosine instead of the model's."
)


class Computing(NamedTuple):
    """Where and by what networks run."""

    device: str
    runtime: Runtime
    compiled: bool


def computing_options(command: Command) -> Command:
    """Add --device for several GPUs, --runtime, --compile; the command gets `computing` instead of them."""

    @click.option(
        "--device",
        default="auto",
        show_default=True,
        metavar="auto|cpu|cuda[:N[,M...]]|mps",
        help="Where the model runs; auto takes a GPU if there is one, cuda:0,1 both, a video on one of them.",
    )
    @click.option(
        "--runtime",
        type=click.Choice(["auto", "torch", "openvino"]),
        default="auto",
        show_default=True,
        help="What computes the features; auto: what made those that are in the folder, else torch. OpenVINO "
        "(CPU, float32) is refused where its features are not torch's to 1e-4.",
    )
    @click.option(
        "--compile", "compiled", is_flag=True, help="Have torch compile the network (takes a while)."
    )
    @functools.wraps(command)
    def computing(*args: Any, device: str, runtime: Runtime, compiled: bool, **values: Any) -> Any:
        return command(*args, computing=Computing(device, runtime, compiled), **values)

    return cast(Command, computing)


reader_option = click.option(
    "--reader",
    type=click.Choice(["auto", "decord", "pyav"]),
    default="auto",
    show_default=True,
    help="What decodes the video; auto takes decord for short plain files, where it is right, else PyAV.",
)


def _asked(ctx: click.Context, param: click.Parameter, value: str | None) -> Asked | None:
    """What `--shard` says; a wrong text is an error of usage."""
    from vidalign.batch.shards import Asked

    try:
        return None if value is None else Asked.parse(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None


def named_values(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """NAME=VALUE pairs; a value that reads as a number or a truth value is one."""
    import yaml

    named: dict[str, Any] = {}
    for text in values:
        name, mark, value = text.partition("=")
        if not name or not mark:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", ctx, param)
        try:
            scalar = yaml.safe_load(value)
        except yaml.YAMLError:
            scalar = value
        named[name.replace("-", "_")] = scalar if type(scalar) in (int, float, bool) else value
    return named


shard_option = click.option(
    "--shard",
    callback=_asked,
    metavar="I/N|auto[/N]",
    help="Do share I of N only, from 1, dealt by a hash of the item's name; auto: the share of this task of "
    "a SLURM array.",
)


def engine_options(command: Command) -> Command:
    """Add --engine and --engine-option; the command gets `engine` instead, None for this machine."""

    @click.option(
        "--engine",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="What does the work: this machine, or all nodes of a Ray cluster ($RAY_ADDRESS).",
    )
    @click.option(
        "--engine-option",
        "engine_options",
        multiple=True,
        callback=named_values,
        metavar="NAME=VALUE",
        help="With --engine ray: actors=N at most, cpus=N and gpus=N for each, patience=SECONDS to wait for "
        "a node; repeatable.",
    )
    @functools.wraps(command)
    def engaged(*args: Any, engine: str, engine_options: dict[str, Any], **values: Any) -> Any:
        from vidalign.batch.engines.registry import make_engine

        return command(*args, engine=make_engine(engine, engine_options), **values)

    return cast(Command, engaged)


def _workers(ctx: click.Context, param: click.Parameter, value: str) -> int | None:
    """A number of reading processes, None for auto."""
    if value == "auto":
        return None
    if value.isdecimal():
        return int(value)
    raise click.BadParameter(f"{value!r} is neither auto nor a number", ctx, param)


def pipeline_options(command: Command) -> Command:
    """Add --workers, --timeout, --memory, --deterministic; the command gets `settings` instead of them."""

    @click.option(
        "--workers",
        default="auto",
        show_default=True,
        callback=_workers,
        metavar="auto|N",
        help="Processes that read videos; auto: as many as keep the network busy, at most a core each. "
        "0: none, so that a video that hangs or crashes its decoder takes the run along.",
    )
    @click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="Give up on a video whose reading takes longer, or, by URL, on a file whose fetching does, each "
        "for itself; what is silent for 120 s is given up anyway.",
    )
    @click.option(
        "--memory",
        type=click.IntRange(min=1),
        default=256,
        show_default=True,
        metavar="MIB",
        help="Decoded pictures that may wait for the network, those of all videos together.",
    )
    @click.option(
        "--deterministic",
        is_flag=True,
        help="Batches of one shape and one video each, and as many threads as the first such process of the "
        "run had: the same bytes whatever runs beside it. Slower for short videos.",
    )
    @functools.wraps(command)
    def piped(
        *args: Any,
        workers: int | None,
        timeout: float | None,
        memory: int,
        deterministic: bool,
        **values: Any,
    ) -> Any:
        from vidalign.batch.pipeline import Settings

        settings = Settings(workers, timeout, memory * 2**20, deterministic)
        return command(*args, settings=settings, **values)

    return cast(Command, piped)


def talk_options(command: Command) -> Command:
    """Add -q and -v; the command gets a `talk` argument instead of them."""

    @click.option("-q", "--quiet", is_flag=True, help="Say errors only.")
    @click.option("-v", "--verbose", count=True, help="Say more; -vv says everything.")
    @functools.wraps(command)
    def talking(*args: Any, quiet: bool, verbose: int, **values: Any) -> Any:
        return command(*args, talk=open_talk(-1 if quiet else verbose), **values)

    return cast(Command, talking)


def open_talk(level: int) -> Talk:
    """The command's channel to people; shows the program's log too, and with -v the configuration used."""
    from vidalign.cli.output import Talk, show_logs

    talk = Talk(level)
    show_logs(talk)
    context = click.get_current_context(silent=True)
    for path in context.meta.get(CONFIG_FILES, ()) if context else ():
        talk.verbose(f"configuration: {path}")
    return talk


def chosen_decoder(name: str | None, options: tuple[str, ...]) -> str | None:
    """The decoder with its options, as alignments record it; raises UsageError or ModelError."""
    from vidalign.aligners.decoders import canonical
    from vidalign.errors import UsageError

    if name is None and options:
        raise UsageError("--decoder-option goes with --decoder", hint="name the decoder that it is for")
    return None if name is None else canonical(name, options)
