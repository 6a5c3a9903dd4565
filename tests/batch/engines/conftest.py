"""The random model and the generated videos."""

from tests.tiny import clip_file, tiny, tiny_files

__all__ = ["clip_file", "tiny", "tiny_files"]
