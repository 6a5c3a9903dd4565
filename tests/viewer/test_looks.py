"""Pages at three widths, dark and light: nothing overflows, overlaps, is unnamed or too faint."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.viewer.conftest import Open, until
from tests.viewer.sample import sample
from tests.viewer.test_browser import write
from vidalign.viewer.page import Entry, index_page

SIZES = pytest.mark.parametrize(
    ("width", "height"),
    [(1440, 900), (820, 1180), (390, 844), (667, 375)],
    ids=["wide", "tablet", "phone", "lying"],
)
LONG = "a sentence that is much longer than any phone is wide, and has averyveryverylongword" + "o" * 300

FAINT = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || element.disabled || element.closest('script, style, noscript')) continue;
    if (!element.checkVisibility()) continue;
    const text = parse(getComputedStyle(element).color);
    const [more, less] = [light(text), light(behind(element))].sort((a, b) => b - a);
    const ratio = (more + 0.05) / (less + 0.05), name = element.id || element.className || element.localName;
    if (ratio < 4.5) faint.push(`${name}: ${ratio.toFixed(2)}`);
  }
  return faint;
}"""

BOXES = """() => Object.fromEntries(['screen', 'axis', 'matrix', 'search', 'threshold', 'list'].map((id) => {
  const box = document.getElementById(id).getBoundingClientRect();
  return [id, [box.left, box.top, box.right, box.bottom]];
}))"""

SIGHT = """() => ['#list', '[aria-selected=true]'].flatMap((found) => {
  const box = document.querySelector(found).getBoundingClientRect();
  return [box.top, box.bottom];
})"""


@pytest.fixture
def opened(open_page: Open, tmp_path_factory: pytest.TempPathFactory) -> Open:
    """Opens the sample, with long texts, at a size."""
    texts = [LONG, "卵を混ぜて、フライパンに流し込みます", "مرحبا بالعالم"]
    path = write(tmp_path_factory.mktemp("page"), sample(30, texts=texts), truth=[(1.0, 9.0)] * 30)

    def call(*_: object, **size: object) -> Page:
        page = open_page(path, **size)
        until(page, "video.readyState >= 1")
        page.keyboard.press("j")
        return page

    return call


@SIZES
def test_all_parts_have_their_place(width: int, height: int, opened: Open) -> None:
    page = opened(width=width, height=height)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = page.evaluate(BOXES)
    for name, (left, top, right, bottom) in boxes.items():
        assert left >= 0 and right <= width, name
        assert right - left >= 90, f"{name} is {right - left} wide"
        assert bottom - top >= {"matrix": 60, "list": 120, "screen": 100}.get(name, 10), f"{name} is flat"
    names = list(boxes)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            assert not overlap(boxes[one], boxes[other]), f"{one} and {other}"
    if height > 700:
        assert page.evaluate("document.documentElement.scrollHeight") <= height, "one screen"
        assert max(box[3] for box in boxes.values()) <= height


def overlap(a: list[float], b: list[float]) -> bool:
    return min(a[2], b[2]) - max(a[0], b[0]) > 1 and min(a[3], b[3]) - max(a[1], b[1]) > 1


@SIZES
def test_the_sentence_chosen_is_in_sight(width: int, height: int, opened: Open) -> None:
    page = opened(width=width, height=height)
    for key in ["j"] * 12 + ["k"] * 8:
        page.keyboard.press(key)
        top, bottom, first, last = page.evaluate(SIGHT)
        assert top - 1 <= first < last <= bottom + 1


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_stands_out(dark: bool, opened: Open) -> None:
    page = opened(width=1440, height=900, dark=dark)
    page.evaluate("seek(41)")
    page.wait_for_timeout(300)
    assert page.evaluate(FAINT) == []
    page.keyboard.press("?")
    assert page.evaluate(FAINT) == []


def test_the_check_of_contrast_can_fail(opened: Open) -> None:
    page = opened(width=1440, height=900)
    page.evaluate("$('said').style.color = '#aaa'")
    assert [line.split(":")[0] for line in page.evaluate(FAINT)] == ["said"]


def test_whatever_takes_the_focus_has_a_name(opened: Open) -> None:
    page = opened(width=1440, height=900)
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    unnamed, named = [], 0
    for node in nodes:
        properties = {entry["name"]: entry["value"].get("value") for entry in node.get("properties", [])}
        if node.get("ignored") or not properties.get("focusable"):
            continue
        role, name = node["role"]["value"], node.get("name", {}).get("value", "")
        named += bool(name.strip())
        if not name.strip() and role not in ("RootWebArea", "generic"):
            unnamed.append(role)
    assert unnamed == []
    assert named > 15


def test_the_focus_is_seen_and_goes_everywhere(opened: Open) -> None:
    page = opened(width=1440, height=900)
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        state = page.evaluate(
            "[document.activeElement.id, getComputedStyle(document.activeElement).outlineStyle !== 'none']"
        )
        reached.append(state[0])
    assert {"theme", "video", "zoom-in", "axis", "search", "threshold", "list"} <= set(reached)
    page.locator("#list").focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("getComputedStyle(list).outlineStyle") == "solid"


def test_sentences_are_options_that_say_what_they_are(opened: Open) -> None:
    page = opened(width=1440, height=900)
    option = page.get_by_role("option", name="aligned 0.90 0:15–0:18 → 0:19–0:23 sentence 3 of the sample")
    expect(option).to_have_attribute("aria-setsize", "30")
    expect(option).to_have_attribute("aria-posinset", "4")
    expect(page.get_by_role("listbox", name="Sentences")).to_be_visible()
    expect(page.get_by_role("slider", name="Time")).to_have_attribute("aria-valuemax", "170.0")
    expect(page.get_by_role("img", name="Similarity of 30 sentences (down) with 160 clips")).to_be_visible()


@SIZES
def test_the_index_fits(width: int, height: int, open_page: Open, tmp_path) -> None:
    entries = [Entry(f"video {k} {LONG}", f"{k}.html", 10, k, k - 3.0, "mini") for k in range(8)]
    path = tmp_path / "index.html"
    path.write_text(index_page(entries), "utf-8")
    page = open_page(path, width=width, height=height)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(FAINT) == []
    path.write_text(index_page([]), "utf-8")
    expect(open_page(path, dark=True).locator("#none")).to_have_text("There are no alignments.")
