"""The console script: commands are imported when they run, every end is mapped to an exit code."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import NoReturn

import click

from vidalign._version import __version__
from vidalign.cli.lines import BROKEN_PIPE, color_choice, error_line, silence
from vidalign.cli.options import CONFIG_FILES
from vidalign.errors import VidalignError, debugging, did_you_mean

COMMANDS: dict[str, tuple[str, str]] = {
    "extract": ("vidalign.cli.extract:extract", "Turn videos into clip features."),
    "align": ("vidalign.cli.align:align", "Align subtitles with what a video shows."),
    "status": ("vidalign.cli.status:status", "Say what is done in a batch's folder and what is not."),
    "inspect": ("vidalign.cli.inspect:inspect", "Show a features or alignment file."),
    "view": ("vidalign.cli.view:view", "Make a page of an alignment: video, similarity, sentences."),
    "plot": ("vidalign.cli.plot:plot", "Draw an alignment as a figure for a paper."),
    "export": ("vidalign.cli.export:export", "Write alignments and features for other tools."),
    "import-features": (
        "vidalign.cli.import_features:import_features",
        "Turn features of other tools into features files.",
    ),
    "extract-text": (
        "vidalign.cli.extract_text:extract_text",
        "Turn sentences into features, for models that read these.",
    ),
    "merge": ("vidalign.cli.merge:merge", "Put many files into one HDF5, and back."),
    "models": ("vidalign.cli.models:models", "List, fetch, add and verify models."),
    "retrieve": ("vidalign.cli.retrieve:retrieve", "Find clips and whole videos by words."),
    "steps": ("vidalign.cli.steps:steps", "Find the steps of a task in a video."),
    "eval": ("vidalign.cli.eval:evaluate", "Measure alignments and models against the truth."),
    "synth": ("vidalign.cli.synth:synth", "Draw narrated how-to videos with exact truth."),
    "train": ("vidalign.cli.train:train", "Train a backbone or an aligner."),
    "version": ("vidalign.cli.version:version", "Show versions, for bug reports."),
}
"""Name -> (module:attribute, short help); a module is imported when its command runs."""

INTERRUPTED = 130
TERMINATED = 143
_received: list[int] = []
"""The signals that ask this process to leave."""


class LazyGroup(click.Group):
    """A group that lists `COMMANDS` without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        from importlib import import_module

        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name][0]} is no command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown name raises a usage error that suggests the nearest one."""
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            meant = did_you_mean(args[0], COMMANDS, "")
            raise click.UsageError("; ".join(filter(None, (f"no such command {args[0]!r}", meant))), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands into the help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, short) for name, (_, short) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "VIDALIGN"},
    epilog="Exit codes: 0 done, 1 an item failed, 2 wrong usage or missing model, 3 confidence too low, "
    "130 interrupted, 143 terminated.",
)
@click.version_option(
    __version__, prog_name="vidalign", message="%(prog)s %(version)s", allow_from_autoenv=False
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Align the subtitles of a narrated video with what can be seen in it."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        return
    from vidalign.cli.config import load_defaults

    ctx.default_map, ctx.meta[CONFIG_FILES] = load_defaults(cli, ctx)


def main(args: Sequence[str]) -> int:
    """Run one command line and return its exit code; unexpected exceptions pass through."""
    try:
        with cli.make_context("vidalign", list(args), color=color_choice()) as ctx:
            result = cli.invoke(ctx)
            return result if isinstance(result, int) else 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        _say(error.format_message())
        return error.exit_code
    except click.ClickException as error:
        return _tell(_click_message(error), _click_hint(error), error.exit_code)
    except VidalignError as error:
        _traceback_if_wanted(error)
        return _tell(error.message, error.hint, error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _say("vidalign: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        return BROKEN_PIPE
    except OSError as error:
        return _tell_refusal(error)


def run() -> NoReturn:
    """The console script."""
    # Decoding shares the cores with the model, whose idle threads must not spin on them.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if "_VIDALIGN_COMPLETE" in os.environ:
        cli.main(prog_name="vidalign")
    signal.signal(signal.SIGTERM, _leave)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _leave)
    sys.excepthook = _unexpected
    try:
        code = main(sys.argv[1:])
    except SystemExit:
        if signal.SIGTERM in _received:  # some libraries answer a signal with an exit code of theirs
            sys.exit(TERMINATED)
        raise
    finally:
        silence()
    sys.exit(code)


def _leave(number: int, frame: FrameType | None) -> None:
    """Unwind on the first signal, so that temporary files go; leave at once on the second."""
    _received.append(number)
    if len(_received) > 1:
        os._exit(INTERRUPTED if number == signal.SIGINT else TERMINATED)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(TERMINATED)


def _unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Tell of a fault in the program in one line; Python then leaves with exit code 1."""
    if debugging():
        sys.__excepthook__(kind, error, trace)
        return
    _tell(f"unexpected {kind.__name__}: {error}", "set VIDALIGN_DEBUG=1 for the traceback", 1)


def _tell(message: str, hint: str, code: int) -> int:
    _say(error_line(message, hint))
    return code


def _tell_refusal(error: OSError) -> int:
    """Tell of a file or folder that the system refuses; what else it says is raised again."""
    from vidalign.store.atomic import way_out

    hint = way_out(error)
    if error.filename is None or not hint:
        raise error
    _traceback_if_wanted(error)
    if isinstance(error, PermissionError):
        hint = f"look who may read, write or run it, or {hint}"
    return _tell(f"{os.fsdecode(error.filename)}: {error.strerror}", hint, VidalignError.exit_code)


def _say(line: str) -> None:
    with contextlib.suppress(OSError):
        click.echo(line, err=True, color=color_choice())


def _traceback_if_wanted(error: VidalignError | OSError) -> None:
    if debugging():
        sys.__excepthook__(type(error), error, error.__traceback__)


def _click_message(error: click.ClickException) -> str:
    message = error.format_message()
    return message[:1].lower() + message[1:]


def _click_hint(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"try '{context.command_path} --help'" if context is not None else ""
