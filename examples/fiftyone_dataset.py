"""Look at alignments in FiftyOne (pip install fiftyone; it needs ffmpeg and starts a MongoDB of its own):

python examples/fiftyone_dataset.py VIDEO ALIGNMENT [VIDEO ALIGNMENT ...]

Every sentence becomes a temporal detection: `spoken` at its subtitle time, `seen` where it was aligned.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import fiftyone as fo

import vidalign
from vidalign.types import Alignment


def sample_of(video: str, alignment: Alignment) -> fo.Sample:
    """One video with its sentences; confidence is the alignability."""
    sample = fo.Sample(filepath=video)
    sample.compute_metadata()
    spoken, seen = [], []
    for k, sentence in enumerate(alignment.sentences):
        if sentence.start is not None and sentence.end is not None:
            span = [max(sentence.start, 0.0), sentence.end]
            spoken.append(fo.TemporalDetection.from_timestamps(span, sample=sample, label=sentence.text))
        if alignment.aligned[k]:
            detection = fo.TemporalDetection.from_timestamps(
                alignment.segments[k].tolist(),
                sample=sample,
                label=sentence.text,
                confidence=float(alignment.alignability[k]),
            )
            seen.append(detection)
    sample["spoken"] = fo.TemporalDetections(detections=spoken)
    sample["seen"] = fo.TemporalDetections(detections=seen)
    return sample


def main(paths: Sequence[str]) -> None:
    dataset = fo.Dataset()
    for video, file in zip(paths[::2], paths[1::2], strict=True):
        dataset.add_sample(sample_of(video, vidalign.load_alignment(file)))
    fo.launch_app(dataset).wait()


if __name__ == "__main__":
    main(sys.argv[1:])
