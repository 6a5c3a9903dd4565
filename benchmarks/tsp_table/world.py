"""Videos of action and background segments, drawn as the synthetic how-to world is.

An action is one of six motions of an object. Background is the same object at rest, four of these motions
run backwards, blinking, or scenery; what an object looks like says nothing of what it does.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from random import Random

from vidalign.store.atomic import atomic_path
from vidalign.synthetic.drawing import draw_frames
from vidalign.synthetic.encoding import encode
from vidalign.synthetic.lexicon import COLOURS, SHAPES, SIZES
from vidalign.synthetic.settings import WorldSettings
from vidalign.synthetic.world import GAIN, Plan, Shot, Step

ACTIONS = ("up", "right", "grow", "split", "bounce", "spin")
OTHER_MOTION = ("down", "left", "shrink", "merge", "blink")
REST, SCENERY = "rest", "scenery"
SHARES = {"action": 0.5, "motion": 0.25, REST: 0.15, SCENERY: 0.1}
SEGMENT_SECONDS = (2.5, 5.0)
SETTINGS = WorldSettings(seconds=40.0)


@dataclass(frozen=True)
class Segment:
    """Frames [start, end) of a video; `shown` is a motion, REST or SCENERY."""

    start: int
    end: int
    shown: str

    @property
    def label(self) -> str:
        """The action, empty for background."""
        return self.shown if self.shown in ACTIONS else ""


def make_world(folder: Path, videos: int, seed: int) -> None:
    """Write `videos/NAME.mp4` and `segments.csv` where the latter is not there yet."""
    table = folder / "segments.csv"
    if table.exists():
        return
    rows: list[list[object]] = [["video", "start", "end", "label", "shown"]]
    for number in range(videos):
        name = f"video-{seed}-{number:03d}.mp4"
        random = Random(f"tsp {seed}/{number}")
        segments = draw_segments(random)
        with atomic_path(folder / "videos" / name) as temporary:
            encode(temporary, draw_frames(draw_plan(name, segments, random)), SETTINGS.fps)
        fps = SETTINGS.fps
        rows += [[name, round(s.start / fps, 4), round(s.end / fps, 4), s.label, s.shown] for s in segments]
    with atomic_path(table) as temporary, temporary.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def draw_segments(random: Random) -> list[Segment]:
    """Segments one after the other over a whole video."""
    found: list[Segment] = []
    start = 0
    while start < SETTINGS.frames:
        low, high = (round(seconds * SETTINGS.fps) for seconds in SEGMENT_SECONDS)
        end = min(start + random.randint(low, high), SETTINGS.frames)
        if SETTINGS.frames - end < low:
            end = SETTINGS.frames
        (kind,) = random.choices(tuple(SHARES), tuple(SHARES.values()))
        motions = {"action": ACTIONS, "motion": OTHER_MOTION}
        found.append(Segment(start, end, random.choice(motions[kind]) if kind in motions else kind))
        start = end
    return found


def draw_plan(name: str, segments: list[Segment], random: Random) -> Plan:
    """How the segments look: every one has an object, a place and a backdrop of its own."""
    steps: list[Step] = []
    shots: list[Shot] = []
    for segment in segments:
        index = None
        if segment.shown != SCENERY:
            index = len(steps)
            steps.append(_step(segment, random))
        shots.append(
            Shot(
                segment.start,
                segment.end,
                index,
                random.getrandbits(32),
                offset=(random.randint(-8, 8), random.randint(-6, 6)),
                tilt=random.randint(-12, 12),
                pace=random.randrange(3),
                pan=random.choice((-1, 0, 0, 1)),
                light=GAIN - random.randint(0, GAIN // 4),
            )
        )
    cast = tuple(GAIN - random.randint(0, GAIN // 4) for _ in range(3))
    return Plan(name, "", SETTINGS, tuple(steps), tuple(shots), (cast[0], cast[1], cast[2]))


def _step(segment: Segment, random: Random) -> Step:
    rest = segment.shown == REST
    return Step(
        colour=random.choice(tuple(COLOURS)),
        shape=random.choice(tuple(SHAPES)),
        action=ACTIONS[0] if rest else segment.shown,
        size=random.choice(tuple(SIZES)),
        texture="striped" if segment.shown == "spin" else random.choice(("plain", "striped", "dotted")),
        start=segment.start,
        end=segment.end,
        veil="colour first" if rest else "",
        turn=segment.end if rest else 0,
    )
