"""All deterministic processes of a run compute with as many threads as its first one did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tiny import draw_video, made_features, write_vtt
from vidalign.backbones.encode import Encoder
from vidalign.backbones.runtimes import openvino
from vidalign.batch import align
from vidalign.batch.align import align_pairs
from vidalign.batch.extract import Planned, extract_items
from vidalign.batch.extraction import Extraction
from vidalign.batch.pipeline import Settings
from vidalign.batch.remote.outputs import RemoteOutputs
from vidalign.batch.runfile import Wanted, open_run, recorded_threads
from vidalign.batch.settings import AlignRun, Pair
from vidalign.batch.steady import computing_with
from vidalign.store.features import write_features
from vidalign.store.items import find_items
from vidalign.store.remote import RemotePlace

STEADY = Settings(workers=0, deterministic=True)


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    """The machine would choose two."""
    usual = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    assert torch.get_num_threads() == 2
    torch.set_num_threads(usual)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The threads that each batch is computed with."""
    found: list[int] = []
    once = Encoder._features

    def noted(self: Encoder, group: Any) -> torch.Tensor:
        found.append(torch.get_num_threads())
        return once(self, group)

    monkeypatch.setattr(Encoder, "_features", noted)
    return found


def extract(out: Path, video: Path, settings: Settings = STEADY, **how: Any) -> list[str]:
    plan = [Planned(Extraction("mini", **how), find_items([video], out))]
    return [result.status for result in extract_items(plan, settings=settings)]


def say(folder: Path, **what: object) -> None:
    told = json.loads((folder / "run.json").read_text())
    kept = {key: value for key, value in {**told, **what}.items() if key != "threads" or value is not None}
    (folder / "run.json").write_text(json.dumps(kept))


def test_the_first_one_says_the_number(tiny: Path, clip_file: Path, tmp_path: Path, seen: list[int]) -> None:
    assert extract(tmp_path, clip_file) == ["done"]
    assert recorded_threads(tmp_path, "extract") == 2
    assert set(seen) == {2}


def test_later_ones_follow(tiny: Path, clip_file: Path, tmp_path: Path, seen: list[int]) -> None:
    assert extract(tmp_path, clip_file, Settings(workers=0)) == ["done"]
    assert recorded_threads(tmp_path, "extract") is None
    say(tmp_path, threads=1)
    seen.clear()
    assert extract(tmp_path, draw_video(tmp_path / "b.mp4", 1.0)) == ["done"]
    assert set(seen) == {1}
    assert recorded_threads(tmp_path, "extract") == 1
    seen.clear()
    assert extract(tmp_path, draw_video(tmp_path / "c.mp4", 1.0), Settings(workers=0)) == ["done"]
    assert set(seen) == {2}


def test_a_run_file_of_an_older_form_gets_it(
    tiny: Path, clip_file: Path, tmp_path: Path, seen: list[int]
) -> None:
    assert extract(tmp_path, clip_file) == ["done"]
    say(tmp_path, threads=None)
    assert recorded_threads(tmp_path, "extract") is None
    torch.set_num_threads(1)
    seen.clear()
    assert extract(tmp_path, draw_video(tmp_path / "b.mp4", 1.0)) == ["done"]
    torch.set_num_threads(2)
    assert (set(seen), recorded_threads(tmp_path, "extract")) == ({1}, 1)


def test_it_is_not_put_under_others_at_work(tmp_path: Path) -> None:
    first = open_run(Wanted(tmp_path, "extract", dict))
    open_run(Wanted(tmp_path, "extract", dict, threads=3)).close()
    assert recorded_threads(tmp_path, "extract") is None
    first.close()
    open_run(Wanted(tmp_path, "extract", dict, threads=3)).close()
    open_run(Wanted(tmp_path, "extract", dict, threads=4)).close()
    assert recorded_threads(tmp_path, "extract") == 3


def test_who_comes_second_at_the_same_time_follows(
    tiny: Path, clip_file: Path, tmp_path: Path, seen: list[int]
) -> None:
    """Another process writes the run file between this one's look and its own writing."""
    plan = [Planned(Extraction("mini"), find_items([clip_file], tmp_path))]
    results = extract_items(plan, settings=STEADY, joined=lambda: say(tmp_path, threads=1))
    assert [result.status for result in results] == ["done"]
    assert set(seen) == {1}


def test_a_number_that_makes_no_sense_is_none(tmp_path: Path) -> None:
    for number in (0, -1, "2", 1.5, True):
        open_run(Wanted(tmp_path, "extract", dict)).close()
        say(tmp_path, threads=number)
        assert recorded_threads(tmp_path, "extract") is None


def test_openvino_computes_with_it(
    tiny: Path, clip_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers: list[int] = []
    once = openvino._request

    def noted(folder: Path) -> Any:
        request = once(folder)
        numbers.append(request.get_compiled_model().get_property("INFERENCE_NUM_THREADS"))
        return request

    monkeypatch.setattr(openvino, "_request", noted)
    assert extract(tmp_path / "one", clip_file, runtime="openvino") == ["done"]
    assert numbers[-1] == 2
    say(tmp_path / "one", threads=1)
    assert extract(tmp_path / "one", draw_video(tmp_path / "b.mp4", 1.0), runtime="openvino") == ["done"]
    assert numbers[-1] == 1


def test_alignments_and_features_on_the_way_have_their_own(
    tiny: Path, clip_file: Path, tmp_path: Path, seen: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers: list[int] = []
    once = align.align_with

    def noted(*how: Any) -> Any:
        numbers.append(torch.get_num_threads())
        return once(*how)

    monkeypatch.setattr(align, "align_with", noted)
    words = write_vtt(tmp_path / "a.vtt", "stir the egg", "put water")
    write_features(tmp_path / "f.h5", made_features(4))

    def aligned(name: str, **how: Any) -> list[str]:
        pair = Pair(name, clip_file, words, tmp_path / "out" / f"{name}.align.h5", **how)
        run = AlignRun("mini", device="cpu", save_features=None if how else tmp_path / "kept")
        made = align_pairs([pair], run, folder=tmp_path / "out", settings=STEADY)
        return [result.status for result, _ in made]

    assert aligned("one", features=tmp_path / "f.h5") == ["done"]
    assert (numbers, recorded_threads(tmp_path / "out", "align")) == ([2], 2)
    say(tmp_path / "out", threads=1)
    assert aligned("two") == ["done"]
    assert (numbers, set(seen)) == ([2, 1], {1})
    assert recorded_threads(tmp_path / "kept", "extract") == 1
    say(tmp_path / "kept", threads=3)
    seen.clear()
    assert aligned("three.mp4") == ["done"]
    assert (numbers, set(seen)) == ([2, 1, 1], {3})


def test_by_url_the_one_that_is_there_is_followed(tmp_path: Path) -> None:
    place = RemotePlace("memory://steady/out")
    try:
        for folder, threads in ((tmp_path / "a", 3), (tmp_path / "b", 4)):
            outputs = RemoteOutputs(place.url, folder, listed=False)
            open_run(Wanted(folder, "extract", dict, threads=threads)).close()
            outputs.announce()
            assert recorded_threads(folder, "extract") == 3
    finally:
        place.below("run.json").remove()


def test_the_usual_number_comes_back() -> None:
    with computing_with(1):
        assert torch.get_num_threads() == 1
        with computing_with(None), computing_with(3):
            assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == 2
