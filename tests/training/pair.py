"""Two processes that train together, as torchrun would start them."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 300
"""Seconds; both are killed after that."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def run_pair(command: Sequence[str | Path]) -> list[tuple[int, str, str]]:
    """Exit code, stdout and stderr of both; they run in the checkout."""
    group = {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "OMP_NUM_THREADS": "1",
    }
    with ExitStack() as stack:
        begun = []
        for rank in range(2):
            process = subprocess.Popen(
                list(map(str, command)),
                cwd=ROOT,
                env={**os.environ, **group, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            begun.append(process)
        told = [process.communicate(timeout=PATIENCE) for process in begun]
    return [(process.returncode, *said) for process, said in zip(begun, told, strict=True)]
