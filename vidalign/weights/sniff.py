"""What a file is, told from its first bytes and never from its name."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Literal

from vidalign.errors import ModelError

Kind = Literal["checkpoint", "safetensors", "npy", "text", "json"]

_HEAD = 4096
_LARGEST_HEADER = 100_000_000  # of a safetensors file, in bytes, as the format's own library has it


def sniff(path: Path) -> Kind:
    """The kind of a model file; raises ModelError saying what it is when it is none."""
    if path.exists() and not path.is_file():
        raise ModelError(f"{path}: not a plain file")
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
        size = path.stat().st_size
    except FileNotFoundError:
        raise ModelError(f"{path} does not exist", hint="check the name") from None
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}") from None
    if not head:
        raise ModelError(f"{path}: empty file", hint="fetch or copy it again")
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if head.startswith(b"PK"):
        return _archive(path)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= min(size, _LARGEST_HEADER):
        return "safetensors"
    if head[0] == 0x80 and len(head) > 1 and head[1] <= 5:
        return "checkpoint"
    if _is_text(head):
        return _text(path, head)
    raise ModelError(f"{path}: not a checkpoint, safetensors, .npy, JSON or text file")


def _archive(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        raise ModelError(
            f"{path}: a damaged zip file, perhaps cut off", hint="fetch or copy it again"
        ) from None
    if any(name.endswith("/data.pkl") for name in names):
        return "checkpoint"
    held = ", ".join(names[:3]) or "nothing"
    raise ModelError(f"{path}: a zip file, but not a checkpoint; it holds {held}", hint="unpack it first")


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        text = head[: error.start].decode("utf-8") if error.start > len(head) - 4 else ""
    return bool(text) and "\0" not in text


def _text(path: Path, head: bytes) -> Kind:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:15].lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise ModelError(
            f"{path}: a web page, not a model file", hint="the link it came from is dead or wants a login"
        )
    if head.startswith(b"version https://git-lfs"):
        raise ModelError(f"{path}: a Git LFS pointer, not the file itself", hint="run `git lfs pull`")
    return "json" if start.startswith(b"{") else "text"
