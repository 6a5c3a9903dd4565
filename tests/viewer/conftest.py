"""A real browser, headless, in which pages are opened from files and watched."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

WANTED = os.environ.get("VIDALIGN_TEST_BROWSER")
"""Path of a Chromium; where it is given, the tests in a browser fail rather than skip."""

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium, as installed on the system."""
    path = WANTED or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium here; install it, or set VIDALIGN_TEST_BROWSER to one")
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@dataclass
class Watch:
    """What a page complained of, and what it asked for."""

    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        """Note a line of the console, but for the advice to tests that read canvases."""
        if "willReadFrequently" not in line:
            self.complaints.append(line)


Open = Callable[..., Page]
"""Opens an HTML file at a width and height, dark or light, and waits until it has drawn itself."""


def until(page: Page, holds: str, seconds: float = 20) -> None:
    """Wait until an expression holds; the driver's own waiting needs eval, which the policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(f"Boolean({holds})"):
        assert time.monotonic() < end, f"{holds} did not come true"
        page.wait_for_timeout(50)


@pytest.fixture
def watch() -> Watch:
    """Filled by `open_page`; a test that expects a complaint clears the list."""
    return Watch()


@pytest.fixture
def open_page(browser: Browser, watch: Watch) -> Iterator[Open]:
    """Fails the test when a page logs an error or asks for anything that is not a file."""
    contexts = []

    def call(path: Path, *, width: int = 1280, height: int = 800, dark: bool = False) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: watch.say(message.text))
        page.on("pageerror", lambda error: watch.complaints.append(str(error)))
        page.on("request", lambda request: watch.requests.append(request.url))
        page.goto(path.absolute().as_uri())
        page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)
        return page

    yield call
    for context in contexts:
        context.close()
    assert watch.complaints == []
    assert [url for url in watch.requests if not url.startswith(("file:", "blob:", "data:"))] == []
