"""ELAN files, read back by pympi and looked at as XML."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pympi import Eaf

from tests.alignments import HOSTILE, empty_alignment, hostile_alignment, made_alignment
from tests.store.exports.conftest import Export

Annotation = tuple[int, int, str]


def tier(eaf: Eaf, name: str) -> list[Annotation]:
    return sorted((data[0], data[1], data[2]) for data in eaf.get_annotation_data_for_tier(name))


def test_tiers_and_times_come_back_equal(export: Export) -> None:
    held = made_alignment(spoken=[(0.5, 2), (2, 4), (5, 6.5)], seen=[(1, 3), (3, 4.5), None])
    eaf = Eaf(str(export("eaf", held)))
    assert list(eaf.get_tier_names()) == ["original", "aligned", "alignability"]
    assert tier(eaf, "original") == [
        (500, 2000, "stir the egg"),
        (2000, 4000, "put water"),
        (5000, 6500, "thanks for watching"),
    ]
    assert tier(eaf, "aligned") == [(1000, 3000, "stir the egg"), (3000, 4500, "put water")]
    assert tier(eaf, "alignability") == [(500, 2000, "0.900"), (2000, 4000, "0.500"), (5000, 6500, "0.100")]


def test_tiers_are_typed(export: Export) -> None:
    eaf = Eaf(str(export("eaf", made_alignment())))
    types = {name: eaf.get_parameters_for_tier(name)["LINGUISTIC_TYPE_REF"] for name in eaf.get_tier_names()}
    assert set(types.values()) == {"text", "score"} == set(eaf.get_linguistic_type_names())
    score = eaf.get_parameters_for_linguistic_type("score")
    assert (score["CONSTRAINTS"], score["TIME_ALIGNABLE"]) == ("Symbolic_Association", "false")
    assert "Symbolic_Association" in eaf.constraints
    assert eaf.get_parameters_for_tier("alignability")["PARENT_REF"] == "original"


@pytest.mark.parametrize("held", [made_alignment(), hostile_alignment(), empty_alignment()])
def test_slots_are_defined_and_ids_unique(held: object, export: Export) -> None:
    root = ElementTree.parse(export("eaf", held)).getroot()
    slots = {slot.attrib["TIME_SLOT_ID"]: int(slot.attrib["TIME_VALUE"]) for slot in root.iter("TIME_SLOT")}
    assert len(slots) == len(list(root.iter("TIME_SLOT")))
    assert list(slots.values()) == sorted(slots.values()) and min(slots.values(), default=0) >= 0
    alignable = list(root.iter("ALIGNABLE_ANNOTATION"))
    used = [node.attrib[f"TIME_SLOT_REF{end}"] for node in alignable for end in (1, 2)]
    assert sorted(used) == sorted(slots)
    for node in alignable:
        assert slots[node.attrib["TIME_SLOT_REF1"]] < slots[node.attrib["TIME_SLOT_REF2"]]
    references = list(root.iter("REF_ANNOTATION"))
    ids = [node.attrib["ANNOTATION_ID"] for node in (*alignable, *references)]
    assert len(ids) == len(set(ids))
    assert {node.attrib["ANNOTATION_REF"] for node in references} <= set(ids)
    types = {node.attrib["LINGUISTIC_TYPE_ID"] for node in root.iter("LINGUISTIC_TYPE")}
    assert {node.attrib["LINGUISTIC_TYPE_REF"] for node in root.iter("TIER")} <= types


def overlaps(annotations: Sequence[Annotation]) -> bool:
    return any(a[1] > b[0] for a, b in pairwise(annotations))


def test_what_overlaps_goes_to_further_tiers(export: Export) -> None:
    eaf = Eaf(str(export("eaf", made_alignment())))
    assert list(eaf.get_tier_names()) == [
        *("original", "original-2", "aligned", "aligned-2", "alignability", "alignability-2"),
    ]
    assert tier(eaf, "original-2") == [(2000, 4000, "put water")]
    assert tier(eaf, "alignability-2") == [(2000, 4000, "0.500")]
    assert not any(overlaps(tier(eaf, name)) for name in eaf.get_tier_names())


def test_without_subtitle_times_the_alignability_belongs_to_what_is_seen(export: Export) -> None:
    eaf = Eaf(str(export("eaf", made_alignment(["a", "b"], [None, None], [(1, 2), None]))))
    assert tier(eaf, "original") == [] and tier(eaf, "aligned") == [(1000, 2000, "a")]
    assert tier(eaf, "alignability") == [(1000, 2000, "0.900")]
    assert eaf.get_parameters_for_tier("alignability")["PARENT_REF"] == "aligned"


def test_hostile_texts_come_back_as_text(export: Export) -> None:
    path = export("eaf", hostile_alignment())
    eaf = Eaf(str(path))
    texts = {text for name in eaf.get_tier_names() for _, _, text in tier(eaf, name)}
    assert {HOSTILE[0], HOSTILE[1], "控制 \ufffd[31m \ufffd \U0001f600 مرحبا"} <= texts
    assert b"<script>" not in path.read_bytes()


@pytest.mark.parametrize(
    ("media", "url"),
    [
        (None, "./clip.mp4"),
        ("https://x.org/v.webm", "https://x.org/v.webm"),
        ("/videos/a b.mp4", "file:///videos/a%20b.mp4"),
        ("/videos/", "file:///videos/clip.mp4"),
    ],
)
def test_the_video_is_named(media: str | None, url: str, export: Export) -> None:
    [linked] = Eaf(str(export("eaf", made_alignment(), media=media))).get_linked_files()
    assert linked["MEDIA_URL"] == url
    assert linked["MIME_TYPE"] in ("video/mp4", "video/webm")


def test_an_unnamed_video_is_not_named(export: Export) -> None:
    held: Path = export("eaf", made_alignment(video=None))
    assert Eaf(str(held)).get_linked_files() == []
