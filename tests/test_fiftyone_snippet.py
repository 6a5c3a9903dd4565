"""The documented way into FiftyOne, run against a stand-in that has the parts of its API that are used."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.alignments import made_alignment
from vidalign.store.alignments import write_alignment

SCRIPT = Path(__file__).parent.parent / "examples" / "fiftyone_dataset.py"


class Sample(dict[str, Any]):
    """Named fields of one file; times become frames only once its metadata is known."""

    def __init__(self, filepath: str) -> None:
        super().__init__()
        self.filepath, self.known = filepath, False

    def compute_metadata(self) -> None:
        """Find out the frame rate."""
        self.known = True


class TemporalDetection(SimpleNamespace):
    """A label with its time."""

    @classmethod
    def from_timestamps(cls, timestamps: list[float], sample: Sample, **fields: Any) -> TemporalDetection:
        """Raises where the sample's metadata is not known or the times are not two numbers in order."""
        start, end = timestamps
        assert sample.known and 0 <= start <= end
        return cls(span=(start, end), **fields)


def test_sentences_become_temporal_detections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples: list[Sample] = []
    fo = SimpleNamespace(
        Sample=Sample,
        TemporalDetection=TemporalDetection,
        TemporalDetections=lambda detections: detections,
        Dataset=lambda: SimpleNamespace(add_sample=samples.append),
        launch_app=lambda dataset: SimpleNamespace(wait=lambda: None),
    )
    monkeypatch.setitem(sys.modules, "fiftyone", fo)  # type: ignore[arg-type]
    file = tmp_path / "a.align.h5"
    write_alignment(file, made_alignment())
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "clip.mp4", str(file)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    [sample] = samples
    assert sample.filepath == "clip.mp4"
    assert [(d.label, d.span) for d in sample["spoken"]][1] == ("put water", (2.0, 4.0))
    assert [(d.label, d.span) for d in sample["seen"]] == [
        ("stir the egg", (1.0, 3.0)),
        ("put water", (2.5, 4.5)),
    ]
    assert sample["seen"][0].confidence == pytest.approx(0.9)
