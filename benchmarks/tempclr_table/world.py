"""Videos of the same steps in different orders: what is shown does not tell them apart, its order does.

A group of videos shares its steps, drawn as the synthetic how-to world is; each video shows them in an order,
at times, and with a narration of its own. Features without pictures.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from random import Random

from vidalign.store.atomic import atomic_path, write_text
from vidalign.synthetic.features import write_features_only
from vidalign.synthetic.generate import Sample, webvtt
from vidalign.synthetic.narration import narrate
from vidalign.synthetic.settings import WorldSettings
from vidalign.synthetic.world import Kind, Plan, Step, plan_video

STEPS = 8
SETTINGS = WorldSettings(
    seconds=96.0,
    same_object_share=0.9,
    veil_share=0.0,
    hidden_share=0.0,
    alignable_share=(0.4, 0.6),
    in_place_share=0.42,
    max_in_place=0.6,
    absent_share=0.3,
    silent_share=0.0,
    twice_share=0.0,
    pronoun_share=0.0,
    partial_share=0.1,
)


def make_world(folder: Path, groups: int, members: int, seed: int) -> None:
    """Write features, subtitles and, last, what can be seen when: `segments.csv`, if it is not there."""
    table = folder / "segments.csv"
    if table.exists():
        return
    seen: list[tuple[object, ...]] = [("video", "start", "end", "text")]
    for group in range(groups):
        shown = [step.kind for step in draw_plan("", Random(f"order {seed}/{group}")).steps]
        for member in range(members):
            name = f"order-{seed}-{group:03d}-{member}"
            sample = draw_sample(name, shown)
            write_features_only(folder, sample)
            write_text(folder / "subtitles" / f"{name}.vtt", webvtt(sample.narration))
            seen += [(name, row.start, row.end, row.text) for row in sample.truth if row.alignable]
    with atomic_path(table) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(seen)


def draw_sample(name: str, shown: list[Kind]) -> Sample:
    """A video that shows these kinds in an order of its own."""
    random = Random(f"order {name}")
    plan = draw_plan(name, random)
    order = random.sample(shown, STEPS)
    steps = tuple(_showing(step, kind) for step, kind in zip(plan.steps, order, strict=True))
    plan = replace(plan, steps=steps)
    return Sample(plan, narrate(plan, random))


def _showing(step: Step, kind: Kind) -> Step:
    """The step with another object and action; what spins has stripes, so that it can be seen."""
    colour, shape, action = kind
    texture = "striped" if action == "spin" else step.texture
    return replace(step, colour=colour, shape=shape, action=action, texture=texture)


def draw_plan(name: str, random: Random) -> Plan:
    """The first plan with as many steps."""
    while True:
        plan = plan_video(name, random, SETTINGS)
        if len(plan.steps) == STEPS:
            return plan
