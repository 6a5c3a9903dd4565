"""The random model and the generated videos."""

from tests.tiny import broken_file, clip_file, tiny, tiny_files

__all__ = ["broken_file", "clip_file", "tiny", "tiny_files"]
