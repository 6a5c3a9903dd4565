"""Take docs/images/page.png and page-phone.png, the pictures of a page in the README, in a real browser.

Run from the top of the repository, where Chromium is installed: python docs/make_screenshots.py [CHROMIUM]
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "howto"
IMAGES = ROOT / "docs" / "images"
SENTENCE = "and then the small checkered purple crescent becomes full"


def vidalign(*args: str | Path) -> None:
    """One command of vidalign."""
    program = "from vidalign.cli.main import run; run()"
    subprocess.run([sys.executable, "-c", program, *map(str, args)], check=True)


def shoot(browser: Browser, page: Path, image: Path, width: int, height: int, *, dark: bool) -> None:
    """Choose one sentence on the page and take its picture at a size."""
    scheme = "dark" if dark else "light"
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    tab = context.new_page()
    tab.goto(page.as_uri())
    tab.wait_for_selector("html[data-ready]", state="attached")
    tab.get_by_role("option", name=SENTENCE).click()
    tab.evaluate("seek(22)")
    tab.wait_for_timeout(4000)  # the controls of the video fade out
    tab.screenshot(path=image)
    context.close()


def main(chromium: str) -> None:
    """Align the example, make its page, and take the pictures."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        alignment, page = Path(folder) / "howto.align.h5", Path(folder) / "howto.html"
        vidalign("align", f"{EXAMPLE}.mp4", f"{EXAMPLE}.vtt", "-o", alignment)
        vidalign(
            *("view", alignment, "-o", page, "--video", f"{EXAMPLE}.mp4", "--truth", f"{EXAMPLE}.truth.json")
        )
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        shoot(browser, page, IMAGES / "page.png", 1360, 880, dark=False)
        shoot(browser, page, IMAGES / "page-phone.png", 390, 844, dark=True)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else shutil.which("chromium") or "chromium")
