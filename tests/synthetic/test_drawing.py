from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from vidalign.synthetic.drawing import SUB, draw_frames, poses
from vidalign.synthetic.encoding import rgb_to_yuv420
from vidalign.synthetic.lexicon import ACTIONS, COLOURS, SHAPES
from vidalign.synthetic.settings import WorldSettings
from vidalign.synthetic.world import Plan, Shot, Step

SETTINGS = WorldSettings(seconds=20)


def one_step(
    colour: str = "red", shape: str = "circle", action: str = "spin", texture: str = "plain"
) -> Plan:
    step = Step(colour, shape, action, "medium", texture, 12, 60)
    shots = (Shot(0, 12, None, 5), Shot(12, 60, 0, 6), Shot(60, 72, None, 7))
    return Plan("one", "test", SETTINGS, (step,), shots)


def near(frame: NDArray[np.uint8], colour: str) -> int:
    """Pixels that look like that colour."""
    difference = frame.astype(int) - np.array(COLOURS[colour].rgb)
    return int((np.abs(difference).max(axis=-1) < 30).sum())


@pytest.mark.parametrize("colour", COLOURS)
def test_a_colour_is_seen_in_its_step_and_nowhere_else(colour: str) -> None:
    frames = list(draw_frames(one_step(colour)))
    assert len(frames) == 72
    assert min(near(frame, colour) for frame in frames[12:60]) > 500
    assert max(near(frame, colour) for frame in frames[:12] + frames[60:]) == 0


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_changes_the_picture_within_a_second(action: str) -> None:
    frames = list(draw_frames(one_step(shape="star", action=action)))
    seen = [near(frame, "red") for frame in frames[12:60]]
    assert max(seen) > 200
    window = np.array([frame.astype(int) for frame in frames[24:36]])
    assert (window.max(axis=0) - window.min(axis=0)).max() > 100


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("size", ("small", "large"))
def test_objects_stay_in_the_centre_square(action: str, size: str) -> None:
    plan = one_step(action=action)
    step, shot = replace(plan.steps[0], size=size), replace(plan.shots[1], offset=(8, 6))
    half = SETTINGS.height * SUB // 2
    for frame in range(48):
        for pose in poses(step, shot, frame):
            assert max(abs(pose.x), abs(pose.y)) + pose.radius <= half


def test_shapes_differ() -> None:
    pictures = {shape: list(draw_frames(one_step(shape=shape, action="left")))[20] for shape in SHAPES}
    assert len({picture.tobytes() for picture in pictures.values()}) == len(SHAPES)


@pytest.mark.parametrize(
    ("action", "dx", "dy"), [("left", -1, 0), ("right", 1, 0), ("up", 0, -1), ("down", 0, 1)]
)
def test_moves_go_where_they_say(action: str, dx: int, dy: int) -> None:
    plan = one_step(action=action)
    before, after = (poses(plan.steps[0], plan.shots[1], frame)[0] for frame in (2, 10))
    assert np.sign(after.x - before.x) == dx
    assert np.sign(after.y - before.y) == dy


def test_the_camera_cuts_between_shots() -> None:
    frames = [frame.astype(int) for frame in draw_frames(one_step())]
    within, across = np.abs(frames[5] - frames[4]).mean(), np.abs(frames[12] - frames[11]).mean()
    assert across > 3 * within


def test_yuv_of_grey_is_grey() -> None:
    grey = np.full((4, 4, 3), 128, np.uint8)
    planes = rgb_to_yuv420(grey)
    assert planes.shape == (6, 4)
    assert set(planes[:4].ravel()) == {126}
    assert set(planes[4:].ravel()) == {128}


def test_a_veiled_step_never_shows_colour_and_action_together() -> None:
    plan = one_step(shape="star", action="left")
    step = replace(plan.steps[0], veil="colour first", turn=36)
    frames = list(draw_frames(replace(plan, steps=(step,))))
    assert min(near(frame, "red") for frame in frames[13:36]) > 300
    assert max(near(frame, "red") for frame in frames[36:60]) == 0
    still, acting = (np.array(part, int) for part in (frames[13:36], frames[36:60]))
    assert np.ptp(still, axis=0).max() < 40 < np.ptp(acting, axis=0).max()


def test_the_board_hides_the_object() -> None:
    plan = one_step()
    step = replace(plan.steps[0], hidden_from=20, hidden_to=40)
    frames = list(draw_frames(replace(plan, steps=(step,))))
    assert [near(frame, "red") > 0 for frame in frames[12:60]] == [not 20 <= n < 40 for n in range(12, 60)]


def test_cast_and_light_darken_the_channels() -> None:
    plan = one_step(action="grow")
    dark = replace(plan, cast=(128, 256, 256), shots=tuple(replace(s, light=128) for s in plan.shots))
    bright, dimmed = (np.array(list(draw_frames(p)))[20].mean(axis=(0, 1)) for p in (plan, dark))
    assert dimmed == pytest.approx(bright * [0.25, 0.5, 0.5], rel=0.15)
