"""What a format of another tool is: a name, a suffix, a function that writes, for features one that reads.

A plugin makes one of the two classes below and names it in its `pyproject.toml`:

    [project.entry-points."vidalign.exports"]
    chapters = "vidalign_chapters:FORMAT"
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vidalign.types import Alignment, Features

Kind = Literal["alignment", "features"]
Unaligned = Literal["keep", "drop", "mark"]
Dtype = Literal["float16", "float32"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user may choose; a format says in `takes` which of these it heeds.

    `frame_rate` serves formats that count frames. `media` is the path or address of the video. `unaligned`
    says what becomes of cues that are not aligned. `dtype` of the features, None: what the format wants.
    """

    frame_rate: float = 24.0
    media: str | None = None
    unaligned: Unaligned = "keep"
    dtype: Dtype | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignmentFormat:
    """A format for alignments.

    `write` gets the path of a new file (not the final one: it is renamed when all is well), pairs of name and
    alignment, and the options. The name is that of the alignment file without suffix, below its folder. With
    `gathers` all pairs go into one file, else there is one pair a file. It raises VidalignError.
    """

    summary: str
    suffix: str
    write: Callable[[Path, Iterable[tuple[str, Alignment]], Options], None]
    gathers: bool = False
    takes: frozenset[str] = frozenset()
    kind: Kind = field(default="alignment", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Features as another tool kept them: `values` (T, D) and, where it kept them, `times` (T, 2) in seconds.

    `video` is the file name of the video, None where it is not known.
    """

    values: NDArray[np.floating]
    times: NDArray[np.float64] | None = None
    video: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturesFormat:
    """A layout for features; `write` and `gathers` as for alignments.

    `row_seconds` is how many seconds apart the tool takes rows to be, None where it is told; without `dots`
    it loses what follows a dot in a name. `read(path, name, key)` gives the rows of every video in a file:
    `name` is the file's own, for those that hold one video, and `key` picks an array where there are several.
    `reads` are the suffixes of such files. Without `read` nothing can be imported.
    """

    summary: str
    suffix: str
    write: Callable[[Path, Iterable[tuple[str, Features]], Options], None]
    gathers: bool = False
    takes: frozenset[str] = frozenset({"dtype"})
    row_seconds: float | None = None
    dots: bool = True
    read: Callable[[Path, str, str | None], Iterator[tuple[str, Rows]]] | None = None
    reads: tuple[str, ...] = ()
    kind: Kind = field(default="features", init=False)


Format = AlignmentFormat | FeaturesFormat
Formats = Mapping[str, Format]
