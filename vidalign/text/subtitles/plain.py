"""Plain text: one sentence a line, no times."""

from __future__ import annotations

from vidalign.text.subtitles.model import Notes, Parsed
from vidalign.types import Cue


def read(text: str, notes: Notes) -> Parsed:
    """One cue a line that is not blank."""
    return Parsed(
        [
            Cue(None, None, line, line.strip(), line=number)
            for number, line in enumerate(text.split("\n"), start=1)
            if line.strip()
        ]
    )
