"""The page of an alignment in a real browser: everything linked, nothing run, nothing fetched."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.viewer.conftest import Open, Watch, until
from tests.viewer.sample import sample
from vidalign.types import Alignment
from vidalign.viewer.page import Movie, alignment_page

VIDEO = Path(__file__).parents[2] / "examples" / "howto.mp4"
"""170 seconds; the sample's matrix has 160."""


@pytest.fixture
def page(open_page: Open, tmp_path: Path) -> Page:
    """The sample with the example's video."""
    return open_page(write(tmp_path, sample()))


def write(folder: Path, alignment: Alignment, movie: Movie | None = None, **known: object) -> Path:
    url = os.path.relpath(VIDEO, folder)
    path = folder / "page.html"
    path.write_text(alignment_page(alignment, movie or Movie(url), **known), "utf-8")  # type: ignore[arg-type]
    return path


def now(page: Page) -> float:
    """The video's time, once it has come to rest."""
    until(page, "video.readyState >= 2 && !video.seeking")
    return float(page.evaluate("video.currentTime"))


def row(page: Page, k: int) -> str:
    page.wait_for_selector(f"#s{k}", state="attached")
    return f"#s{k}"


def cell(page: Page, k: int, second: float) -> dict[str, float]:
    """Where on the page the matrix shows sentence k at a second."""
    box = page.locator("#marks").bounding_box()
    assert box is not None
    place, rows, start, span = page.evaluate(
        f"[state.order.indexOf({k}), state.order.length, lens.start, lens.span]"
    )
    x = box["x"] + (second - start) / span * box["width"]
    return {"x": x, "y": box["y"] + (place + 0.5) / rows * box["height"]}


def test_a_click_on_a_sentence_seeks_to_where_it_is_seen(page: Page) -> None:
    page.locator(row(page, 3)).locator(".text").click()
    assert now(page) == pytest.approx(19, abs=0.01)
    expect(page.locator("#s3")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#now-seen")).to_have_text("sentence 3 of the sample")
    page.locator("#s4 .text").click()
    assert now(page) == pytest.approx(20, abs=0.01), "an unaligned sentence: its old time"
    page.locator("#s3 .heard").click()
    assert now(page) == pytest.approx(15, abs=0.01)
    page.locator("#s3 .seen").click()
    assert now(page) == pytest.approx(19, abs=0.01)


def test_a_click_on_a_cell_seeks_and_selects(page: Page) -> None:
    spot = cell(page, 7, 61.5)
    page.mouse.move(**spot)
    expect(page.locator("#readout")).to_contain_text("similarity -0.19 · sentence 7 of the sample")
    page.mouse.click(**spot)
    assert now(page) == pytest.approx(61, abs=0.01)
    expect(page.locator("#s7")).to_have_attribute("aria-selected", "true")
    page.mouse.move(**cell(page, 0, 150))
    expect(page.locator("#readout")).to_contain_text("not scored · sentence 0")


def test_the_time_axis_seeks(page: Page) -> None:
    box = page.locator("#axis").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 5)
    page.mouse.up()
    total = page.evaluate("state.total")
    assert total == pytest.approx(170, abs=0.2), "the axis is the player's"
    assert now(page) == pytest.approx(total / 4, abs=0.5)
    expect(page.locator("#axis")).to_have_attribute("aria-valuetext", re.compile("0:4[23]"))


