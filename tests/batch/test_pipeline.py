"""Many videos at a time: each gets its own features, whatever becomes of the others."""

from __future__ import annotations

import math
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.tiny import draw_video
from vidalign.backbones.encode import Encoder
from vidalign.batch import modelling, pipeline, readers
from vidalign.batch.child.parent import Child
from vidalign.batch.device import Place
from vidalign.batch.encoding import extract_features
from vidalign.batch.extraction import Extraction
from vidalign.batch.mixing import Mixer
from vidalign.batch.pipeline import Made, Pipeline, Settings, Work, extract_many
from vidalign.errors import ChildDiedError, ModelError, ReadTimeoutError, VidalignError, VideoError
from vidalign.types import Features
from vidalign.video.clips import cut_clips
from vidalign.video.open import open_video

MINI = Extraction("mini", dtype="float32")
HERE = Settings(workers=0)
LENGTHS = {"a": 3, "b": 1, "c": 5, "d": 2, "e": 6}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Five videos of 17 clips together."""
    folder = tmp_path_factory.mktemp("many")
    return [draw_video(folder / f"{n}.mp4", s, seed=i) for i, (n, s) in enumerate(LENGTHS.items())]


def works(videos: Iterable[Path], *extractions: Extraction) -> list[Work]:
    return [Work(video.stem, video, extractions or (MINI,)) for video in videos]


def features(made: Made) -> Features:
    (result,) = made.results
    assert isinstance(result, Features), result
    return result


def error(made: Made) -> VidalignError:
    (result,) = made.results
    assert isinstance(result, VidalignError)
    return result


def by_key(videos: Iterable[Path], settings: Settings = HERE) -> dict[str, Made]:
    return {made.key: made for made in extract_many(works(videos), settings)}


def copies(video: Path, folder: Path, *names: str) -> list[Path]:
    return [Path(shutil.copy(video, folder / f"{name}.mp4")) for name in names]


def left_over() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("vidalign-")]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """After each test every thread of the pipeline has ended."""
    yield
    assert not left_over()


def with_mishaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "reading_process", lambda: Child("tests.batch.mishaps:read"))


@pytest.mark.parametrize(
    "settings", [HERE, Settings(workers=0, memory=1), Settings(workers=0, deterministic=True)]
)
def test_each_is_as_alone(settings: Settings, tiny: Path, drawn: list[Path]) -> None:
    made = by_key(drawn, settings)
    assert set(made) == set(LENGTHS)
    for video in drawn:
        alone, among = extract_features(video, MINI), features(made[video.stem])
        assert among.times.tolist() == alone.times.tolist()
        assert (among.video, among.video_size, among.duration) == (
            alone.video,
            alone.video_size,
            alone.duration,
        )
        np.testing.assert_allclose(among.features, alone.features, rtol=1e-4, atol=1e-5)
        assert made[video.stem].seconds > 0


def test_batches_hold_clips_of_several_videos(
    tiny: Path, drawn: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    whole = Encoder._features

    def counted(self: Encoder, group: list[Any]) -> Any:
        sizes.append(len(group))
        return whole(self, group)

    monkeypatch.setattr(Encoder, "_features", counted)
    monkeypatch.setattr(modelling, "IDLE_SECONDS", 60)
    by_key(drawn)
    assert sum(sizes) == sum(LENGTHS.values())
    assert (
        len(sizes)
        == math.ceil(sum(sizes) / max(sizes))
        < sum(math.ceil(s / max(sizes)) for s in LENGTHS.values())
    )


def test_a_video_alone_is_not_kept_waiting(
    tiny: Path, drawn: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modelling, "IDLE_SECONDS", 60)
    assert len(features(by_key(drawn[:1])["a"]).features) == 3


def test_the_same_bytes_in_any_company(tiny: Path, drawn: list[Path]) -> None:
    """With `deterministic`: whatever the order and whoever reads."""
    steady = Settings(workers=0, deterministic=True)
    first = by_key(drawn, steady)
    for videos in (drawn[::-1], drawn[2:4]):
        for key, made in by_key(videos, steady).items():
            assert np.array_equal(features(made).features, features(first[key]).features)


def test_works_are_asked_for_late_and_in_this_thread(tiny: Path, drawn: list[Path]) -> None:
    asked: list[str] = []

    def coming() -> Iterator[Work]:
        for work in works(drawn * 4):
            assert threading.current_thread() is threading.main_thread()
            asked.append(work.key)
            yield work

    with closing(extract_many(coming(), Settings(workers=0, memory=1))) as many:
        assert asked == []
        for number, _ in enumerate(many, 1):
            assert len(asked) <= number + 5
            if number == 8:
                break


def test_where_there_is_no_work_right_now_it_is_asked_again(tiny: Path, drawn: list[Path]) -> None:
    done: list[str] = []

    def coming() -> Iterator[Work | None]:
        for number, work in enumerate(works(drawn[:3])):
            yield None
            yield work
            while len(done) <= number:
                yield None

    for made in extract_many(coming(), HERE):
        done.append(made.key)
    assert done == ["a", "b", "c"]


def test_so_many_cores_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "cores", lambda: 8)
    assert Pipeline(Settings())._decoding_threads() == 8
    assert Pipeline(Settings(cores=3))._decoding_threads() == 3


def test_a_pipeline_serves_again(tiny: Path, drawn: list[Path]) -> None:
    with Pipeline(HERE) as line:
        first = [made.key for made in line.extract_many(works(drawn[:2]))]
        kept = left_over()
        second = [made.key for made in line.extract_many(works(drawn[2:]))]
        assert kept == left_over() != []
    assert sorted(first + second) == sorted(LENGTHS)


def test_pictures_that_wait_stay_within_the_bound(
    tiny: Path, drawn: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    add = Mixer.add
    with Pipeline(Settings(workers=0, memory=800_000)) as line:

        def slow(self: Mixer, *given: Any) -> None:
            for _ in range(1 if seen else 600):  # at first: until the readers can go no further
                time.sleep(0.02)
                seen.append(line._shelf.weight)
                if seen[-1] > 600_000:
                    break
            add(self, *given)

        monkeypatch.setattr(Mixer, "add", slow)
        made = list(line.extract_many(works(drawn)))
    assert len(made) == len(drawn)
    assert 600_000 < max(seen) <= 800_000


def test_a_bad_file_and_a_missing_one_fail_alone(tiny: Path, drawn: list[Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video" * 99)
    made = by_key([bad, drawn[0], tmp_path / "gone.mp4"])
    assert isinstance(error(made["bad"]), VideoError)
    assert isinstance(error(made["gone"]), VideoError)
    assert len(features(made["a"]).features) == 3


def test_the_reader_is_named_where_it_was_known(tiny: Path, tmp_path: Path) -> None:
    short = draw_video(tmp_path / "short.mp4", 0.5)
    only = Extraction("mini", "s3d-16fps")
    ((failed,),) = [made.results for made in extract_many(works([short], only), HERE)]
    assert isinstance(failed, VideoError)
    assert failed.reader is not None
    assert failed.reader.split()[0] in ("decord", "pyav")


def falls_over(monkeypatch: pytest.MonkeyPatch, when: Any) -> None:
    add = Encoder.add

    def sometimes(self: Encoder, clip: Any) -> NDArray[np.float32]:
        if when(clip):
            raise RuntimeError("the model fell over")
        return add(self, clip)

    monkeypatch.setattr(Encoder, "add", sometimes)


def test_what_fails_in_a_batch_of_several_is_pinned_on_one(
    tiny: Path, drawn: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others' clips of that batch are encoded again."""
    with open_video(drawn[1]) as reader:
        marked = next(cut_clips(reader, MINI.resolved_recipe)).frames[0][0]
    alone = extract_features(drawn[2], MINI)
    falls_over(monkeypatch, lambda clip: np.array_equal(clip[0][0], marked))
    made = by_key(drawn)
    assert error(made["b"]).kind == "InternalError"
    assert "the model fell over" in error(made["b"]).message
    for key in "acde":
        assert len(features(made[key]).features) == LENGTHS[key]
    np.testing.assert_allclose(features(made["c"]).features, alone.features, rtol=1e-4, atol=1e-5)


