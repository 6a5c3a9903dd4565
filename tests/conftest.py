"""Fixtures that every room's tests share, and what no test may do: skip parity, log errors."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def media_folder() -> Path:
    """Where the real videos lie, if they are here."""
    return Path(os.environ.get("VIDALIGN_TEST_MEDIA", ROOT.parent / "shared" / "media"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped `parity` test has failed, and so has a skipped `media` test where the videos are here."""
    report = yield
    never = item.get_closest_marker("parity") or (
        item.get_closest_marker("media") and media_folder().is_dir()
    )
    if never and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} must not be skipped: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What the person who runs the tests has configured does not reach them."""
    for name in [name for name in os.environ if name.startswith("VIDALIGN_")]:
        if not name.startswith("VIDALIGN_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("VIDALIGN_CONFIG_DIR", str(tmp_path_factory.getbasetemp() / "no-config"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path_factory.getbasetemp() / "no-hub"))


class ErrorLog(logging.Handler):
    """Keeps what is logged as an ERROR."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record."""
        self.records.append(record)


@pytest.fixture(autouse=True)
def logged_errors() -> Iterator[list[logging.LogRecord]]:
    """Fails every test in which `vidalign` logs an ERROR; one that expects it clears this list."""
    logger, handler = logging.getLogger("vidalign"), ErrorLog()
    level, handlers = logger.level, list(logger.handlers)
    logger.addHandler(handler)
    yield handler.records
    logger.setLevel(level)
    logger.handlers[:] = handlers
    assert not [record.getMessage() for record in handler.records]


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of outputs of the reference implementations."""
    return Path(__file__).parent / "data" / "golden"


@pytest.fixture(scope="session")
def media() -> Path:
    """The folder of real videos; the test is skipped where it is absent."""
    folder = media_folder()
    if not folder.is_dir():
        pytest.skip(f"no folder of real videos at {folder}; set VIDALIGN_TEST_MEDIA")
    return folder
