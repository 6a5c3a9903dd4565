"""What a page is made of: cells that stand for similarities, values that are inert, a policy that holds."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tests.viewer.sample import sample
from vidalign.errors import DataError
from vidalign.viewer.page import Entry, Movie, alignment_page, index_page, is_page
from vidalign.viewer.payload import COARSE, FINE, make_payload, median_shift, quantise

matrices = npst.arrays(
    np.float32,
    npst.array_shapes(min_dims=2, max_dims=2, max_side=20),
    elements=st.floats(-100, 100, width=32) | st.just(np.nan) | st.just(np.inf),
)
HOSTILE = (
    "</script><script>alert(1)</script><!-- & \u2028 {{script}} \udcff \x00 <img src=x onerror=alert(2)>"
)


def values_of(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def blob_of(page: str, name: str) -> bytes:
    return b"".join(base64.b64decode(part) for part in re.findall(f'data-blob="{name}">(.*?)<', page))


@given(matrices, st.sampled_from([FINE, COARSE]))
def test_cells_are_off_by_half_a_step_at_most(matrix: np.ndarray, levels: int) -> None:
    cells, low, high = quantise(matrix, levels)
    scored = np.isfinite(matrix)
    assert ((cells > 0) == scored).all()
    assert cells.max(initial=0) <= levels + 1
    meant = low[:, None] + (cells - 1.0) / levels * (high - low)[:, None]
    half = np.broadcast_to((high - low)[:, None] / levels / 2, matrix.shape)
    assert (np.abs(meant - matrix)[scored] <= half[scored] * 1.001 + 1e-9).all()


def test_many_rows_are_kept_in_coarse_steps_to_open_soon() -> None:
    small, large = sample(), sample(2000, 2100)
    assert make_payload(small).values["levels"] == FINE
    assert make_payload(large).values["levels"] == COARSE


def test_the_matrix_travels_whole() -> None:
    alignment = sample()
    page = alignment_page(alignment)
    cells = np.frombuffer(zlib.decompress(blob_of(page, "cells")), np.uint8).reshape(30, 160)
    assert alignment.similarity is not None
    assert ((cells > 0) == np.isfinite(alignment.similarity)).all()
    assert (cells.argmax(axis=1) == np.nanargmax(alignment.similarity, axis=1)).all()


def test_values_say_what_the_file_says() -> None:
    values = values_of(alignment_page(sample(), Movie("v.mp4"), [None, (3.0, 4.0), *[None] * 28]))
    assert (values["url"], values["threshold"], values["end"]) == ("v.mp4", 0.5, 160)
    assert values["edges"] == list(range(161))
    assert values["aligned"][:4] == [1, 0, 0, 1]
    assert values["alignability"][:3] == [0.9, 0.3, 0.1]
    assert values["heard"][2] == [10, 13]
    assert values["seen"][3] == [19, 23]
    assert values["truth"][:2] == [None, [3, 4]]
    assert ["model", "mini"] in values["facts"]


def test_sentences_that_are_not_aligned_have_the_segment_that_they_would_have() -> None:
    seen = values_of(alignment_page(sample()))["seen"]
    assert all(start < 5 * k + 6 < end for k, (start, end) in enumerate(seen))
    nowhere = sample()
    assert nowhere.similarity is not None
    nowhere.similarity[1] = np.nan
    assert values_of(alignment_page(nowhere))["seen"][1] is None


def test_text_is_data() -> None:
    alignment = replace(sample(1, texts=[HOSTILE]), video=HOSTILE, notice=HOSTILE, model=HOSTILE)
    page = alignment_page(alignment)
    assert values_of(page)["text"] == [HOSTILE]
    assert "alert(1)</script>" not in page
    assert page.count("<img") == 0
    assert page.count("<script") == len(
        re.findall(r"<script(>| type=\"(application/json|text/plain)\")", page)
    )
    page.encode("utf-8")


def test_the_policy_allows_what_is_in_the_page_and_nothing_else() -> None:
    for page in (alignment_page(sample()), index_page([])):
        (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', page)
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
        (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
        for name, content in (("script-src", script), ("style-src", style)):
            digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
            assert rules[name] == f"'sha256-{digest}'"
        assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
        assert "unsafe" not in policy
        assert "http" not in rules["media-src"]
        assert not re.findall(r'(?:src|href)="(?!data:,|#list)[^"]', page)
        assert " style=" not in page and not re.findall(r"<[^>]* on\w+=", page)


def test_a_page_is_known_as_one() -> None:
    assert is_page(alignment_page(sample())[:4096])
    assert is_page(index_page([])[:4096])
    assert not is_page("<!doctype html><title>mine</title>")


def test_a_video_inside() -> None:
    content = bytes(range(256)) * 1000
    page = alignment_page(sample(), Movie(content=content, kind="video/webm"))
    assert blob_of(page, "movie") == content
    assert values_of(page)["kind"] == "video/webm"


def test_the_index_has_its_entries() -> None:
    entry = Entry("a <b>", "a.html", 3, 2, -1.5, None)
    page = index_page([entry], "all & sundry")
    assert values_of(page)["entries"][0] == {
        "name": "a <b>",
        "href": "a.html",
        "sentences": 3,
        "aligned": 2,
        "median_shift": -1.5,
        "model": None,
    }
    assert "<h1>all &amp; sundry</h1>" in page


@pytest.mark.parametrize(("count", "clips"), [(0, 0), (0, 5), (3, 0), (1, 1)])
def test_nothing_to_show_is_no_fault(count: int, clips: int) -> None:
    values = values_of(alignment_page(sample(count, clips, unscored=False)))
    assert len(values["text"]) == count
    assert len(values["edges"]) == (clips + 1 if clips else 0)


def test_what_is_not_a_number_is_unknown() -> None:
    alignment = sample(4)
    assert alignment.similarity is not None
    alignment.alignability[0] = np.nan
    alignment.segments[3] = np.nan
    alignment.similarity[1] = np.inf
    values = values_of(alignment_page(alignment, truth=[(np.nan, 1.0), None, None, (0.0, 1.0)]))
    assert values["alignability"][0] is None
    assert values["seen"][3] is None
    assert values["seen"][1] is None
    assert values["truth"] == [None, None, None, [0, 1]]


def test_subtitles_far_beyond_the_video_do_not_squeeze_it() -> None:
    late = sample(2)
    sentences = (late.sentences[0], replace(late.sentences[1], start=360_000.0, end=360_001.0))
    assert make_payload(replace(late, sentences=sentences)).values["end"] == 320


@pytest.mark.parametrize("times", [[[0, 1], [np.nan, 2]], [[1, 2], [0, 1]], [[0, 1], [0, 1]]])
def test_times_that_cannot_be_are_refused(times: list) -> None:
    with pytest.raises(DataError, match="not finite and ascending"):
        make_payload(replace(sample(2, 2), times=np.array(times, dtype=np.float64)))


def test_a_truth_of_other_sentences_is_refused() -> None:
    with pytest.raises(DataError, match="1 entries for 30 sentences"):
        alignment_page(sample(), truth=[None])


def test_the_median_shift() -> None:
    assert median_shift(sample()) == 4.5
    assert median_shift(sample(0, 0)) is None
