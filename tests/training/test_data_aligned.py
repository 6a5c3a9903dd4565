"""Alignment files in the place of subtitles: which sentences are learned from, and where their clips lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.alignments import made_alignment
from tests.tiny import Run, cli, draw_video, write_vtt  # noqa: F401
from vidalign.aligners.tokens import DictionaryTokens
from vidalign.errors import ConfigError, DataError
from vidalign.store.alignments import read_alignment, write_alignment
from vidalign.training.data.aligned import read_aligned
from vidalign.training.data.clips import ClipData, ClipOptions, VideoSource, load_clip_sets
from vidalign.weights.cards import get_card
from vidalign.weights.recipes import get_recipe

RECIPE = get_recipe("mini-8fps")
TOKENS = DictionaryTokens([f"w{number}" for number in range(1, 60)], length=16, unknown="drop")


def aligned(
    path: Path, seen: list[tuple[float, float] | None], confidence: list[float] | None = None
) -> Path:
    """An alignment of w1, w2, ... spoken one a second from second 0 on, and seen at those segments."""
    count = len(seen)
    made = made_alignment(
        [f"w{k + 1}" for k in range(count)], [(float(k), k + 1.0) for k in range(count)], seen
    )
    if confidence is not None:
        made.confidence[:] = confidence
    path.parent.mkdir(parents=True, exist_ok=True)
    write_alignment(path, made)
    return path


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos of 4 s, one of them in a folder, with subtitles beside them that are not to be read."""
    folder = tmp_path_factory.mktemp("videos")
    for number, name in enumerate(("a", "sub/b")):
        draw_video(folder / f"{name}.mp4", 4.0, seed=number)
        write_vtt(folder / f"{name}.vtt", "w9", "w9")
    return folder


def test_only_aligned_sentences_are_kept_at_their_segments(tmp_path: Path) -> None:
    path = aligned(tmp_path / "a.align.h5", [(3.0, 3.5), None, (0.5, 1.5)], [0.9, 0.9, 0.4])
    said = read_aligned(path, TOKENS)
    assert said.times.tolist() == [[0.5, 1.5], [3.0, 3.5]]
    assert said.tokens.tolist() == [[3], [1]]
    sure = read_aligned(path, TOKENS, min_confidence=0.5)
    assert (sure.times.tolist(), sure.tokens.tolist()) == ([[3.0, 3.5]], [[1]])
    with pytest.raises(DataError, match=r"no aligned sentence has a confidence of 0\.95"):
        read_aligned(path, TOKENS, min_confidence=0.95)
    with pytest.raises(DataError, match="no sentence is aligned"):
        read_aligned(aligned(tmp_path / "b.align.h5", [None, None]), TOKENS)


def test_clips_lie_around_the_segments(videos: Path, tmp_path: Path) -> None:
    aligned(tmp_path / "given" / "a.mp4.align.h5", [(2.0, 3.0), None, None])
    aligned(tmp_path / "given" / "sub" / "b.align.json", [(1.0, 1.5), (2.5, 3.5)])
    source = VideoSource(videos, alignments=tmp_path / "given")
    data = ClipData(source, clips=ClipOptions(candidates=2, per_video=8))
    sets = load_clip_sets(data, RECIPE, TOKENS, tmp_path / "cache")
    assert [video.name for video in sets.training.videos] == ["a", "sub/b"]
    assert sets.training.videos[1].spoken.times.tolist() == [[1.0, 1.5], [2.5, 3.5]]
    assert sets.notes == ()
    frames = sets.training.videos[0].frames.read(0, 32)
    starts = set()
    for index in range(0, 16, 2):
        clip = sets.training.item(0, index)
        assert clip.tokens[0, 0, 0] == 1
        assert clip.real.tolist() == [[True, False]]
        starts |= {k for k in range(25) if np.array_equal(frames[k : k + 8], clip.pixels[0])}
    assert starts and min(starts) >= 12 and max(starts) <= 20


