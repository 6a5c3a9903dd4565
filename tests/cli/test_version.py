"""`vidalign version` says what a bug report needs."""

from __future__ import annotations

import json
import platform

import av
import numpy as np
import pytest
import torch

from vidalign.cli import version as module
from vidalign.cli.main import main


def test_all_versions_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version", "--all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["vidalign 0.1.0", f"python {platform.python_version()}"]
    assert f"torch {torch.__version__}" in lines
    assert f"numpy {np.__version__}" in lines
    assert f"ffmpeg (in av) {av.ffmpeg_version_info}" in lines


def test_all_versions_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version", "--all", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["vidalign"] == "0.1.0"
    assert found["av"] == av.__version__


def test_what_is_missing_or_broken_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(name: str) -> object:
        if name == "av":
            raise OSError("libdrm is missing")
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(module, "import_module", load)
    monkeypatch.setattr(module, "_DISTRIBUTIONS", ("no-such-thing",))
    assert main(["version", "--all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "no-such-thing not installed" in lines
    assert "ffmpeg (in av) broken: libdrm is missing" in lines
    assert "gpu not installed" in lines
