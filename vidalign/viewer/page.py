"""An alignment as one HTML file that needs nothing else but the video."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from vidalign._version import __version__
from vidalign.store.jsonfile import dumps
from vidalign.types import Alignment
from vidalign.viewer.payload import Truth, make_payload

GENERATOR = '<meta name="generator" content="vidalign'
"""Stands in every page, so that a page may replace a page and nothing else."""

_POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; "
    "media-src 'self' file: blob:; base-uri 'none'; form-action 'none'"
)
_BLOCK = 3 * 2**14
_PLACE = re.compile(r"\{\{(\w+)\}\}")
_SCRIPTS = {
    "page.html": ("common.js", "matrix.js", "state.js", "list.js", "plot.js", "page.js"),
    "index.html": ("common.js", "index.js"),
}
"""Template -> the plain JavaScript that it carries, in this order."""


@dataclass(frozen=True, slots=True)
class Movie:
    """The video of a page: its URL relative to the page, or its bytes and media type to carry inside."""

    url: str | None = None
    content: bytes | None = None
    kind: str = "video/mp4"


@dataclass(frozen=True, slots=True)
class Entry:
    """One page in an index: `href` relative to the index; the shift in seconds is None without any."""

    name: str
    href: str
    sentences: int
    aligned: int
    median_shift: float | None
    model: str | None


def alignment_page(alignment: Alignment, movie: Movie | None = None, truth: Truth | None = None) -> str:
    """The page of one alignment. `truth` has one entry a sentence; raises DataError where it does not fit."""
    payload = make_payload(alignment, truth)
    values = payload.values | {
        "url": movie.url if movie else None,
        "kind": movie.kind if movie else None,
    }
    blobs: dict[str, bytes] = {}
    if payload.cells is not None:
        blobs["cells"] = zlib.compress(payload.cells.tobytes(), 3)
    if movie is not None and movie.content is not None:
        blobs["movie"] = movie.content
    return _fill("page.html", alignment.video or "alignment", values, blobs)


def index_page(entries: Sequence[Entry], title: str = "alignments") -> str:
    """A page that lists other pages, with a search."""
    return _fill("index.html", title, {"entries": [asdict(entry) for entry in entries]}, {})


def is_page(text: str) -> bool:
    """Whether the beginning of a file is that of a page made here."""
    return GENERATOR in text


def _fill(template: str, title: str, values: Mapping[str, Any], blobs: Mapping[str, bytes]) -> str:
    script = "\n".join(_asset(name) for name in _SCRIPTS[template])
    style = _asset("page.css")
    places = {
        "title": html.escape(title.encode("utf-8", "replace").decode("utf-8")),
        "generator": f'{GENERATOR} {__version__}">',
        "policy": _POLICY.format(script=_sha256(script), style=_sha256(style)),
        "style": style,
        "script": script,
        "data": _inert(dumps(values)),
        "blobs": "\n".join(_blob(name, content) for name, content in blobs.items()),
    }
    return _PLACE.sub(lambda match: places[match[1]], _asset(template))


def _inert(text: str) -> str:
    """JSON that no HTML parser takes for markup."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _blob(name: str, content: bytes) -> str:
    """Bytes as blocks of base64, each small: browsers are slow at reading long ones."""
    parts = (content[start : start + _BLOCK] for start in range(0, len(content), _BLOCK))
    return "\n".join(
        f'<script type="text/plain" data-blob="{name}">{_base64(part)}</script>' for part in parts
    )


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _sha256(text: str) -> str:
    return "sha256-" + _base64(hashlib.sha256(text.encode("utf-8")).digest())


@cache
def _asset(name: str) -> str:
    return (files("vidalign.viewer") / "assets" / name).read_text("utf-8")