def test_play_and_the_sentence_and_the_column_follow(page: Page) -> None:
    page.evaluate("setZoom(8)")
    page.evaluate("seek(31)")
    now(page)
    page.keyboard.press("Space")
    until(page, "video.currentTime > 34.2")
    first = page.evaluate("[$('head').style.transform, $('column').hidden, $('column').style.transform]")
    expect(page.locator("[aria-current=true] .text")).to_have_text("sentence 6 of the sample")
    expect(page.locator("#now-seen")).to_have_text("sentence 6 of the sample")
    until(page, "video.currentTime > 36.5")
    later = page.evaluate("[$('head').style.transform, $('column').hidden, $('column').style.transform]")
    assert first[1] is later[1] is False
    assert first[0] != later[0] and first[2] != later[2]
    page.keyboard.press("Space")
    assert page.evaluate("video.paused")
    page.evaluate("lookAt(100, 0.5); list.scrollTop = 1e6")
    page.keyboard.press("Space")
    until(page, "lens.start < 40 && list.scrollTop < 1000 && inView(across(video.currentTime))")


def test_the_slider_relabels(page: Page) -> None:
    expect(page.locator("#count")).to_have_text("10 of 30 sentences aligned")
    expect(page.locator("#reset")).to_be_disabled()
    page.locator("#threshold").fill("0.25")
    expect(page.locator("#count")).to_have_text("20 of 30 sentences aligned")
    expect(page.locator("#s1 .chip")).to_have_text("aligned")
    expect(page.locator("#s1 .seen")).to_contain_text("≈0:0")
    expect(page.locator("#n-unaligned")).to_have_text("10")
    page.locator("#threshold").press("End")
    expect(page.locator("#count")).to_have_text("0 of 30 sentences aligned")
    expect(page.locator("#s0 .seen")).to_have_count(0)
    page.locator("#reset").click()
    expect(page.locator("#count")).to_have_text("10 of 30 sentences aligned")
    expect(page.locator("#threshold-said")).to_have_text("0.5")


def test_a_threshold_equal_to_an_alignability_aligns_as_in_the_file(page: Page) -> None:
    page.locator("#threshold").fill("0.3")
    expect(page.locator("#count")).to_have_text("20 of 30 sentences aligned")


def test_filter_and_search(page: Page) -> None:
    page.locator("input[value=unaligned]").check()
    expect(page.locator("#s0")).to_have_count(0)
    expect(page.locator("#s1")).to_be_visible()
    until(page, "state.order.every((k) => k % 3 !== 0)")  # the matrix, which is drawn with the next picture
    page.locator("#search").fill("SÉNTENCE 1")
    until(page, "state.shown.length === 8")
    assert page.evaluate("state.shown") == [1, 10, 11, 13, 14, 16, 17, 19]
    page.locator("input[value=all]").check()
    page.locator("#search").fill("nowhere")
    expect(page.locator("#none")).to_have_text("No sentence matches.")
    page.locator("#search").fill("")
    until(page, "state.shown.length === 30")


def test_the_keyboard(page: Page) -> None:
    press = page.keyboard.press
    press("j")
    assert page.evaluate("state.selected") == 1, "the one after that of the time"
    press("j")
    press("j")
    press("k")
    press("j")
    assert page.evaluate("state.selected") == 3
    assert now(page) == pytest.approx(19, abs=0.01)
    press("o")
    assert now(page) == pytest.approx(15, abs=0.01)
    press("n")
    assert now(page) == pytest.approx(19, abs=0.01)
    press("ArrowRight")
    assert now(page) == pytest.approx(24, abs=0.01)
    press("Shift+ArrowLeft")
    assert now(page) == pytest.approx(23, abs=0.01)
    page.locator("#list").focus()
    press("End")
    expect(page.locator("#s29")).to_be_visible()
    assert page.evaluate("$('list').getAttribute('aria-activedescendant')") == "s29"
    press("ArrowUp")
    press("Enter")
    assert now(page) == pytest.approx(140, abs=0.01)
    press("+")
    assert page.evaluate("state.zoom") > 1
    press("0")
    assert page.evaluate("state.zoom") == 1
    press("/")
    page.keyboard.type("j k 1")
    expect(page.locator("#search")).to_have_value("j k 1")
    assert page.evaluate("state.selected") == 28
    press("Escape")
    press("?")
    expect(page.locator("#dialog")).to_contain_text("play or pause")
    press("Escape")
    expect(page.locator("#dialog")).to_be_hidden()


