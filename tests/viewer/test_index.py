"""The index of several pages in a real browser: its search, its order, its links."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.viewer.conftest import Open
from tests.viewer.sample import sample
from tests.viewer.test_browser import write
from vidalign.viewer.page import Entry, index_page

ENTRIES = [
    Entry("Crêpes.mp4", "page.html", 30, 10, 4.5, "tan"),
    Entry("eggs.mp4", "b.html", 8, 8, -2.0, "mini"),
    Entry("<img src=x onerror=alert(1)>", "c.html", 100, 0, None, None),
]


def test_search_order_and_links(open_page: Open, tmp_path: Path) -> None:
    write(tmp_path, sample())
    (tmp_path / "index.html").write_text(index_page(ENTRIES), "utf-8")
    page = open_page(tmp_path / "index.html")
    names = page.locator("#entries a")
    expect(names).to_have_text(["<img src=x onerror=alert(1)>", "Crêpes.mp4", "eggs.mp4"])
    expect(page.locator("#count")).to_have_text("3 alignments")
    page.get_by_role("button", name="Sentences").click()
    expect(names).to_have_text(["eggs.mp4", "Crêpes.mp4", "<img src=x onerror=alert(1)>"])
    page.get_by_role("button", name="Sentences").click()
    expect(names).to_have_text(["<img src=x onerror=alert(1)>", "Crêpes.mp4", "eggs.mp4"])
    expect(page.get_by_role("columnheader", name="Sentences")).to_have_attribute("aria-sort", "descending")
    page.locator("#search").fill("crepes tan")
    expect(names).to_have_text(["Crêpes.mp4"])
    expect(page.locator("#count")).to_have_text("1 of 3 alignments")
    page.locator("#search").fill("nothing like it")
    expect(page.locator("#none")).to_have_text("No alignment matches.")
    page.locator("#search").fill("crêp")
    names.click()
    expect(page.locator("#count")).to_have_text("10 of 30 sentences aligned")
