"""SubRip: every cue, re-timed where its sentence is aligned."""

from vidalign.store.exports.subtitles import subtitle_format

FORMAT = subtitle_format("srt", "SubRip")
