"""Options that several commands share, so that they are spelled and explained alike."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

if TYPE_CHECKING:
    from vidalign.cli.output import Talk

Command = TypeVar("Command", bound=Callable[..., Any])

CONFIG_FILES = "vidalign.config_files"
"""Key in a context's `meta`: the configuration files in use."""

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per finished item on stdout."
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
reader_option = click.option(
    "--reader",
    type=click.Choice(["auto", "decord", "pyav"]),
    default="auto",
    show_default=True,
    help="What decodes the video; auto takes decord for short plain files, where it is right, else PyAV.",
)


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
