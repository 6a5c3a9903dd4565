from __future__ import annotations

from pathlib import Path

import pytest

from vidalign.errors import DataError, UsageError
from vidalign.evaluation.files import NamedFiles
from vidalign.evaluation.leftout import LeftOut


def test_a_video_without_a_file_and_one_with_two_stop_no_other() -> None:
    files = NamedFiles([("a", Path("a.h5")), ("x/b", Path("x/b.h5")), ("y/b", Path("y/b.h5"))])
    left, told = LeftOut(), []
    found = list(left.paths(["none", "b", "a"], files, lambda done, video: told.append((done, video))))
    assert found == [("a", Path("a.h5"))]
    assert left.missing == ["none"]
    assert "several files fit b" in str(left.failed["b"])
    assert told == [(0, "none"), (1, "b"), (2, "a")]


def test_an_error_is_kept_under_the_name_and_told_with_where() -> None:
    left = LeftOut()
    with left.bad("talk", "mini, "):
        raise DataError("no clip")
    assert left.failed["talk"].message == "mini, talk: no clip"
    assert left.why(DataError("nothing")) is left.failed["talk"]
    assert LeftOut().why(DataError("nothing")).message == "nothing"


def test_an_error_of_usage_ends_the_evaluation() -> None:
    left = LeftOut()
    with pytest.raises(UsageError), left.bad("talk"):
        raise UsageError("no such model")
    assert not left.failed
