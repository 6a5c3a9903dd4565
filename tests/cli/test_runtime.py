"""`--runtime`, `--compile` and several devices on the command line."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tiny import Run, draw_video
from vidalign.backbones.runtimes.openvino import OpenVINONetwork
from vidalign.errors import ModelError
from vidalign.store.features import read_features


@pytest.fixture
def two(tmp_path: Path, clip_file: Path) -> Path:
    """Two videos in a folder."""
    films = tmp_path / "two"
    films.mkdir()
    (films / "a.mp4").write_bytes(clip_file.read_bytes())
    draw_video(films / "b.mp4", 2.0, seed=1)
    return films


def test_a_folder_keeps_the_runtime_that_began_it(tiny: Path, two: Path, tmp_path: Path, cli: Run) -> None:
    """OpenVINO's features are torch's; `auto` goes on as the folder began; the other runtime is refused."""
    there, plain = tmp_path / "openvino", tmp_path / "torch"
    code, out, err = cli("extract", two / "a.mp4", "-o", there, "--runtime", "openvino", "--device", "cpu")
    assert (code, out) == (0, f"{there / 'a.h5'}\n"), err
    code, out, _ = cli("extract", two, "-o", there, "--device", "cpu")
    assert (code, out.splitlines()) == (0, [str(there / name) for name in ("a.h5", "b.h5")])
    assert cli("extract", two, "-o", plain, "--device", "cpu")[0] == 0
    for name in ("a.h5", "b.h5"):
        made, expected = read_features(there / name), read_features(plain / name)
        assert made.runtime == f"openvino {version('openvino')}"
        assert expected.runtime == f"torch {torch.__version__}"
        unit = np.spacing(np.abs(expected.features)).astype(np.float32)
        apart = made.features.astype(np.float32) - expected.features.astype(np.float32)
        assert (np.abs(apart) <= unit).all()
    code, out, err = cli("extract", two, "-o", there, "--runtime", "torch", "--device", "cpu")
    assert (code, out) == (2, "")
    assert "runtime" in err and "openvino / torch" in err


def test_a_network_that_openvino_refuses_ends_the_run_in_one_line(
    tiny: Path, two: Path, tmp_path: Path, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object) -> None:
        raise ModelError("mini cannot be converted for OpenVINO: no", hint="use --runtime torch")

    monkeypatch.setattr(OpenVINONetwork, "_convert", refuse)
    code, out, err = cli("extract", two, "-o", tmp_path / "out", "--runtime", "openvino", "--device", "cpu")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith("vidalign: error: mini cannot be converted for OpenVINO: no")
    assert "Traceback" not in err
    assert not list((tmp_path / "out").glob("*.h5"))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--device", "cuda:0,0"], "names a GPU twice"),
        (["--device", "cuda:0,9"], "is not there"),
        (["--device", "cpu", "--runtime", "openvino", "--compile"], "--compile is torch's"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(
    options: list[str], told: str, tiny: Path, two: Path, tmp_path: Path, cli: Run
) -> None:
    code, out, err = cli("extract", two, "-o", tmp_path / "out", *options)
    assert (code, out) == (2, "")
    assert told in err
    assert not (tmp_path / "out").exists()
    code, out, err = cli("align", two / "a.mp4", "x.vtt", *options)
    assert (code, out) == (2, "")


def test_compile_asks_torch_to(
    tiny: Path, two: Path, tmp_path: Path, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda network, *, dynamic: compiled.append(network) or network)
    code, _, err = cli("extract", two / "a.mp4", "-o", tmp_path / "out", "--compile", "--device", "cpu")
    assert code == 0, err
    assert len(compiled) == 1
    assert read_features(tmp_path / "out" / "a.h5").runtime == f"torch {torch.__version__} compiled"