def test_what_has_no_partner_is_left_out_and_told(videos: Path, tmp_path: Path) -> None:
    aligned(tmp_path / "given" / "a.align.h5", [(2.0, 3.0)])
    aligned(tmp_path / "given" / "gone.align.h5", [(2.0, 3.0)])
    sets = load_clip_sets(
        ClipData(VideoSource(videos, alignments=tmp_path / "given")), RECIPE, TOKENS, tmp_path / "cache"
    )
    assert [video.name for video in sets.training.videos] == ["a"]
    assert set(sets.notes) == {"1 video left out: no alignment: sub/b", "1 video left out: no video: gone"}


def test_nothing_to_learn_from_is_an_error(videos: Path, tmp_path: Path) -> None:
    def load(folder: Path) -> None:
        data = ClipData(VideoSource(videos, alignments=folder))
        load_clip_sets(data, RECIPE, TOKENS, tmp_path / "cache")

    with pytest.raises(ConfigError, match="no folder of alignments"):
        load(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no alignment files in"):
        load(tmp_path / "empty")
    aligned(tmp_path / "given" / "a.align.h5", [None, None])
    with pytest.raises(DataError, match=r"no video to train on: .*no sentence is aligned: a"):
        load(tmp_path / "given")
    (tmp_path / "given" / "a.align.h5").write_bytes(b"no alignment")
    with pytest.raises(DataError, match=r"no video to train on: .*: a"):
        load(tmp_path / "given")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"videos": "v", "alignments": "a", "subtitles": "s"}, "take the place of subtitles"),
        ({"manifest": "m", "alignments": "a"}, "or a manifest"),
        ({"videos": "v", "min_confidence": 0.5}, "goes with alignments"),
        ({"videos": "v", "alignments": "a", "min_confidence": 1.5}, "from 0 to 1"),
    ],
)
def test_sources_that_cannot_be_are_refused(given: dict[str, Any], told: str) -> None:
    paths = {key: Path(value) if isinstance(value, str) else value for key, value in given.items()}
    with pytest.raises(ConfigError, match=told):
        VideoSource(**paths)


def test_a_backbone_is_trained_on_by_alignments_that_vidalign_made(
    videos: Path,
    tmp_path: Path,
    cli: Run,  # noqa: F811
) -> None:
    write_vtt(tmp_path / "said" / "a.vtt", "blue circle bounces", "the box climbs", "all books")
    write_vtt(tmp_path / "said" / "sub" / "b.vtt", "a big banner", "the clock blinks", "azure card")
    code, _, err = cli("align", videos, tmp_path / "said", "-o", tmp_path / "made", "--threshold", "0", "-q")
    assert code == 0, err
    kept = sum(int(read_alignment(path).aligned.sum()) for path in (tmp_path / "made").rglob("*.align.h5"))
    assert kept > 0
    config = {
        "task": "backbone",
        "init_from": "mini",
        "recipe": "mini-8fps",
        "data": {
            "training": {"videos": str(videos), "alignments": str(tmp_path / "made")},
            "clips": {"candidates": 1},
            "holding": {"validation_share": 0.0},
        },
        "model": {"name": "tuned", "knows": "ten words"},
        "training": {"steps": 1, "batch": 2, "workers": 0},
        "optimizer": {"warmup": 0},
    }
    (tmp_path / "tune.yaml").write_text(yaml.safe_dump(config))
    code, out, err = cli("train", tmp_path / "tune.yaml", "-o", tmp_path / "run", "-q")
    assert code == 0, err
    card = get_card(out.strip())
    assert card.backbone is not None and card.backbone.family == "s3d"
    config["init_from"] = "i3d-flow"
    (tmp_path / "tune.yaml").write_text(yaml.safe_dump(config))
    code, _, err = cli("train", tmp_path / "tune.yaml", "-o", tmp_path / "other", "-q")
    assert code == 2 and "i3d-flow" in err
