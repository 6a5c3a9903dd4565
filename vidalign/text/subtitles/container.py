"""Text tracks inside a video file, through PyAV."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av

from vidalign.errors import SubtitleError
from vidalign.text.subtitles import Rolling, finish
from vidalign.text.subtitles.markup import plain, word_stamps
from vidalign.text.subtitles.model import Notes, Parsed
from vidalign.types import Cue

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.subtitles.stream import SubtitleStream

    from vidalign.text.subtitles.model import SubtitleFile

_FORMATS = {
    "subrip": "srt",
    "webvtt": "vtt",
    "ass": "ass",
    "mov_text": "plain",
    "text": "plain",
}
_PICTURES = frozenset({"hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle", "xsub", "dvb_teletext"})
_ASS_FIELDS_BEFORE_TEXT = 8


@dataclass(frozen=True, slots=True)
class TextTrack:
    """A subtitle track: `number` counts the subtitle tracks of a file from 1, as `track:N` does."""

    number: int
    codec: str
    language: str
    title: str

    @property
    def is_text(self) -> bool:
        """Whether its cues are text that can be read."""
        return self.codec in _FORMATS

    def __str__(self) -> str:
        kind = "" if self.is_text else ", pictures" if self.codec in _PICTURES else ", cannot be read"
        about = " ".join(part for part in (self.language, self.title) if part)
        return f"track:{self.number} ({self.codec}{kind}{f'; {about}' if about else ''})"


def text_tracks(path: str | Path) -> list[TextTrack]:
    """All subtitle tracks of a video file, those of pictures too. Raises SubtitleError."""
    with _opened(path) as container:
        return _tracks(container)


def only_text_track(path: str | Path) -> int | None:
    """The number of the one text track of a video file, None where it has none.

    Raises SubtitleError that lists them where it has several.
    """
    tracks = text_tracks(path)
    readable = [track for track in tracks if track.is_text]
    if len(readable) > 1:
        names = ", ".join(str(track) for track in tracks)
        raise SubtitleError(
            f"holds several text tracks: {names}",
            path=str(path),
            hint=f"name one, for example track:{readable[0].number}",
        )
    return readable[0].number if readable else None


def read_text_track(
    path: str | Path, number: int, *, rolling: Rolling = "auto", beat: Callable[[], None] = lambda: None
) -> SubtitleFile:
    """Track `number` of a video file; times count from second 0. Raises SubtitleError.

    `beat` is called now and then meanwhile.
    """
    notes = Notes(path=str(path))
    with _opened(path) as container:
        tracks = _tracks(container)
        _check(tracks, number, notes)
        stream = container.streams.subtitles[number - 1]
        format = _FORMATS[tracks[number - 1].codec]
        start = Fraction(max(container.start_time or 0, 0), av.time_base)
        cues = []
        for packet in container.demux(stream):
            beat()
            cue = _cue(packet, tracks[number - 1].codec, format, start)
            if cue is not None:
                cues.append(cue)
    if not cues:
        raise notes.error(f"track:{number} holds no cues")
    return finish(Parsed(cues), format, "utf-8", notes, rolling)


def _check(tracks: list[TextTrack], number: int, notes: Notes) -> None:
    names = ", ".join(str(track) for track in tracks)
    if not 1 <= number <= len(tracks):
        has = f"its subtitle tracks: {names}" if tracks else "it has no subtitle track"
        raise notes.error(f"there is no track:{number}; {has}")
    if not tracks[number - 1].is_text:
        raise notes.error(f"{tracks[number - 1]} is not text", hint=f"its subtitle tracks: {names}")


@contextmanager
def _opened(path: str | Path) -> Iterator[InputContainer]:
    """The container; nothing but a plain local file is ever opened."""
    if not Path(path).is_file():
        raise SubtitleError("there is no such file", path=str(path))
    local = {"protocol_whitelist": "file"}
    try:
        with av.open(f"file:{path}", metadata_errors="replace", options=local) as container:
            yield container
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SubtitleError(f"its tracks cannot be read: {reason}", path=str(path)) from None


def _tracks(container: InputContainer) -> list[TextTrack]:
    return [
        TextTrack(
            number=number,
            codec=stream.codec_context.codec.canonical_name if stream.codec_context else "unknown",
            language=stream.metadata.get("language", ""),
            title=stream.metadata.get("title", ""),
        )
        for number, stream in enumerate(container.streams.subtitles, start=1)
    ]


def _cue(packet: Packet[SubtitleStream], codec: str, format: str, start: Fraction) -> Cue | None:
    """A packet as a cue; None for the empty ones that end a stream or fill a gap."""
    if packet.pts is None or packet.time_base is None or not packet.size:
        return None
    data = bytes(packet)
    if codec == "mov_text":
        data = data[2 : 2 + int.from_bytes(data[:2], "big")]
    text = data.decode("utf-8", errors="replace").replace("\r\n", "\n").rstrip("\x00\n")
    if format == "ass":
        text = text.split(",", _ASS_FIELDS_BEFORE_TEXT)[-1]
    if codec == "mov_text" and not text:
        return None
    side = {part.data_type: bytes(part).decode("utf-8", "replace") for part in packet.iter_sidedata()}
    begin = _milliseconds(packet.pts * packet.time_base - start)
    length = _milliseconds((packet.duration or 0) * packet.time_base)
    return Cue(
        start=begin,
        end=begin + length,
        text=re.sub(r"\r", "\n", text),
        plain=plain(text, format),
        id=side.get("webvtt_identifier", ""),
        settings=side.get("webvtt_settings", ""),
        words=word_stamps(text, begin) if format == "vtt" else (),
    )


def _milliseconds(seconds: Fraction) -> int:
    return round(seconds * 1000)
