"""TTML, DFXP, IMSC: one cue a `<p>`, timed by itself or by what encloses it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from vidalign.text.subtitles.model import Notes, Parsed
from vidalign.text.subtitles.stamps import LONGEST_STAMP
from vidalign.types import Cue

_TAG = re.compile(rb"<(?:\"[^\"]*\"|'[^']*'|[^>\"'])*>")
_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d)(?:(\.\d+)|:(\d+)(?:\.\d+)?)?")
_OFFSET = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|f|t)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_UNSEEN = {"metadata", "title", "desc", "copyright", "head", "rt", "rp"}

Seconds = float | None


@dataclass(slots=True)
class _Element:
    """An open element: its interval in seconds of the whole, and where the next child of a `seq` begins."""

    name: str
    begin: float
    end: Seconds
    sequence: bool
    cursor: float
    timed: bool


@dataclass(slots=True)
class _Paragraph:
    """The `<p>` being read; `spans` are the times of its timed parts."""

    name: str
    line: int
    content: int
    begin: float
    end: Seconds
    timed: bool
    text: list[str] = field(default_factory=list)
    spans: list[tuple[float, float]] = field(default_factory=list)


def read(text: str, notes: Notes) -> Parsed:
    """All paragraphs in document order; one that nothing gives an end is refused with its line."""
    reader = _Reader(text.replace("&nbsp;", "&#160;").encode("utf-8"), notes)
    reader.parse()
    return Parsed(reader.cues)


class _Reader:
    def __init__(self, data: bytes, notes: Notes) -> None:
        self.data = data
        self.notes = notes
        self.cues: list[Cue] = []
        self.open: list[_Element] = []
        self.paragraph: _Paragraph | None = None
        self.frame_rate = 30.0
        self.tick_rate = 1.0
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters

    def parse(self) -> None:
        try:
            self.parser.Parse(self.data, True)
        except expat.ExpatError as error:
            reason = expat.errors.messages.get(error.code, "broken")
            raise self.notes.error(f"is no well-formed XML: {reason}", error.lineno) from None

    def _start(self, qualified: str, attributes: dict[str, str]) -> None:
        name = qualified.rpartition(":")[2]
        values = {key.rpartition(":")[2]: value for key, value in attributes.items()}
        if name == "tt":
            self._rates(values)
        element = self._timed(name, values)
        self.open.append(element)
        if name == "p":
            at = self.parser.CurrentByteIndex
            tag = _TAG.match(self.data, at)
            self.paragraph = _Paragraph(
                name=values.get("id", ""),
                line=self.parser.CurrentLineNumber,
                content=tag.end() if tag else at,
                begin=element.begin,
                end=element.end,
                timed=element.timed,
            )
        elif self.paragraph is not None:
            if name == "br":
                self.paragraph.text.append("\n")
            if element.timed and element.end is not None:
                self.paragraph.spans.append((element.begin, element.end))

    def _end(self, qualified: str) -> None:
        element = self.open.pop()
        if self.open and element.end is not None:
            self.open[-1].cursor = element.end
        if element.name == "p" and self.paragraph is not None:
            self._close(self.paragraph)
            self.paragraph = None

    def _characters(self, text: str) -> None:
        if self.paragraph is not None and not any(element.name in _UNSEEN for element in self.open):
            self.paragraph.text.append(re.sub(r"[ \t\n]+", " ", text))

    def _close(self, paragraph: _Paragraph) -> None:
        begin, end = paragraph.begin, paragraph.end
        if paragraph.spans and not paragraph.timed:
            begin, end = min(paragraph.spans)[0], max(last for _, last in paragraph.spans)
        shown = re.sub(r" *\n *", "\n", "".join(paragraph.text)).replace("\xa0", " ").strip()
        raw = self.data[paragraph.content : max(self.parser.CurrentByteIndex, paragraph.content)]
        if end is None:
            if not shown:
                return
            raise self.notes.error("a paragraph without an end", paragraph.line, hint="give it end or dur")
        self.cues.append(
            Cue(
                start=round(begin * 1000),
                end=round(end * 1000),
                text=raw.decode("utf-8"),
                plain=re.sub(r"  +", " ", shown),
                id=paragraph.name,
                line=paragraph.line,
            )
        )

    def _timed(self, name: str, values: dict[str, str]) -> _Element:
        """The interval of an element: `begin` and `end` count from its parent, or its elder in a seq."""
        parent = self.open[-1] if self.open else _Element("", 0.0, None, False, 0.0, False)
        base = parent.cursor if parent.sequence else parent.begin
        times = {key: self._seconds(values[key]) for key in ("begin", "end", "dur") if key in values}
        begin = base + times.get("begin", 0.0)
        ends = [base + times["end"]] if "end" in times else []
        ends += [begin + times["dur"]] if "dur" in times else []
        end = min(ends) if ends else parent.end
        sequence = values.get("timeContainer") == "seq"
        return _Element(name, begin, end, sequence, begin, bool(times))

    def _seconds(self, value: str) -> float:
        if len(value) > LONGEST_STAMP:
            raise self.notes.error(f"a time that is none: {value[:40]!r}", self.parser.CurrentLineNumber)
        clock = _CLOCK.fullmatch(value.strip())
        if clock:
            hours, minutes, seconds, fraction, frames = clock.groups()
            whole = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
            return whole + float(fraction or 0) + int(frames or 0) / self.frame_rate
        offset = _OFFSET.fullmatch(value.strip())
        if offset is None:
            raise self.notes.error(f"a time that cannot be read: {value!r}", self.parser.CurrentLineNumber)
        number, unit = float(offset[1]), offset[2]
        if unit == "f":
            return number / self.frame_rate
        return number / self.tick_rate if unit == "t" else number * _UNITS[unit]

    def _rates(self, values: dict[str, str]) -> None:
        """frameRate, frameRateMultiplier and tickRate of the root element."""
        try:
            self.frame_rate = float(values.get("frameRate", "30"))
            top, bottom = (float(n) for n in values.get("frameRateMultiplier", "1 1").split())
            self.frame_rate *= top / bottom
            sub = float(values.get("subFrameRate", "1"))
            default = self.frame_rate * sub if "frameRate" in values else 1.0
            self.tick_rate = float(values.get("tickRate", default))
            if not (self.frame_rate > 0 and self.tick_rate > 0):
                raise ValueError
        except (ValueError, ZeroDivisionError):
            line = self.parser.CurrentLineNumber
            raise self.notes.error("a frame rate or tick rate that cannot be read", line) from None
