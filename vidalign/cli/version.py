"""`vidalign version`: what runs here, for bug reports."""

from __future__ import annotations

import platform
from importlib import import_module, metadata
from typing import Any

import click

from vidalign._version import __version__
from vidalign.cli.options import json_option

_DISTRIBUTIONS = (
    "torch",
    "av",
    "decord2",
    "numpy",
    "h5py",
    "safetensors",
    "click",
    "rich",
    "PyYAML",
    "matplotlib",
    "pyarrow",
    "webdataset",
)


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also Python, the platform and every library.")
@json_option
def version(everything: bool, as_json: bool) -> None:
    """Show versions."""
    from vidalign.cli.output import emit_json, emit_text

    versions = all_versions() if everything else {"vidalign": __version__}
    if as_json:
        emit_json(versions)
    else:
        for name, value in versions.items():
            emit_text(f"{name} {value or 'not installed'}")


def all_versions() -> dict[str, str | None]:
    """Name -> version of all that the results can depend on; None: not installed."""
    versions: dict[str, str | None] = {
        "vidalign": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    versions |= {name: _distribution(name) for name in _DISTRIBUTIONS}
    versions["ffmpeg (in av)"] = _ask("av", lambda av: av.ffmpeg_version_info)
    versions["hdf5 (in h5py)"] = _ask("h5py", lambda h5py: h5py.version.hdf5_version)
    versions["cuda (in torch)"] = _ask("torch", lambda torch: torch.version.cuda or "none")
    versions["gpu"] = _ask("torch", _gpus)
    return versions


def _gpus(torch: Any) -> str:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return ", ".join(torch.cuda.get_device_name(n) for n in range(count)) or "none"


def _distribution(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _ask(module: str, question: Any) -> str | None:
    try:
        return str(question(import_module(module)))
    except ModuleNotFoundError:
        return None
    except (ImportError, OSError, AttributeError, RuntimeError) as error:
        return f"broken: {error}"
