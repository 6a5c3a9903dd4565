"""Formats of other tools: one file each, all in one registry that plugins can add to."""
