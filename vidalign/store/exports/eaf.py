"""ELAN annotation files (.eaf, format 3.0): tiers original, aligned and alignability of one video.

https://www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import count
from pathlib import Path, PurePath
from urllib.parse import quote
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from vidalign._version import __version__
from vidalign.store.exports.formats import AlignmentFormat, Options
from vidalign.store.exports.tiers import Tier, tiers
from vidalign.store.exports.values import media_of, one_text_each, printable
from vidalign.types import Alignment

_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_CONSTRAINTS = {
    "Time_Subdivision": "Time subdivision of parent annotation's time interval, no time gaps allowed within "
    "this interval",
    "Symbolic_Subdivision": "Symbolic subdivision of a parent annotation. Annotations refering to the same "
    "parent are ordered",
    "Symbolic_Association": "1-1 association with a parent annotation",
    "Included_In": "Time alignable annotations within the parent annotation's time interval, gaps are "
    "allowed",
}
_MIMES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg",
    ".avi": "video/x-msvideo",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
}
_ALWAYS_THE_SAME = "1970-01-01T00:00:00+00:00"


def render(alignment: Alignment, options: Options) -> str:
    """The document; equal alignments give equal text."""
    root = Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": f"vidalign {__version__}",
            "DATE": _ALWAYS_THE_SAME,
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": _XSI,
            "xsi:noNamespaceSchemaLocation": _SCHEMA,
        },
    )
    _header(root, media_of("", alignment, options))
    found = tiers(alignment)
    slots = _time_order(root, found)
    _tiers(root, found, slots)
    for name, constraint in (("text", ""), ("score", "Symbolic_Association")):
        _linguistic_type(root, name, constraint)
    for stereotype, description in _CONSTRAINTS.items():
        SubElement(root, "CONSTRAINT", STEREOTYPE=stereotype, DESCRIPTION=description)
    ElementTree.indent(root, " ")
    text = io.StringIO()
    ElementTree.ElementTree(root).write(text, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text.getvalue()}\n'


def _header(root: Element, video: str) -> None:
    """Names the video: where it is, and beside the annotation file, where ELAN looks too."""
    header = SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    if not video:
        return
    path = PurePath(printable(video))
    beside = f"./{quote(path.name)}"
    SubElement(
        header,
        "MEDIA_DESCRIPTOR",
        MEDIA_URL=_address(printable(video)) or beside,
        MIME_TYPE=_MIMES.get(path.suffix.lower(), "unknown"),
        RELATIVE_MEDIA_URL=beside,
    )


def _address(video: str) -> str:
    """Where the video is; "" where only its name is known."""
    if "://" in video:
        return video
    return Path(video).absolute().as_uri() if PurePath(video).name != video else ""


def _time_order(root: Element, found: Sequence[Tier]) -> dict[tuple[str, int, int], str]:
    """A slot for either end of every mark that has no parent: (tier, mark, end) -> id, in order of time."""
    order = SubElement(root, "TIME_ORDER")
    ends = [
        (time, (tier.name, number, end))
        for tier in found
        if not tier.parent
        for number, mark in enumerate(tier.marks)
        for end, time in enumerate((mark.start, mark.end))
    ]
    slots = {}
    for place, (time, key) in enumerate(sorted(ends, key=lambda slot: slot[0]), start=1):
        slots[key] = f"ts{place}"
        SubElement(order, "TIME_SLOT", TIME_SLOT_ID=f"ts{place}", TIME_VALUE=str(time))
    return slots


def _tiers(root: Element, found: Sequence[Tier], slots: dict[tuple[str, int, int], str]) -> None:
    numbers = count(1)
    ids: dict[tuple[str, int], str] = {}
    for tier in found:
        node = SubElement(root, "TIER", LINGUISTIC_TYPE_REF=tier.kind, TIER_ID=tier.name)
        if tier.parent:
            node.set("PARENT_REF", tier.parent)
        for number, mark in enumerate(tier.marks):
            name = ids[tier.name, number] = f"a{next(numbers)}"
            outer = SubElement(node, "ANNOTATION")
            if tier.parent:
                reference = ids[tier.parent, number]
                inner = SubElement(outer, "REF_ANNOTATION", ANNOTATION_ID=name, ANNOTATION_REF=reference)
            else:
                first, last = slots[tier.name, number, 0], slots[tier.name, number, 1]
                inner = SubElement(
                    outer,
                    "ALIGNABLE_ANNOTATION",
                    ANNOTATION_ID=name,
                    TIME_SLOT_REF1=first,
                    TIME_SLOT_REF2=last,
                )
            SubElement(inner, "ANNOTATION_VALUE").text = mark.text


def _linguistic_type(root: Element, name: str, constraint: str) -> None:
    node = SubElement(
        root,
        "LINGUISTIC_TYPE",
        GRAPHIC_REFERENCES="false",
        LINGUISTIC_TYPE_ID=name,
        TIME_ALIGNABLE="false" if constraint else "true",
    )
    if constraint:
        node.set("CONSTRAINTS", constraint)


FORMAT = AlignmentFormat(
    summary="ELAN annotation file, tiers original, aligned, alignability",
    suffix=".eaf",
    write=one_text_each(render),
    takes=frozenset({"media"}),
)
