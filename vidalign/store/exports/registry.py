"""The one list of export formats: those built in, and those that plugins bring."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from vidalign.errors import UsageError, did_you_mean
from vidalign.store.exports.formats import AlignmentFormat, FeaturesFormat, Format

GROUP = "vidalign.exports"
"""The entry point group of plugins."""

BUILT_IN = {
    "vtt": "vidalign.store.exports.vtt",
    "srt": "vidalign.store.exports.srt",
    "tsv": "vidalign.store.exports.tsv",
    "csv": "vidalign.store.exports.csv",
    "jsonl": "vidalign.store.exports.jsonl",
    "parquet": "vidalign.store.exports.parquet",
    "audacity": "vidalign.store.exports.audacity",
    "eaf": "vidalign.store.exports.eaf",
    "textgrid": "vidalign.store.exports.textgrid",
    "label-studio": "vidalign.store.exports.label_studio",
    "htm-aa": "vidalign.store.exports.htm_aa",
    "tan": "vidalign.store.exports.tan",
    "moment-detr": "vidalign.store.exports.moment_detr",
    "2d-tan": "vidalign.store.exports.two_d_tan",
    "mad": "vidalign.store.exports.mad",
    "vslnet": "vidalign.store.exports.vslnet",
    "videoclip": "vidalign.store.exports.videoclip",
    "webdataset": "vidalign.store.exports.webdataset",
    "safetensors": "vidalign.store.exports.safetensors",
}
"""Name -> module that holds its `FORMAT`; imported when it is used."""


def format_names() -> tuple[str, ...]:
    """Built-in names, then those of plugins."""
    return (*BUILT_IN, *(name for name in _plugins() if name not in BUILT_IN))


def get_format(name: str) -> Format:
    """The format of that name; raises UsageError for an unknown one or a plugin that does not load.

    A built-in is not replaced by a plugin of the same name.
    """
    found = import_module(BUILT_IN[name]).FORMAT if name in BUILT_IN else _load(name)
    if not isinstance(found, AlignmentFormat | FeaturesFormat):
        raise UsageError(
            f"the plugin for {name!r} gives a {type(found).__name__}, not a format",
            hint="an AlignmentFormat or FeaturesFormat of vidalign.store.exports.formats is expected",
        )
    return found


def all_formats() -> Iterator[tuple[str, Format]]:
    """Every format under its name."""
    return ((name, get_format(name)) for name in format_names())


def _load(name: str) -> object:
    plugins = _plugins()
    if name not in plugins:
        raise UsageError(f"unknown format {name!r}", hint=did_you_mean(name, format_names()))
    try:
        return plugins[name].load()
    except (ImportError, AttributeError, SyntaxError) as error:
        raise UsageError(
            f"the plugin for {name!r} ({plugins[name].value}) cannot be loaded: {error}",
            hint="install it again, or remove it",
        ) from error


def _plugins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
