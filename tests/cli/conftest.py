"""The random model, generated videos, and command lines run in this process."""

from tests.tiny import broken_file, cli, clip_file, tiny, tiny_files

__all__ = ["broken_file", "cli", "clip_file", "tiny", "tiny_files"]
