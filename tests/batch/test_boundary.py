"""What goes wrong with one item is that item's error; what is wrong with the run ends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidalign.batch.boundary import InternalError, attempt
from vidalign.errors import DataError, ModelError, VidalignError, VideoError

SOURCE = Path("films/a.mp4")


def raising(error: BaseException) -> object:
    def work() -> None:
        raise error

    return attempt(work, SOURCE)


def test_a_result_passes_through() -> None:
    assert attempt(lambda: 7, SOURCE) == 7


def test_an_item_s_error_names_the_item_once() -> None:
    named = raising(VideoError("films/a.mp4 is empty", hint="get it again"))
    unnamed = raising(DataError("the features hold NaN"))
    assert isinstance(named, VideoError)
    assert isinstance(unnamed, DataError)
    assert (named.message, named.hint) == ("films/a.mp4 is empty", "get it again")
    assert unnamed.message == "films/a.mp4: the features hold NaN"


def test_an_error_of_the_run_ends_the_run() -> None:
    with pytest.raises(ModelError):
        raising(ModelError("model 'x' is not on this machine"))


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_signals_pass_through(end: type[BaseException]) -> None:
    with pytest.raises(end):
        raising(end())


def test_the_unforeseen_is_told_in_one_line() -> None:
    error = raising(ZeroDivisionError("float\n  division"))
    assert isinstance(error, InternalError)
    assert error.kind == "InternalError"
    assert error.message == "films/a.mp4: ZeroDivisionError: float division"
    assert "VIDALIGN_DEBUG" in error.hint
    bare = raising(RuntimeError())
    assert isinstance(bare, VidalignError)
    assert bare.message == "films/a.mp4: RuntimeError: no message"


@pytest.mark.parametrize(("value", "passes"), [("1", True), ("0", False), ("", False)])
def test_for_debugging_the_unforeseen_passes_through(
    value: str, passes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDALIGN_DEBUG", value)
    if passes:
        with pytest.raises(ZeroDivisionError):
            raising(ZeroDivisionError())
    else:
        assert isinstance(raising(ZeroDivisionError()), InternalError)
