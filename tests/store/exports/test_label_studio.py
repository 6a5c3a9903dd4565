"""Label Studio tasks fit the labelling configuration that comes with them, in frames that count from 1."""

from __future__ import annotations

import json
from math import ceil, floor
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.alignments import HOSTILE, empty_alignment, hostile_alignment, made_alignment
from tests.store.exports.conftest import Export
from vidalign.store.exports.label_studio import FORMAT

CONFIG = ElementTree.parse(Path(__file__).parents[3] / "examples" / "label_studio.xml").getroot()


def tasks(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
    return found


def test_regions_belong_to_the_configuration(export: Export) -> None:
    [task] = tasks(export("label-studio", made_alignment()))
    [video], [control] = CONFIG.findall("Video"), CONFIG.findall("TimelineLabels")
    assert video.attrib["value"] == "$video" and video.attrib["frameRate"] == "$fps"
    assert {"video", "fps"} == set(task["data"])
    labels = {label.attrib["value"] for label in control.findall("Label")}
    assert control.attrib["toName"] == video.attrib["name"]
    [prediction] = task["predictions"]
    assert prediction["model_version"] == "vidalign mini"
    for region in prediction["result"]:
        assert region["from_name"] == control.attrib["name"] and region["to_name"] == video.attrib["name"]
        assert region["type"] == "timelinelabels" and set(region["value"]["timelinelabels"]) <= labels
    ids = [region["id"] for region in prediction["result"]]
    assert len(ids) == len(set(ids)) == 5


@pytest.mark.parametrize("rate", [24.0, 25.0, 30000 / 1001])
def test_frames_count_from_one_and_hold_both_ends(rate: float, export: Export) -> None:
    [task] = tasks(export("label-studio", made_alignment(), frame_rate=rate))
    regions = {region["id"]: region for region in task["predictions"][0]["result"]}
    assert task["data"]["fps"] == rate
    assert regions["seen-1"]["value"]["ranges"] == [{"start": floor(rate) + 1, "end": ceil(3 * rate)}]
    assert regions["seen-1"]["meta"] == {"text": ["stir the egg"]}
    assert regions["seen-1"]["score"] == 0.9 and "score" not in regions["spoken-1"]
    assert "seen-3" not in regions


def test_every_range_is_one(export: Export) -> None:
    [task] = tasks(export("label-studio", hostile_alignment()))
    for region in task["predictions"][0]["result"]:
        [span] = region["value"]["ranges"]
        assert 1 <= span["start"] <= span["end"]
    assert HOSTILE[0] in [region["meta"]["text"][0] for region in task["predictions"][0]["result"]]


def test_many_videos_are_many_tasks(export: Export) -> None:
    found = tasks(export("label-studio", made_alignment(), empty_alignment(), media="https://x.org/v/"))
    assert [task["data"]["video"] for task in found] == ["https://x.org/v/clip.mp4"] * 2
    assert found[1]["predictions"][0]["result"] == []
    assert FORMAT.gathers
