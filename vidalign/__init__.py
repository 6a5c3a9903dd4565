"""vidalign: narrated video and its subtitles become features, alignment matrices and labels."""
