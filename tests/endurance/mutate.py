"""Files broken in the ways that files break: each mutation is decided by its number alone."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

HEAD = 2048
"""Half of all changes fall into so many first bytes, where formats keep their headers."""

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)
WORDS = tuple(
    word.encode()
    for word in (
        *("-1", "0", "1e308", "1e999", "-.inf", ".nan", "NaN", "Infinity", "9" * 40, "9" * 5000, "0x7f"),
        *("null", "true", "~", "[]", "{}", '""', "'", '"', ": ", "- ", "\t", "\n\n", "\r", "\0", "\u2028"),
        *("&a [*a, *a]", "*a", "&a ", "!!python/object:os.system x", "<<: ", "? ", "---\n", "...\n"),
        *(
            "!!bool x",
            "!!int ''",
            "!!timestamp x",
            "!!binary x",
            "!!set {a, a}",
            "!!omap [a]",
            "1_0",
            "1:2:3",
        ),
        *("%YAML 9.9\n", "2026-11-21", "2026-99-99", "12:30:45", "\\ud800", "\\u0000", "\\x1b[2J"),
        *("../" * 8 + "etc/x", "/etc/x", "C:\\x", "~root", "con", "x" * 300, ".", "..", "a/../../b"),
        *("[" * 3000, "{" * 3000, '{"a":' * 3000, "- " * 3000, "<b>" * 3000, "<a " * 500, "&amp;", "-->"),
        *("99999999:00:00.000", "00:00:00,000 --> 00:00:00,000", "-00:00:01.000", "1:2:3:4", "<!--", "&#0;"),
        *("<!DOCTYPE a [<!ENTITY b 'c'>]>", "&b;", "%s%n", "${HOME}", "$(id)", "a\x1b[31m", "\u202e"),
    )
)
"""What careless readers trip over in text."""

FIGURES = tuple(b"0 -0 -1 1 2 3 7 255 65536 2147483648 1e9 1e400 0.5 -0.001 1e-320 .inf nan 1234567".split())
_TOKEN = re.compile(rb"""[^\s:,\[\]{}"'<>=]+""")
_FIGURE = re.compile(rb"-?\d+(?:\.\d+)?")
_LONG = 1 << 16
"""Only so much of a text is searched for words."""

Change = Callable[[bytearray, random.Random], None]


def mutated(data: bytes, seed: str, others: Sequence[bytes] = (), *, text: bool = False) -> bytes:
    """`data` with one to eight changes; `others` are files of its kind, of which pieces may be taken."""
    rng = random.Random(seed)
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3) if text else (1, 1, 1, 2, 3, 5, 8))):
        if others and rng.random() < 0.05:
            _splice(changed, rng, rng.choice(others))
        else:
            rng.choice(_OF_TEXT if text and rng.random() < 0.85 else _OF_BYTES)(changed, rng)
    return bytes(changed)


def _place(data: bytearray, rng: random.Random) -> int:
    end = min(len(data), HEAD) if rng.random() < 0.5 else len(data)
    return rng.randrange(end) if end else 0


def _flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 2, 8))):
        if data:
            data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _number(data: bytearray, rng: random.Random) -> None:
    size = rng.choice((1, 2, 4, 4, 8))
    value = rng.choice((*NUMBERS, rng.getrandbits(64))) % (1 << 8 * size)
    at = _place(data, rng)
    data[at : at + size] = value.to_bytes(size, rng.choice(("big", "little")))


def _cut_off(data: bytearray, rng: random.Random) -> None:
    del data[_place(data, rng) :]


def _cut_out(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    del data[at : at + rng.choice((1, 2, 4, 16, 64, 512))]


def _repeat(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    data[at:at] = data[at : at + rng.choice((1, 4, 16, 64, 512))] * rng.choice((1, 2, 20))


def _move(data: bytearray, rng: random.Random) -> None:
    at, size = _place(data, rng), rng.choice((4, 16, 64, 512))
    piece = data[at : at + size]
    del data[at : at + size]
    to = _place(data, rng)
    data[to:to] = piece


def _blank(data: bytearray, rng: random.Random) -> None:
    at, size = _place(data, rng), rng.choice((1, 4, 16, 64, 512))
    data[at : at + size] = bytes([rng.choice((0, 0xFF, 0x20))]) * len(data[at : at + size])


def _noise(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    data[at:at] = rng.randbytes(rng.choice((1, 3, 8, 40)))


def _splice(data: bytearray, rng: random.Random, other: bytes) -> None:
    at, size = _place(data, rng), rng.choice((8, 64, 512, 4096))
    taken = rng.randrange(len(other)) if other else 0
    data[at : at + rng.choice((0, size))] = other[taken : taken + size]


def _word(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    data[at:at] = rng.choice(WORDS)


def _token(data: bytearray, rng: random.Random) -> None:
    """Put another word in the place of one."""
    _replace(data, rng, _TOKEN, rng.choice(WORDS))


def _swap(data: bytearray, rng: random.Random) -> None:
    """Put one of the text's own words in the place of another."""
    own = _TOKEN.findall(data[:_LONG])
    _replace(data, rng, _TOKEN, rng.choice(own) if own else b"")


def _figure(data: bytearray, rng: random.Random) -> None:
    """Put an odd number in the place of one."""
    _replace(data, rng, _FIGURE, rng.choice(FIGURES))


def _replace(data: bytearray, rng: random.Random, what: re.Pattern[bytes], new: bytes) -> None:
    found = list(what.finditer(data[:_LONG]))
    if found:
        chosen = rng.choice(found)
        data[chosen.start() : chosen.end()] = new


def _line(data: bytearray, rng: random.Random) -> None:
    """Double, drop, indent or move a line."""
    lines = bytes(data).split(b"\n")
    at = rng.randrange(len(lines))
    line = lines.pop(at)
    how = rng.randrange(4)
    if how == 0:
        lines[at:at] = [line] * rng.choice((2, 50))
    elif how == 1:
        lines.insert(at, rng.choice((b"  ", b"\t", b"- ", b"    ")) + line)
    elif how == 2:
        lines.insert(rng.randrange(len(lines) + 1), line)
    data[:] = b"\n".join(lines)


_OF_BYTES: tuple[Change, ...] = (
    _flip,
    _flip,
    _number,
    _number,
    _cut_off,
    _cut_out,
    _repeat,
    _move,
    _blank,
    _noise,
)
_OF_TEXT: tuple[Change, ...] = (_word, _token, _token, _swap, _swap, _figure, _figure, _line)
