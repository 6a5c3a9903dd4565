"""Texts and arrays of strangers: whatever is wrong with them is one error."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest

from vidalign.outside import MOST_VALUES, UnreadableError, compose_yaml, load_json, load_yaml, reading_arrays

LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
TAGS = ("!!bool x", "!!int ''", "!!timestamp x", "2026-99-99", "!!float x", "!!omap [a]", "9" * 5000)


def test_what_is_right_is_read() -> None:
    assert load_yaml("a: &a [1, 2]\nb: *a\n") == {"a": [1, 2], "b": [1, 2]}
    assert load_yaml("") is None
    assert load_json(b'{"a": [1]}') == {"a": [1]}
    node = compose_yaml("a: 1\nb: 2\n")
    assert node is not None
    assert node.value[1][0].start_mark.line == 1


@pytest.mark.parametrize("text", ["a: [", "a: 1\nb\n", "- " * 3000, "&a [*a]", *TAGS, b"a: \xff", "\0"])
def test_yaml_is_refused_in_one_line(text: str | bytes) -> None:
    with pytest.raises(UnreadableError, match="not valid YAML: ") as caught:
        load_yaml(text)
    assert "\n" not in str(caught.value)


def test_a_fault_of_yaml_is_found_in_its_line() -> None:
    with pytest.raises(UnreadableError) as caught:
        load_yaml("a: 1\nb: [2\n")
    assert caught.value.line == 3


def test_small_yaml_does_not_grow_large() -> None:
    with pytest.raises(UnreadableError, match=f"{MOST_VALUES:,} values"):
        load_yaml(LAUGHS)
    with pytest.raises(UnreadableError, match=f"{MOST_VALUES:,} values"):
        compose_yaml(LAUGHS)


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "9" * 5000, b"\xff", ""])
def test_json_is_refused_in_one_line(text: str | bytes) -> None:
    with pytest.raises(UnreadableError, match="not JSON: ") as caught:
        load_json(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (3,",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (70368744177664,)}",
        b"{'descr': 'O', 'fortran_order': False, 'shape': (1,)}",
        b"\xff",
    ],
    ids=["open", "huge", "objects", "no text"],
)
def test_an_array_is_refused(header: bytes) -> None:
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with pytest.raises(UnreadableError), reading_arrays():
        np.load(BytesIO(data), allow_pickle=False)


def test_an_archive_with_a_password_is_refused() -> None:
    held = BytesIO()
    np.savez(held, features=np.zeros(3))
    data = bytearray(held.getvalue())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + flags] |= 1
    with pytest.raises(UnreadableError, match="encrypted"), reading_arrays():
        np.load(BytesIO(bytes(data)))["features"]
