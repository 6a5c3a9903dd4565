"""YouTube's json3: events with segments, in automatic captions each word with its offset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vidalign.outside import UnreadableError, load_json
from vidalign.text.subtitles.model import Notes, Parsed
from vidalign.types import Cue


def read(text: str, notes: Notes) -> Parsed:
    """One cue an event that shows text; window settings and bare line feeds are none."""
    try:
        content = load_json(text)
    except UnreadableError as error:
        raise notes.error(f"is {error}", error.line) from None
    events = content.get("events") if isinstance(content, dict) else None
    if not isinstance(events, list):
        raise notes.error("is no json3 file: it has no list of events")
    cues: list[Cue] = []
    for number, event in enumerate(events, start=1):
        if not isinstance(event, dict):
            raise notes.error(f"event {number} is not an object")
        if event.get("segs"):
            cue = _cue(event, number, notes)
            if cue.plain or not event.get("aAppend"):
                cues.append(cue)
    return Parsed(cues)


def _cue(event: Mapping[str, Any], number: int, notes: Notes) -> Cue:
    try:
        start = round(event["tStartMs"])
        end = start + round(event.get("dDurationMs", 0))
        segments = [(str(seg.get("utf8", "")), seg.get("tOffsetMs")) for seg in event["segs"]]
        stamped = any(offset is not None for _, offset in segments)
        words = [(start + round(offset or 0), text.strip()) for text, offset in segments if text.strip()]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise notes.error(f"event {number} has no readable time or text") from None
    payload = "".join(text for text, _ in segments)
    return Cue(start, end, payload, payload.strip(), words=tuple(words) if stamped else ())
