"""What a process and its child say to each other: JSON values with numpy arrays anywhere in them.

Nothing is pickled: a child may have been taken over by the file that it reads.
"""

from __future__ import annotations

import json
import math
import socket
import struct
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from vidalign.errors import VidalignError, rebuild

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HEADER = struct.Struct("<BQQ")
"""Kind, bytes of JSON, bytes of arrays."""

MOST_BYTES = 2**31
"""A longer message is not believed."""

_ALIGNED = 16
_ARRAY = "__array__"
_NUMBERS = "biuf"


class Kind(IntEnum):
    """What a message is: `REQUEST` goes to the child, all others come from it."""

    REQUEST = 0
    READY = 1
    ANSWER = 2
    BEAT = 3
    END = 4
    ERROR = 5
    FAULT = 6
    LOG = 7


class Message(NamedTuple):
    """One message."""

    kind: Kind
    value: Any


class NonsenseError(Exception):
    """What came is no message."""


Receive = Callable[[memoryview], bool]
"""Fills a buffer; False where the other side is gone."""


def send(line: socket.socket, kind: Kind, value: Any = None) -> None:
    """Send one message; raises ConnectionError where the other side is gone."""
    parts: list[NDArray[Any]] = []
    size = 0

    def told(held: Any) -> Any:
        nonlocal size
        import numpy as np

        if not isinstance(held, np.ndarray | np.generic) or held.dtype.kind not in _NUMBERS:
            raise TypeError(f"a {type(held).__name__} cannot be sent")
        array = np.ascontiguousarray(held)
        place, size = size, size + array.nbytes + _padding(array.nbytes)
        parts.append(array)
        return {_ARRAY: [place, array.dtype.str, list(np.shape(held))]}

    text = json.dumps(value, default=told).encode()
    line.sendall(_HEADER.pack(kind, len(text), size) + text)
    for part in parts:
        line.sendall(part.reshape(-1).view("uint8").data)
        line.sendall(bytes(_padding(part.nbytes)))


def receive(fill: Receive) -> Message | None:
    """The next message, None where the other side is gone; raises NonsenseError."""
    header = bytearray(_HEADER.size)
    if not fill(memoryview(header)):
        return None
    kind, text_size, size = _HEADER.unpack(header)
    if kind not in tuple(Kind) or text_size + size > MOST_BYTES:
        raise NonsenseError
    text = bytearray(text_size)
    if not fill(memoryview(text)):
        return None
    arrays = memoryview(b"")
    if size:
        import numpy as np

        arrays = np.empty(size, np.uint8).data
        if not fill(arrays):
            return None
    try:
        return Message(Kind(kind), json.loads(text, object_hook=lambda held: _array_of(held, arrays)))
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise NonsenseError from None


def exactly(line: socket.socket, buffer: memoryview) -> bool:
    """Fill `buffer` from a blocking socket; see `Receive`."""
    filled = 0
    while filled < len(buffer):
        count = line.recv_into(buffer[filled:], len(buffer) - filled, socket.MSG_WAITALL)
        if not count:
            return False
        filled += count
    return True


def error_told(error: VidalignError) -> dict[str, Any]:
    """What `error_of` makes the error of again."""
    return {"kind": error.kind, "state": {key: _plain(value) for key, value in vars(error).items()}}


def error_of(told: Any) -> VidalignError:
    """An error that came from the child, of a class that is known here; raises NonsenseError."""
    try:
        name, state = told["kind"], dict(told["state"])
    except (TypeError, KeyError, ValueError):
        raise NonsenseError from None
    if not isinstance(state.get("message"), str) or not isinstance(state.get("hint"), str):
        raise NonsenseError
    known = {kind.__name__: kind for kind in _kinds(VidalignError)}
    return rebuild(known.get(name, VidalignError), {key: _plain(value) for key, value in state.items()})


def _kinds(kind: type[VidalignError]) -> list[type[VidalignError]]:
    return [kind, *(below for each in kind.__subclasses__() for below in _kinds(each))]


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _padding(size: int) -> int:
    return -size % _ALIGNED


def _array_of(held: dict[str, Any], arrays: memoryview) -> Any:
    """The array for which `held` stands, or `held` itself; raises ValueError or TypeError."""
    if _ARRAY not in held:
        return held
    import numpy as np

    place, kind, shape = held[_ARRAY]
    dtype = np.dtype(kind)
    if dtype.kind not in _NUMBERS or any(side < 0 for side in shape) or place < 0:
        raise ValueError("no array of numbers")
    count = math.prod(shape)
    if count == 0:
        return np.empty(shape, dtype)
    return np.frombuffer(arrays, dtype, count, place).reshape(shape)
