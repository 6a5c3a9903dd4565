"""Makes the bundled mini model: `python examples/recipes/mini/make.py --work DIR`.

Draws the worlds, trains S3D and TAN with `vidalign train`, fits the rule of features without pictures, and
writes the shipped files and what they score. Every stage keeps what it made and is not repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sysconfig
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from fit_world import Watched, explained, fit_rule, save_rule
from measure import report
from ship import ship

import vidalign
from vidalign.store.features import read_features
from vidalign.synthetic.features import write_features_only
from vidalign.synthetic.generate import draw_sample, generate
from vidalign.synthetic.rule import load_rule
from vidalign.synthetic.sentences import vocabulary
from vidalign.synthetic.settings import WorldSettings, make_settings, read_knobs
from vidalign.synthetic.truth import write_truth

HERE = Path(__file__).parent
PROGRAM = Path(sysconfig.get_path("scripts")) / "vidalign"
WATCHED = ("watched-published", "watched-default")
World = Mapping[str, Any]
NAME = "mini-remade"
"""What the models are called before they ship, as `mini` is taken."""


def main() -> None:
    """Run all stages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for worlds, features and trainings")
    parser.add_argument("--output", type=Path, help="folder for the shipped files (default: the package)")
    arguments = parser.parse_args()
    output = arguments.output.resolve() if arguments.output else None
    arguments.work.mkdir(parents=True, exist_ok=True)
    os.chdir(arguments.work)
    plan = yaml.safe_load((HERE / "mini.yaml").read_text("utf-8"))
    started = time.monotonic()
    np.save("words.npy", np.array(vocabulary()))
    for name, world in plan["worlds"].items():
        draw_world(name, world)
    train("backbone")
    for name in plan["worlds"]:
        if name != "footage":
            vidalign_command("extract", f"worlds/{name}/videos", "-o", f"worlds/{name}/features", *BACKBONE)
    make_rule(plan["worlds"])
    narrate(plan["features_only"])
    train("tan")
    ship(Path("tan/model"), Path("rule.safetensors"), output or Path(vidalign.__file__).parent)
    scores = report(Path("worlds"), plan["worlds"], Path("tan/model"), PROGRAM)
    scores["minutes"] = round((time.monotonic() - started) / 60, 1)
    Path("report.json").write_text(json.dumps(scores, indent=2) + "\n")
    print(json.dumps(scores, indent=2))


BACKBONE = ("--backbone", "backbone/model", "--dtype", "float16")


def vidalign_command(*arguments: str) -> None:
    """Run the command line as a user would; a failure ends the recipe."""
    print("vidalign", *arguments, flush=True)
    subprocess.run([PROGRAM, *arguments], check=True, stdout=subprocess.DEVNULL)


def train(name: str) -> None:
    """`vidalign train`, which goes on where it was and does nothing when it has finished."""
    vidalign_command("train", str(HERE / f"{name}.yaml"), "-o", name)


def settings_of(world: World) -> WorldSettings:
    """The knobs that a world of mini.yaml names."""
    knobs = read_knobs(HERE / world["config"]) if "config" in world else {}
    return make_settings(knobs | {key: world[key] for key in ("level", "seconds") if key in world})


def draw_world(name: str, world: World) -> None:
    """Videos, subtitles and truth."""
    folder = Path("worlds") / name
    if not (folder / "world.yaml").exists():
        for written in generate(folder, world["videos"], world["seed"], settings_of(world), overwrite=True):
            print(written.video, flush=True)


def make_rule(worlds: Mapping[str, World]) -> None:
    """Fit the rule to videos that the backbone was not trained on."""
    if Path("rule.safetensors").exists():
        return
    watched = []
    for name in WATCHED:
        for index in range(worlds[name]["videos"]):
            plan = draw_sample(worlds[name]["seed"], index, settings_of(worlds[name])).plan
            features = read_features(Path(f"worlds/{name}/features/{plan.name}.h5")).features
            watched.append(Watched(plan, features.astype(np.float32)))
    rule = fit_rule(watched)
    print(f"the rule explains {explained(rule, watched):.3f} of the variance", flush=True)
    save_rule(Path("rule.safetensors"), rule)


def narrate(worlds: Mapping[str, World]) -> None:
    """Features without pictures of all those worlds in one folder, and their truth."""
    if Path("narrated/truth.json").exists():
        return
    rule = load_rule(Path("rule.safetensors").resolve())
    samples = []
    for world in worlds.values():
        for index in range(world["videos"]):
            samples.append(draw_sample(world["seed"], index, settings_of(world)))
            write_features_only(Path("narrated"), samples[-1], rule, NAME)
    write_truth(Path("narrated/truth.json"), {sample.plan.name: sample.truth for sample in samples})


if __name__ == "__main__":
    main()