def test_space_on_a_button_presses_the_button(page: Page) -> None:
    page.locator("#zoom-in").focus()
    page.keyboard.press("Space")
    assert page.evaluate("[state.zoom > 1, video.paused]") == [True, True]
    page.locator("#video").focus()
    page.keyboard.press("Space")
    until(page, "!video.paused && video.currentTime > 0.1")


def test_the_zoom_keeps_its_place(page: Page) -> None:
    page.evaluate("seek(80)")
    page.locator("#zoom-in").click()
    page.locator("#zoom-in").click()
    assert page.evaluate("$('marks').clientWidth") == page.evaluate("scroller.clientWidth")
    span, start = page.evaluate("[lens.span, lens.start]")
    assert span == pytest.approx(170 / 2.56, abs=0.5)
    assert start < 80 < start + span
    until(page, "state.order.length < 30")  # only the sentences of that time
    page.evaluate("scroller.scrollLeft = 0")
    until(page, "lens.start === 0 && state.order[0] === 0")
    spot = cell(page, 4, 30)
    page.mouse.move(**spot)
    before = page.evaluate("lens.span")
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    until(page, f"lens.span < {before}")
    page.keyboard.up("Control")
    assert cell(page, 4, 30)["x"] == pytest.approx(spot["x"], abs=3), "around the pointer"
    page.locator("#fit").click()
    assert page.evaluate("lens.span") == pytest.approx(170, abs=0.2)


PIXEL = """([k, second]) => {
  const canvas = $('matrix'), at = state.order.indexOf(k) + 0.5;
  const x = Math.floor(((second - lens.start) / lens.span) * canvas.width);
  const y = Math.floor((at / state.order.length) * canvas.height);
  const [r, g, b] = canvas.getContext('2d').getImageData(x, y, 1, 1).data;
  return (r + g + b) / 3;
}"""


