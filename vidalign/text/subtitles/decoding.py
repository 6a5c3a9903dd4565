"""Bytes to text: which encoding a subtitle file is in, and what is not text at all."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable

from charset_normalizer import from_bytes

from vidalign.text.subtitles.model import Notes

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CANDIDATES = [
    "cp1252",
    "cp1250",
    "cp1251",
    "cp1253",
    "cp1254",
    "cp1255",
    "cp1256",
    "koi8_r",
    "cp932",
    "euc_jp",
    "gb18030",
    "big5",
    "cp949",
]
_SAMPLE = 1 << 16
_WESTERN = frozenset(map(chr, range(128))) | frozenset(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜàáâãäåæçèéêëìíîïñòóôõöøùúûüÿßŒœŸ¡¿«»‹›‘’‚“”„–—…•°ºª€£§©®·\xa0"
)

_MAGIC: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("a video (MP4 or MOV)", lambda head: head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free")),
    ("a video (Matroska or WebM)", lambda head: head.startswith(b"\x1a\x45\xdf\xa3")),
    ("a video (AVI)", lambda head: head.startswith(b"RIFF") and head[8:12] == b"AVI "),
    ("a video (Flash)", lambda head: head.startswith(b"FLV\x01")),
    ("a video (MPEG)", lambda head: head[:4] in (b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")),
    ("a video (MPEG-TS)", lambda head: len(head) > 376 and head[0] == head[188] == head[376] == 0x47),
    ("a video (Windows Media)", lambda head: head.startswith(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11")),
    ("a picture", lambda head: head.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8"))),
    ("an HDF5 file", lambda head: head.startswith(b"\x89HDF")),
    ("a gzip archive", lambda head: head.startswith(b"\x1f\x8b")),
    ("a zip archive", lambda head: head.startswith(b"PK\x03\x04")),
)


def decode(data: bytes, notes: Notes, encoding: str | None = None) -> tuple[str, str]:
    """The text, newlines as LF and without byte order mark, and the encoding taken.

    Order: byte order mark, UTF-8, `encoding`, detection, cp1252; all but UTF-8 are noted. Raises
    SubtitleError on what is empty or not text.
    """
    if not data.strip(b" \t\r\n\x00\xef\xbb\xbf\xff\xfe"):
        raise notes.error("the file is empty", hint="give a subtitle file with at least one cue")
    refuse_binary(data[:512], notes)
    text, taken = _decode(data, notes, encoding)
    if taken not in ("utf-8", "utf-8-sig"):
        notes.add(f"read as {taken}, not UTF-8")
    if "\x00" in text:
        raise notes.error(
            "this is not a text file", hint="give a .vtt, .srt or another subtitle file, or its --encoding"
        )
    return text.replace("\r\n", "\n").replace("\r", "\n"), taken


def refuse_binary(head: bytes, notes: Notes) -> None:
    """Raises SubtitleError where the first 512 bytes of a file are those of a video or the like."""
    for name, matches in _MAGIC:
        if matches(head):
            hint = "give a subtitle file"
            if "video" in name:
                hint += ", or track:N for a text track inside a video"
            raise notes.error(f"this is {name}, not a subtitle file", hint=hint)


def _decode(data: bytes, notes: Notes, encoding: str | None) -> tuple[str, str]:
    for bom, name in _BOMS:
        if data.startswith(bom):
            return _strict(data, name, notes), name
    wide = _utf16_without_bom(data)
    if wide:
        return _strict(data, wide, notes), wide
    if encoding is None or not data.isascii():
        try:
            return data.decode("utf-8"), "utf-8"
        except UnicodeDecodeError:
            pass
    encoding = encoding or _declared(data)
    if encoding is not None:
        return _strict(data, encoding, notes), encoding
    return _guess(data)


def _strict(data: bytes, encoding: str, notes: Notes) -> str:
    try:
        return data.decode(encoding)
    except LookupError:
        raise notes.error(
            f"there is no encoding called {encoding!r}", hint="for example --encoding cp1252"
        ) from None
    except UnicodeError as error:
        line = data[: getattr(error, "start", 0)].count(b"\n") + 1
        raise notes.error(
            f"cannot be read as {encoding}", line, hint="give another --encoding, or none to have it detected"
        ) from None


def _declared(data: bytes) -> str | None:
    """The encoding that an XML declaration names."""
    match = re.match(rb"\s*<\?xml[^>]*?encoding=[\"']([A-Za-z0-9._-]+)[\"']", data)
    return match[1].decode("ascii") if match and match[1].lower() != b"utf-8" else None


def _utf16_without_bom(data: bytes) -> str | None:
    sample = data[: _SAMPLE & ~1]
    pairs = len(sample) // 2
    if pairs < 4 or b"\x00" not in sample:
        return None
    even, odd = sample[0::2].count(0) / pairs, sample[1::2].count(0) / pairs
    if odd > 0.4 and even < 0.05:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 and odd < 0.05 else None


def _guess(data: bytes) -> tuple[str, str]:
    """Detection, which takes short Western texts for Central European ones: letters decide between them."""
    best = from_bytes(data, cp_isolation=_CANDIDATES).best()
    found = best.encoding if best else "cp1252"
    if found in ("cp1250", "cp1254") and set(data.decode("cp1252", "replace")) <= _WESTERN:
        found = "cp1252"
    for name in (found, "cp1252"):
        try:
            return data.decode(name), name
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1"), "latin-1"
