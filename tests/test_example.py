"""The bundled model on what it has never seen: the example, and videos of new seeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import vidalign
from vidalign.cli.main import main
from vidalign.evaluation.annotations import Truth, read_annotations
from vidalign.evaluation.truth import Judgement, judge, spoken_recall
from vidalign.synthetic.generate import generate
from vidalign.synthetic.settings import WorldSettings

EXAMPLES = Path(__file__).parent.parent / "examples"
NAME = "howto"
OTHER_SEED, UNSEEN_SEED = 30260001, 30260002


@pytest.fixture(scope="module")
def truth() -> Truth:
    return read_annotations(EXAMPLES / "howto.truth.json")


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The alignment that the README's first command makes."""
    output = tmp_path_factory.mktemp("example") / "howto.align.h5"
    arguments = ["align", str(EXAMPLES / "howto.mp4"), str(EXAMPLES / "howto.vtt"), "-o", str(output)]
    assert main(arguments) == 0
    return output


def test_the_example_is_hard_as_it_stands(truth: Truth) -> None:
    rows = truth[NAME]
    transcript = vidalign.align(EXAMPLES / "howto.mp4", EXAMPLES / "howto.vtt").sentences
    times = [(s.start, s.end) for s in transcript if s.start is not None and s.end is not None]
    alignable = sum(row.alignable for row in rows) / len(rows)
    assert len(rows) >= 24
    assert 1 / 3 <= alignable <= 1 / 2
    assert spoken_recall(rows, times) <= 0.4
    files = [EXAMPLES / f"howto{suffix}" for suffix in (".mp4", ".vtt", ".truth.json")]
    assert sum(file.stat().st_size for file in files) < 2e6


def test_the_example_is_aligned(example: Path, truth: Truth) -> None:
    judgement = judge(vidalign.load_alignment(example), truth[NAME])
    assert judgement.recall >= 0.9
    assert judgement.label_accuracy >= 0.9


def test_the_same_narration_against_another_video_finds_nothing(
    example: Path, truth: Truth, tmp_path: Path
) -> None:
    seconds = vidalign.load_alignment(example).times
    assert seconds is not None
    (other,) = generate(tmp_path, 1, OTHER_SEED, WorldSettings(seconds=float(seconds[-1, 1])))
    alignment = vidalign.align(other.video, EXAMPLES / "howto.vtt")
    ours = judge(vidalign.load_alignment(example), truth[NAME])
    theirs = judge(alignment, truth[NAME])
    assert ours.recall - theirs.recall >= 0.4
    assert ours.label_accuracy - theirs.label_accuracy >= 0.15


def test_segments_on_twenty_unseen_videos(tmp_path: Path) -> None:
    """Mean IoU of all aligned segments, against a window of the cue's own duration at the peak.

    A segment given to a sentence that cannot be seen has nothing to overlap with and counts as 0.
    """
    judgements: list[Judgement] = []
    segments = 0
    written = list(generate(tmp_path, 20, UNSEEN_SEED, WorldSettings(seconds=80)))
    truth = read_annotations(tmp_path / "truth.json")
    for sample in written:
        alignment = vidalign.align(sample.video, sample.subtitles)
        segments += int(alignment.aligned.sum())
        judgements.append(judge(alignment, truth[sample.name]))
    iou = np.concatenate([j.iou for j in judgements]).sum() / segments
    window_iou = np.concatenate([j.window_iou for j in judgements]).sum() / segments
    assert iou >= 0.5
    assert iou - window_iou >= 0.05
    assert np.concatenate([j.hit for j in judgements]).mean() >= 0.85


TOOLS = {
    "figure": (("plot", "--truth", str(EXAMPLES / "howto.truth.json"), "-o", "figure.png"), "figure.png"),
    "ELAN": (("export", "--to", "eaf"), "howto.eaf"),
    "Label Studio": (("export", "--to", "label-studio"), "howto.json"),
}


@pytest.mark.parametrize(("line", "output"), TOOLS.values(), ids=TOOLS.keys())
def test_one_command_takes_it_into_another_tool(
    line: tuple[str, ...], output: str, example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([line[0], str(example), *line[1:]]) == 0
    assert Path(output).stat().st_size > 5000
