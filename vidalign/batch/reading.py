"""A video is read, here or in another process: what is asked, what is answered, what is made of it again."""

from __future__ import annotations

import errno
import json
import logging
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from vidalign.errors import VidalignError, VideoError
from vidalign.types import Recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vidalign.video.clips import Clip
    from vidalign.video.protocol import VideoReader

log = logging.getLogger(__name__)

Messages = Generator[Any, None, None]
Beat = Callable[[], None]


def request_for(video: Path, reader: str, recipes: Sequence[Recipe], threads: int) -> dict[str, Any]:
    """What `read` is asked; `threads` decode, 0: as many as the machine has cores."""
    told = [json.loads(recipe.to_json()) for recipe in recipes]
    return {"video": str(video), "reader": reader, "recipes": told, "threads": threads}


def read(request: dict[str, Any], beat: Beat) -> Iterator[dict[str, Any]]:
    """First what the video is, then its clips by each recipe in turn, last how it ended.

    Overlapping clips share pictures: each is sent once and then named by its number. Raises VideoError where
    there is nothing to read, or the file changed meanwhile.
    """
    from vidalign.video.open import open_video

    video = Path(request["video"])
    recipes = [Recipe.from_mapping(values) for values in request["recipes"]]
    before = _stamp(video)
    with open_video(video, request["reader"], threads=request["threads"]) as reader:
        info = reader.info
        log.info("%s: read with %s (%s)", video, info.reader, info.reason)
        try:
            misfits = [_misfit(reader, recipe) for recipe in recipes]
            yield {
                "size": before[0],
                "reader": info.reader,
                "duration": info.duration,
                "video_start": info.video_start,
                "misfits": [None if error is None else [error.message, error.hint] for error in misfits],
            }
            fitting = [number for number, error in enumerate(misfits) if error is None]
            yield from _clips(reader, recipes, fitting, beat)
            if _stamp(video) != before:
                raise VideoError(
                    f"{video} changed while it was read", hint="try again later", errno=errno.ESTALE
                )
        except VidalignError as error:
            error.reader = info.reader
            raise
        yield {"truncated": reader.truncated, "decoded_until": reader.decoded_until}


@dataclass(slots=True)
class Reading:
    """What is known of a video that is being read: bytes, reader, seconds; `misfits`: what recipes it lacks
    the size for. The last two are valid at the end.
    """

    size: int = 0
    reader: str | None = None
    duration: float | None = None
    video_start: float = 0.0
    misfits: list[VideoError | None] = field(default_factory=list)
    truncated: bool = False
    decoded_until: float | None = None

    def clips(self, answer: Messages, recipes: int) -> Iterator[Cut]:
        """The clips, by so many recipes, in the messages of `read`.

        Raises VideoError where one makes no sense: the process that tells may be in the hands of the file.
        """
        pictures: dict[int, Pictures] = {}
        for message in answer:
            if "recipe" in message:
                number = message["recipe"]
                cut = pictures.setdefault(number, Pictures()).cut(message)
                if not _makes_sense(cut, recipes):
                    raise _nonsense()
                yield cut
            elif "misfits" in message:
                told = message["misfits"]
                self.misfits = [
                    VideoError(str(each[0]), hint=str(each[1])) if each else None for each in told
                ]
                self.size, self.reader = message["size"], message["reader"]
                self.duration, self.video_start = message["duration"], message["video_start"]
                if not isinstance(self.duration, float | int | None):
                    raise _nonsense()
            else:
                self.truncated, self.decoded_until = message["truncated"], message["decoded_until"]


class Cut(NamedTuple):
    """A clip by recipe number `recipe`; its pictures that no clip before held have `weight` bytes."""

    recipe: int
    clip: Clip
    weight: int


class Numbers:
    """Gives the pictures of one recipe numbers, those of the last clip known by the objects they are."""

    def __init__(self) -> None:
        self._next = 0
        self._held: dict[int, tuple[int, NDArray[Any]]] = {}

    def told(self, clip: Clip) -> dict[str, Any]:
        """A clip as a message."""
        first, new = self._next, []
        held: dict[int, tuple[int, NDArray[Any]]] = {}
        for picture in (picture for view in clip.frames for picture in view):
            key = id(picture)
            if key not in held and key in self._held:
                held[key] = self._held[key]
            elif key not in held:
                held[key] = (self._next, picture)
                self._next += 1
                new.append(picture)
        self._held = held
        views = [[held[id(picture)][0] for picture in view] for view in clip.frames]
        return {"first": first, "new": new, "views": views, "times": [float(clip.start), float(clip.end)]}


class Pictures:
    """Makes clips of one recipe's messages again."""

    def __init__(self) -> None:
        self._held: dict[int, NDArray[Any]] = {}

    def cut(self, message: dict[str, Any]) -> Cut:
        """The clip of a message."""
        from vidalign.video.clips import Clip

        new = {message["first"] + place: picture for place, picture in enumerate(message["new"])}
        known = self._held | new
        views, (start, end) = message["views"], message["times"]
        self._held = {number: known[number] for view in views for number in view}
        frames = tuple(tuple(known[number] for number in view) for view in views)
        weight = sum(picture.nbytes for picture in new.values())
        return Cut(message["recipe"], Clip(frames, start, end), weight)


def _clips(
    reader: VideoReader, recipes: Sequence[Recipe], fitting: Sequence[int], beat: Beat
) -> Iterator[dict[str, Any]]:
    from vidalign.video.clips import cut_many

    if not fitting:
        return
    numbers = [Numbers() for _ in fitting]
    for place, clip in cut_many(reader, [recipes[number] for number in fitting], beat):
        yield {"recipe": fitting[place], **numbers[place].told(clip)}


def _makes_sense(cut: Cut, recipes: int) -> bool:
    """Whether the networks can be given a clip."""
    clip = cut.clip
    return (
        type(cut.recipe) is int
        and 0 <= cut.recipe < recipes
        and bool(clip.frames and all(clip.frames))
        and all(picture.ndim == 3 for view in clip.frames for picture in view)
        and all(isinstance(time, float) and math.isfinite(time) for time in (clip.start, clip.end))
    )


def _nonsense() -> VideoError:
    return VideoError("the process that reads it told nonsense")


def _misfit(reader: VideoReader, recipe: Recipe) -> VideoError | None:
    from vidalign.video.framing import check_fits

    try:
        check_fits(reader.info, recipe)
    except VideoError as error:
        return error
    return None


def _stamp(video: Path) -> tuple[int, int]:
    """Bytes, and when they were last changed; zeros where there is no such file."""
    try:
        found = video.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns
