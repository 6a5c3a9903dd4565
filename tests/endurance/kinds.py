"""What is fuzzed: for each kind of file whole examples, and what a user's command does with one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.endurance import corpus, targets


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file.

    `seeds` are whole files, made below a folder or lying in the repository; `target` gets a broken one and a
    folder to write into. `text`: broken as text is, too. `apart`: the target opens it in a process of its
    own, with limits of its own. `weight` is its share of the inputs.
    """

    name: str
    seeds: Callable[[Path], list[Path]]
    target: Callable[[Path, Path], None]
    weight: int
    text: bool = False
    apart: bool = False
    file_name: str = ""

    def name_of(self, seed: Path) -> str:
        """What the broken file is called, which may be part of what is wrong with it."""
        return self.file_name or f"given-{seed.name}"


KINDS = {
    kind.name: kind
    for kind in (
        Kind("subtitles", corpus.subtitles, targets.subtitles, 20, text=True),
        Kind("cards", corpus.cards, targets.cards, 5, text=True, file_name="folder/card.yaml"),
        Kind("recipes", corpus.recipes, targets.recipe, 5, text=True),
        Kind("training", corpus.training, targets.training, 5, text=True),
        Kind("worlds", corpus.worlds, targets.world, 3, text=True),
        Kind("defaults", corpus.defaults, targets.defaults, 4, text=True, file_name="vidalign.yaml"),
        Kind("alignment-json", corpus.alignments_json, targets.stored, 6, text=True),
        Kind("json", corpus.records, targets.record, 4, text=True),
        Kind("notes", corpus.notes, targets.note, 3, text=True),
        Kind("tables", corpus.tables, targets.table, 5, text=True, file_name="pairs.csv"),
        Kind("lists", corpus.lists, targets.path_list, 2, text=True),
        Kind("safetensors", corpus.safetensors, targets.weights, 8),
        Kind("checkpoints", corpus.checkpoints, targets.weights, 6),
        Kind("imports", corpus.layouts, targets.imported, 8),
        Kind("hdf5", corpus.stored_hdf5, targets.stored_apart, 10, apart=True),
        Kind("packs", corpus.packs, targets.packed, 5, apart=True),
        Kind("videos", corpus.videos, targets.video, 9, apart=True),
    )
}


def shares(count: int, kinds: list[str]) -> dict[str, int]:
    """How many of `count` inputs each kind gets, by its weight; they sum to `count`."""
    total = sum(KINDS[kind].weight for kind in kinds)
    dealt = {kind: count * KINDS[kind].weight // total for kind in kinds}
    dealt[kinds[0]] += count - sum(dealt.values())
    return dealt
