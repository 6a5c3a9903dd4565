"""How many steps of drawn videos `vidalign steps` finds, in their order and each by itself.

Draws 60 videos of the hard level, writes what they show as CrossTask's files, a task a video, and runs
`vidalign eval steps` with the bundled model `mini`. Printed: recall by each decoder.

    python -m benchmarks.steps --work DIR
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.rows import synth, vidalign

WORLD = ("--videos", "60", "--seed", "11", "--level", "hard")


def annotate(world: Path) -> str:
    """Write tasks.txt and annotations/ beside the truth.json of a drawn world; gives the tasks."""
    (world / "annotations").mkdir(exist_ok=True)
    tasks = []
    truth = json.loads((world / "truth.json").read_text())
    for number, (video, rows) in enumerate(truth.items()):
        seen = sorted(
            {(start, end): text.replace(",", "") for there, start, end, text in rows if there}.items()
        )
        tasks.append(f"{number}\n{video}\nu\n{len(seen)}\n{','.join(text for _, text in seen)}\n")
        lines = (f"{step},{start},{end}\n" for step, ((start, end), _) in enumerate(seen, 1))
        (world / "annotations" / f"{number}_{video}.csv").write_text("".join(lines))
    (world / "tasks.txt").write_text("\n".join(tasks))
    return "\n".join(tasks)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="folder for the world")
    world = synth(parser.parse_args().work / "steps", "--features-only", *WORLD)
    annotate(world)
    files = (str(world / "tasks.txt"), str(world / "annotations"))
    command = ("eval", "steps", *files, "--features", str(world / "features"), "--model", "mini")
    for line in vidalign(*command, "--resamples", "0", "--json", "-q").splitlines():
        row = json.loads(line)
        recall = row["recall"]["value"]
        print(f"{row['decoder']}: {recall:.1%} of {row['steps']} steps of {row['videos']} videos")


if __name__ == "__main__":
    main()