@pytest.mark.parametrize("dark", [False, True])
def test_the_picture_is_the_matrix(dark: bool, open_page: Open, tmp_path: Path) -> None:
    page = open_page(write(tmp_path, sample()), dark=dark)
    assert page.evaluate("document.documentElement.dataset.theme") == ("dark" if dark else "light")
    sign = 1 if dark else -1
    peak, far, gap = (page.evaluate(PIXEL, [10, second]) for second in (56.5, 20.5, 150.5))
    assert sign * (peak - far) > 100
    assert gap not in (peak, far)
    page.locator("#contrast").select_option("all")
    page.wait_for_timeout(100)
    assert sign * (page.evaluate(PIXEL, [10, 56.5]) - far) > 100
    page.locator("#theme").click()
    page.locator("#theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_subtitle_text_is_shown_and_never_run(open_page: Open, tmp_path: Path) -> None:
    texts = [
        "<script>window.hacked = 1</script>",
        "</script><script>window.hacked = 2</script>",
        "<img src=x onerror='window.hacked = 3'>",
        "{{script}} &lt;b&gt; \u202eright to left",
        "x" * 10_000,
    ]
    hostile = replace(sample(5, texts=texts), video="<script>window.hacked = 4</script>", model="<b>m</b>")
    page = open_page(write(tmp_path, hostile))
    for k, text in enumerate(texts):
        page.locator(row(page, k)).locator(".text").click()
        assert page.locator(f"#s{k} .text").text_content() == text[:300]
        assert page.locator("#chosen .text").text_content() == text
    expect(page.locator("#title")).to_have_text("<script>window.hacked = 4</script>")
    page.locator("#about").click()
    expect(page.locator("#dialog")).to_contain_text("<b>m</b>")
    assert page.evaluate("typeof window.hacked") == "undefined"
    assert page.evaluate("document.images.length") == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_policy_stops_what_was_not_written_by_us(page: Page, watch: Watch) -> None:
    page.evaluate(
        """() => {
          const script = Object.assign(document.createElement('script'), { text: 'window.hacked = 1' });
          document.body.append(script);
          document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="window.hacked = 2">');
          return fetch('http://127.0.0.1:9/').catch(() => {});
        }"""
    )
    page.wait_for_timeout(200)
    assert page.evaluate("typeof window.hacked") == "undefined"
    assert len(watch.complaints) >= 3
    assert all("Content Security Policy" in line for line in watch.complaints)
    watch.complaints.clear()
    assert not [url for url in watch.requests if url.startswith("http")]


def test_only_the_page_and_the_video_are_read(page: Page, watch: Watch) -> None:
    now(page)
    assert {Path(url).name for url in watch.requests} == {"page.html", "howto.mp4"}


def test_a_video_inside_the_page(open_page: Open, watch: Watch, tmp_path: Path) -> None:
    page = open_page(write(tmp_path, sample(), Movie(content=VIDEO.read_bytes())))
    page.locator(row(page, 3)).click()
    assert now(page) == pytest.approx(19, abs=0.01)
    assert not [url for url in watch.requests if "howto" in url]


def test_without_its_video_the_page_asks_for_it(open_page: Open, watch: Watch, tmp_path: Path) -> None:
    page = open_page(write(tmp_path, sample(), Movie("gone.mp4")))
    expect(page.locator("#why")).to_contain_text("howto.mp4 cannot be shown")
    assert len(watch.complaints) == 1 and "ERR_FILE_NOT_FOUND" in watch.complaints.pop()
    page.locator(row(page, 3)).click()
    expect(page.locator("#axis")).to_have_attribute("aria-valuetext", "0:19")
    page.keyboard.press("Space")
    page.locator("#choose").set_input_files(VIDEO)
    expect(page.locator("#video")).to_be_visible()
    assert now(page) == pytest.approx(19, abs=0.01)


@pytest.mark.parametrize(
    ("alignment", "says"),
    [
        (sample(0, 0), "This alignment has no sentences."),
        (sample(0, 20), "This alignment has no sentences."),
        (sample(3, 0, unscored=False), "There is no similarity to draw"),
        (replace(sample(3), similarity=None, times=None), "There is no similarity to draw"),
        (replace(sample(3), similarity=np.full((3, 160), np.nan, np.float32)), "0 of 3 sentences aligned"),
        (replace(sample(3), threshold=None, alignability=np.full(3, np.nan, np.float32)), "unknown"),
    ],
    ids=["nothing", "no sentences", "no clips", "no matrix", "nothing scored", "nothing known"],
)
def test_little_to_show(alignment: Alignment, says: str, open_page: Open, tmp_path: Path) -> None:
    page = open_page(write(tmp_path, alignment))
    page.locator("#threshold").press("ArrowRight")
    for key in ("j", "k", "ArrowRight", "+", "0", "End"):
        page.keyboard.press(key)
    page.wait_for_timeout(100)
    expect(page.locator("body")).to_contain_text(says)


def test_the_truth_is_drawn(open_page: Open, tmp_path: Path) -> None:
    truth = [(5.0 * k + 4, 5.0 * k + 9) if k % 2 else None for k in range(30)]
    page = open_page(write(tmp_path, sample(), truth=truth))
    expect(page.locator("#key-truth")).to_be_visible()
    colours = page.evaluate(
        """() => {
          const canvas = $('axis'), context = canvas.getContext('2d'), y = TICKS + 2 * (LANE + 2) + 4;
          const at = (second) => [...context.getImageData(Math.floor(across(second)), y, 1, 1).data];
          return [at(7 * 5 + 6), at(9 * 5 + 1), colours.truth];
        }"""
    )
    drawn, blank, colour = colours
    assert drawn[:3] == [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    assert blank[3] == 0
    page.locator(row(page, 2)).click()
    expect(page.locator("#chosen")).to_contain_text("cannot be seen")
