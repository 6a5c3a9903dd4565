"""`--untrusted`: files of strangers are opened first by a process that may die of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from vidalign.cli.options import Command


def untrusted_option(implied: Callable[..., bool] = lambda **_: False) -> Callable[[Command], Command]:
    """Add --untrusted; `implied` says of a command's arguments that it is so in any case."""

    def add(command: Command) -> Command:
        @click.option(
            "--untrusted",
            is_flag=True,
            help="The files are strangers': open each first in a process with limits of memory and time.",
        )
        @functools.wraps(command)
        def wrapped(*args: Any, untrusted: bool, **given: Any) -> Any:
            if not (untrusted or implied(**given)):
                return command(*args, **given)
            from vidalign.batch.foreign import looking_first

            with looking_first():
                return command(*args, **given)

        return wrapped  # type: ignore[return-value]

    return add
