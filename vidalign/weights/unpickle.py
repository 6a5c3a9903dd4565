"""Checkpoints of third parties, read without running anything they name.

Only `torch.load(weights_only=True)` opens them; the classes that published checkpoints mention beside tensors
are either harmless (argparse.Namespace, numpy scalars and arrays) or replaced by inert stand-ins.
"""

from __future__ import annotations

import argparse
import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core import multiarray
from safetensors import SafetensorError
from torch.serialization import safe_globals

from vidalign.errors import ModelError

SafeGlobal = Callable[..., Any] | tuple[Callable[..., Any], str]

_BROKEN = (
    pickle.UnpicklingError,
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    MemoryError,
    OverflowError,
    struct.error,
    zipfile.BadZipFile,
    SafetensorError,
)
"""What torch raises about such files; of one that is named .safetensors what its library does."""
_NAMED = re.compile(r"(?:Unsupported global: GLOBAL|unsupported GLOBAL) (?P<name>[\w.]+)")
_PLACE = re.compile(r"^\[enforce fail at [^\]]*\][ .]*")


def load_checkpoint(path: Path, pickle_globals: Iterable[str] = ()) -> Any:
    """The nested Python object of a checkpoint (zip or legacy format), tensors on the CPU.

    `pickle_globals` are full class names ("omegaconf.nodes.AnyNode") to be replaced by inert stand-ins.
    Raises ModelError naming the first global that is not allowed, or saying what is wrong with the file.
    """
    allowed = [*_harmless(), *(_stand_in(name) for name in pickle_globals)]
    try:
        with safe_globals(allowed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except _BROKEN as error:
        raise _refusal(path, error) from None


def _harmless() -> list[SafeGlobal]:
    numpy_functions = {"scalar": multiarray.scalar, "_reconstruct": multiarray._reconstruct}
    renamed: list[SafeGlobal] = [
        (function, f"{module}.multiarray.{name}")
        for module in ("numpy.core", "numpy._core")
        for name, function in numpy_functions.items()
    ]
    kinds = {type(np.dtype(code)) for code in "?bhilqBHILQefdFD"} | {np.dtypes.StrDType, np.dtypes.BytesDType}
    return [argparse.Namespace, np.ndarray, np.dtype, *renamed, *kinds]


def _stand_in(name: str) -> SafeGlobal:
    """A class that keeps whatever it is given and does nothing, bound to a global's name."""

    def build(cls: type, *_: object, **__: object) -> Any:
        return object.__new__(cls)

    def set_state(self: Any, state: object) -> None:
        self.__dict__["state"] = state

    members = {"__new__": build, "__init__": lambda *_, **__: None, "__setstate__": set_state}
    return type(name.rpartition(".")[2], (), members), name


def _refusal(path: Path, error: BaseException) -> ModelError:
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        return ModelError(f"{path}: {error.strerror}")
    text = str(error)
    found = _NAMED.search(text)
    if found:
        name = found["name"] if "." in found["name"] else f"builtins.{found['name']}"
        return ModelError(
            f"{path}: refused: it names {name}, which is not a class known to be safe; nothing was run",
            hint="where you trust the file, save its state_dict alone, or as safetensors",
        )
    if "TorchScript" in text:
        return ModelError(
            f"{path}: a TorchScript archive is a program, not a checkpoint; it is not opened",
            hint="where you trust the file, save its state_dict as a checkpoint",
        )
    return ModelError(
        f"{path}: broken, or not a checkpoint{_reason(text, error)}", hint="fetch or copy it again"
    )


def _reason(text: str, error: BaseException) -> str:
    """The cause inside torch's long messages, ready to be appended; empty where it says nothing."""
    inner = _PLACE.sub("", text.rpartition("WeightsUnpickler error:")[2].strip())
    if isinstance(error, LookupError) or not inner:
        return ""
    if inner.startswith("Unsupported operand"):
        return ": damaged, or pickled with another protocol than 2"
    return f": {inner.splitlines()[0].partition('. ')[0][:160]}"
