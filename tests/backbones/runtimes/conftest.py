"""The random model."""

from tests.tiny import tiny, tiny_files

__all__ = ["tiny", "tiny_files"]