def test_an_error_of_one_backbone_leaves_the_other(tiny: Path, drawn: list[Path], tmp_path: Path) -> None:
    recipe = tmp_path / "big.yaml"
    recipe.write_text(
        "fps: 8\nframes: 8\nstride: 1\nresize: none\ncrop: center\ncrop_size: 128\nlayer: mixed_5c\n"
    )
    both = [made.results for made in extract_many(works(drawn, Extraction("mini", recipe), MINI), HERE)]
    assert len(both) == len(drawn)
    for big, small in both:
        assert "smaller than the crop of 128" in str(big)
        assert isinstance(small, Features)


def test_videos_of_other_shapes_share_no_batch(tiny: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "wide.yaml"
    recipe.write_text("fps: 8\nframes: 8\nstride: 1\nsize: 64\ncrop: none\nlayer: mixed_5c\ntail: repeat\n")
    sizes = [(96, 64), (144, 64), (96, 192)]
    videos = [draw_video(tmp_path / f"{n}.mp4", 3, seed=n, size=size) for n, size in enumerate(sizes)]
    wide = Extraction("mini", recipe, dtype="float32")
    made = list(extract_many(works(videos, wide), HERE))
    for each in made:
        alone = extract_features(next(v for v in videos if v.stem == each.key), wide)
        np.testing.assert_allclose(features(each).features, alone.features, rtol=1e-4, atol=1e-5)


def test_an_error_of_usage_ends_the_run(
    tiny: Path, drawn: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Extraction, *given: Any, **how: Any) -> Encoder:
        raise ModelError("the weights do not fit")

    monkeypatch.setattr(Extraction, "encoder", broken)
    with pytest.raises(ModelError, match="do not fit"):
        by_key(drawn)


def test_progress_comes_as_the_network_comes_on(tiny: Path, drawn: list[Path]) -> None:
    told: list[tuple[str, float, float | None]] = []
    list(extract_many(works(drawn[:2]), HERE, lambda *done: told.append(done)))
    assert [done for key, *done in told if key == "a"] == [[1.0, 3.0], [2.0, 3.0], [3.0, 3.0]]


def test_two_devices_share_the_videos(tiny: Path, drawn: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two places on the CPU stand for two GPUs: a thread each, a video on one of them."""
    used: dict[str, set[str]] = {}
    add = Mixer.add

    def noted(self: Mixer, making: Any, video: Path, clip: Any) -> None:
        used.setdefault(video.stem, set()).add(threading.current_thread().name)
        add(self, making, video, clip)

    monkeypatch.setattr(Mixer, "add", noted)
    monkeypatch.setattr(Extraction, "places", (Place("cpu", "float32"), Place("cpu", "float32")))
    fresh = Extraction("mini", dtype="float32")
    made = {each.key: each for each in extract_many(works(drawn, fresh), HERE)}
    assert {name for names in used.values() for name in names} == {"vidalign-model-0", "vidalign-model-1"}
    assert all(len(names) == 1 for names in used.values())
    for video in drawn:
        alone = extract_features(video, MINI)
        np.testing.assert_allclose(features(made[video.stem]).features, alone.features, rtol=1e-4, atol=1e-5)


def test_what_is_opened_for_a_video_is_read_and_left_again(
    tiny: Path, drawn: list[Path], tmp_path: Path
) -> None:
    """As for a file that is fetched: the features know the video by its own name."""
    log: list[str] = []

    @contextmanager
    def fetched() -> Iterator[Path]:
        log.append("in")
        yield drawn[0]
        log.append("out")

    @contextmanager
    def refused() -> Iterator[Path]:
        raise VideoError("it is not to be had")
        yield drawn[0]

    given = [
        Work("far", tmp_path / "far.mp4", (MINI,), fetched),
        Work("refused", tmp_path / "refused.mp4", (MINI,), refused),
    ]
    made = {each.key: each for each in extract_many(given, HERE)}
    assert (features(made["far"]).video, log) == ("far.mp4", ["in", "out"])
    assert "it is not to be had" in error(made["refused"]).message


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_processes_that_hang_die_or_fail_take_nothing_along(
    tiny: Path, drawn: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_mishaps(monkeypatch)
    monkeypatch.setattr(readers, "STALL_SECONDS", 6.0)
    videos = copies(drawn[0], tmp_path, "hang", "fine", "good", "die", "fault", "last")
    with Pipeline(Settings(workers=2)) as line:
        made = {each.key: each for each in line.extract_many(works(videos))}
        pids = [reader._child.pid for reader in line._readers if reader._child]
        assert len(pids) == 2
    assert isinstance(error(made["hang"]), ReadTimeoutError)
    assert "hung for 6 s" in error(made["hang"]).message
    assert isinstance(error(made["die"]), ChildDiedError)
    assert "SIGSEGV" in error(made["die"]).message
    assert "ZeroDivisionError: unforeseen" in error(made["fault"]).message
    for key in ("hang", "die", "fault"):
        assert str(tmp_path) in error(made[key]).message
        assert error(made[key]).reader is not None
    assert list(made).index("hang") > list(made).index("fine")
    alone = extract_features(drawn[0], MINI)
    for key in ("fine", "good", "last"):
        np.testing.assert_allclose(features(made[key]).features, alone.features, rtol=1e-4, atol=1e-5)
    assert not any(pid is not None and alive(pid) for pid in pids)


def test_a_video_may_take_so_long_and_no_longer(
    tiny: Path, drawn: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_mishaps(monkeypatch)
    slow, fine = copies(drawn[4], tmp_path, "slow", "fine")
    made = by_key([slow, fine], Settings(workers=1, timeout=8.0))
    assert isinstance(error(made["slow"]), ReadTimeoutError)
    assert "more than 8 s" in error(made["slow"]).message
    assert len(features(made["fine"]).features) == 6


def test_read_by_a_process_the_bytes_are_the_same(tiny: Path, drawn: list[Path]) -> None:
    (made,) = extract_many(works(drawn[4:]), Settings(workers=1))
    alone = extract_features(drawn[4], MINI)
    assert np.array_equal(features(made).features, alone.features)
    assert {name: getattr(features(made), name) for name in SAID} == {
        name: getattr(alone, name) for name in SAID
    }


def test_given_up_early_nothing_runs_on(
    tiny: Path, drawn: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_mishaps(monkeypatch)
    videos = copies(drawn[1], tmp_path, "fine", "hang", "hang2")
    with Pipeline(Settings(workers=2)) as line:
        with closing(line.extract_many(works(videos))) as many:
            assert next(many).key == "fine"
            pids = [reader._child.pid for reader in line._readers if reader._child]
        began = time.monotonic()
    assert time.monotonic() - began < 5
    assert pids
    assert not any(pid is not None and alive(pid) for pid in pids)


def test_auto_reads_with_more_while_the_network_waits(
    tiny: Path, drawn: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modelling, "HUNGRY_SECONDS", 0.1)
    monkeypatch.setattr(pipeline, "cores", lambda: 3)
    reading = readers.read

    def slowly(request: Any, beat: Any) -> Iterator[Any]:
        for message in reading(request, beat):
            time.sleep(0.1)
            yield message

    monkeypatch.setattr(readers, "read", slowly)
    videos = copies(drawn[0], tmp_path, *"abcdefghi")
    with Pipeline(Settings()) as line:
        threads = [line._decoding_threads()]
        assert len(list(line.extract_many(works(videos)))) == 9
        threads.append(line._decoding_threads())
        assert 1 < len(line._readers) <= 3
    assert threads == [3, 3]


def test_auto_keeps_to_one_while_it_is_enough(
    tiny: Path, drawn: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Mixer.add

    def slow(self: Mixer, *given: Any) -> None:
        time.sleep(0.05)
        add(self, *given)

    monkeypatch.setattr(Mixer, "add", slow)
    monkeypatch.setattr(modelling, "HUNGRY_SECONDS", 1.5)
    with Pipeline(Settings()) as line:
        list(line.extract_many(works(drawn)))
        assert len(line._readers) == 1


SAID = ("reader", "video", "video_size", "duration", "video_start", "truncated", "decoded_until", "runtime")
