"""Steps in a video: the published assignment, by hand, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.letters import Letters, letters_aligner, seconds
from vidalign.aligners.scores import Scores
from vidalign.aligners.windowing import Windowing
from vidalign.errors import DataError, ModelError
from vidalign.evaluation.steps import FREE, ORDERED, PUBLISHED, locate, read_steps
from vidalign.types import Features, Sentence


class ClosedForm(Letters):
    """Logits that the published assignment is known for."""

    score_name = "dot"

    def score(self, features: Features, sentences: Sequence[Sentence], windowing: Windowing) -> Scores:
        logits = np.cos(0.7 * np.arange(36)).reshape(12, 3).T
        return Scores(logits.astype(np.float32), None, {})


@pytest.mark.parity
def test_crosstask_s_own_assignment(golden: Path) -> None:
    known = json.loads((golden / "crosstask_dp.json").read_text())["Y"]
    assigned = np.array(known["neg_log_softmax(cos(0.7 n)), defaults"])
    located = locate(seconds("." * 12), ["1", "2", "3"], letters_aligner(ClosedForm()), PUBLISHED)
    assert (located.seconds - 0.5).tolist() == assigned.argmax(axis=0).tolist()


def test_order_decides_where_a_step_is_shown_twice() -> None:
    video, steps = seconds("b.a..b"), ["a", "b"]
    ordered, free = (locate(video, steps, letters_aligner(), decoder) for decoder in (ORDERED, FREE))
    assert ordered.seconds.tolist() == [2.5, 5.5]
    assert free.seconds.tolist() == [2.5, 0.5]
    assert ordered.segments.tolist() == [[2, 3], [5, 6]]
    assert ordered.scores.tolist() == [1, 1]
    assert ordered.steps == ("a", "b")


def test_a_step_that_is_left_out_has_no_place() -> None:
    half = "drop-dtw:sentences=32.6,clips=32.6"
    located = locate(seconds("aaaabbbb"), ["a", "c", "b"], letters_aligner(), half)
    assert np.isnan(located.seconds).tolist() == [False, True, False]
    assert np.isnan(located.segments[1]).all() and np.isnan(located.scores[1])


def test_steps_are_lines(tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("\ufeff add the eggs \n\n\tstir\n", "utf-8")
    assert read_steps(tmp_path / "s.txt") == ("add the eggs", "stir")
    (tmp_path / "s.txt").write_text(" \n\n")
    with pytest.raises(DataError, match="has no step"):
        read_steps(tmp_path / "s.txt")
    (tmp_path / "s.txt").write_bytes(b"\xff\xfe\x00stir")
    with pytest.raises(DataError, match="not a text file in UTF-8"):
        read_steps(tmp_path / "s.txt")
    with pytest.raises(DataError, match="cannot read"):
        read_steps(tmp_path / "gone.txt")


def test_what_does_not_fit_is_refused() -> None:
    broken = seconds("ab")
    broken.features[0, 0] = np.inf
    for features, steps, message in (
        (seconds("ab"), ["a", "b", "c"], "3 steps do not fit into 2 seconds"),
        (seconds("a"), ["a"], "1 clip: no order can be found"),
        (seconds("ab"), [], "there is no step to look for"),
        (broken, ["a"], "NaN or infinity"),
        (Features(np.ones((4, 3), np.float32), seconds("aaaa").times), ["a"], "3 wide, mini needs 8"),
    ):
        with pytest.raises(DataError, match=message):
            locate(features, steps, letters_aligner())
    with pytest.raises(ModelError, match="unknown decoder 'dream'"):
        locate(seconds("ab"), ["a"], letters_aligner(), "dream")
