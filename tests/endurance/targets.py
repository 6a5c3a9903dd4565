"""What a command does with a file, called as the command line calls it; `out` is the only place to write."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path

import click

from vidalign.aligners.registry import state_shapes as aligner_shapes
from vidalign.backbones.registry import state_shapes as backbone_shapes
from vidalign.batch.child.parent import Child
from vidalign.batch.failures import read_failure
from vidalign.batch.foreign import MEMORY, Foreign, looking_first, only_text_track, text_track
from vidalign.batch.imports import Stated, import_files, read_durations
from vidalign.batch.merging import split_file
from vidalign.batch.pairs import csv_pairs
from vidalign.batch.reading import Reading, request_for
from vidalign.batch.report import ItemResult
from vidalign.batch.runfile import recorded_dealing, recorded_runtime
from vidalign.batch.status import look, run_folders
from vidalign.cli.config import load_defaults
from vidalign.cli.main import cli
from vidalign.errors import VidalignError
from vidalign.evaluation.annotations import read_annotations
from vidalign.store.alignments import read_alignment, write_alignment
from vidalign.store.exports.formats import FeaturesFormat
from vidalign.store.exports.registry import get_format
from vidalign.store.features import read_features, write_features
from vidalign.store.items import find_items, read_paths
from vidalign.store.kind import kind_of
from vidalign.store.records import write_record
from vidalign.store.text_features import read_text_features
from vidalign.synthetic.settings import make_settings, read_knobs
from vidalign.text.sentences import make_transcript, retime_cues
from vidalign.text.subtitles import read_subtitles, write_subtitles
from vidalign.text.words import load_dictionary
from vidalign.training.config import read_config
from vidalign.viewer.describe import describe_alignment, describe_features
from vidalign.weights.cache import model_dir, read_pins
from vidalign.weights.card_text import card_text, parse_cards
from vidalign.weights.cards import ModelCard, get_card
from vidalign.weights.convert import read_tensors
from vidalign.weights.recipes import get_recipe
from vidalign.weights.sniff import sniff
from vidalign.weights.tokenizer_files import entries, json_kind, read_json

LAYOUTS = {".npy": "videoclip", ".tar": "webdataset", ".safetensors": "safetensors", ".npz": "moment-detr"}


def subtitles(given: Path, out: Path) -> None:
    """Read, cut into sentences, written again with half of the cues moved."""
    file = read_subtitles(given, video="v1")
    for how in ("cue", "sentence"):
        transcript = make_transcript(file, how)  # type: ignore[arg-type]
        count = range(len(transcript.sentences))
        times = retime_cues(transcript, [bool(k % 2) for k in count], [(float(k), k + 1.5) for k in count])
        for form in ("vtt", "srt"):
            text = write_subtitles(file, times, form, unaligned="mark")
            (out / f"{how}.{form}").write_bytes(text.encode("utf-8", "surrogatepass"))


def cards(given: Path, out: Path) -> None:
    """Both as a card of a package and as that of a model folder, with the networks it asks for."""
    first: VidalignError | None = None
    try:
        _networks([get_card(str(given.parent))])
    except VidalignError as error:
        first = error
    try:
        text = given.read_text("utf-8")
    except UnicodeDecodeError:
        assert first is not None, "a card that is not text was read"
        raise first from None
    found = parse_cards(text)
    _networks(found)
    for card in found:
        card_text(card)
    if first is not None:
        raise first


def _networks(found: Iterable[ModelCard]) -> None:
    for card in found:
        if card.backbone is not None and "." not in card.backbone.family:
            backbone_shapes(card.backbone)
        if card.aligner is not None:
            aligner_shapes(card.aligner)


def recipe(given: Path, out: Path) -> None:
    """`--recipe FILE`."""
    found = get_recipe(str(given))
    assert found.from_json(found.to_json()) == found


def training(given: Path, out: Path) -> None:
    """`train CONFIG`, up to where it would begin."""
    read_config(given).to_yaml()


def world(given: Path, out: Path) -> None:
    """`synth --world FILE`."""
    make_settings(read_knobs(given))


def defaults(given: Path, out: Path) -> None:
    """Any command beside a `vidalign.yaml`."""
    os.chdir(given.parent)
    with click.Context(cli, info_name="vidalign") as ctx:
        load_defaults(cli, ctx)


def stored(given: Path, out: Path) -> None:
    """`inspect`, and written again."""
    if kind_of(given) == "features":
        features = read_features(given)
        "\n".join(describe_features(features))
        write_features(out / "again.h5", features)
    else:
        alignment = read_alignment(given)
        "\n".join(describe_alignment(alignment, 80))
        for name in ("again.h5", "again.json"):
            write_alignment(out / name, alignment)


def record(given: Path, out: Path) -> None:
    """Each small JSON file as whoever reads it; one that all refuse is refused."""
    _each((read_annotations, read_durations, _tokenizer, _own_folder, _own_pins), given)


def note(given: Path, out: Path) -> None:
    """`status`, and the next run, on the notes of a batch."""
    for name in ("run.json", "a.error.json"):
        (out / name).write_bytes(given.read_bytes())
    _each((_dealt, _runtime, _failed, _status), out)


def _each(reads: Iterable[Callable[[Path], object]], path: Path) -> None:
    """All of them; raises the longest error that one raised."""
    errors: list[VidalignError] = []
    for read in reads:
        try:
            read(path)
        except VidalignError as error:
            errors.append(error)
    if errors:
        raise max(errors, key=lambda error: len(str(error)))


def _dealt(out: Path) -> None:
    recorded_dealing(out, "extract")


def _runtime(out: Path) -> None:
    recorded_runtime(out, "extract", lambda: None)


def _failed(out: Path) -> None:
    found = read_failure(out / "a.error.json")
    if found is not None:
        write_record(out / "b.error.json", found.as_json())


def _status(out: Path) -> None:
    for folder, task in run_folders(out):
        found = look(folder, task, None)
        found.as_json(), list(found.lines())


def _tokenizer(given: Path) -> None:
    if json_kind(given) == "tokenizer":
        entries(read_json(given))


def _own_folder(given: Path) -> None:
    folder = given.parent.parent / "out" / "folder"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_bytes(given.read_bytes())
    _networks([get_card(str(folder))])


def _own_pins(given: Path) -> None:
    os.environ["VIDALIGN_CACHE"] = str(given.parent.parent / "out" / "cache")
    pins = model_dir("own") / "pins.json"
    pins.parent.mkdir(parents=True, exist_ok=True)
    pins.write_bytes(given.read_bytes())
    read_pins("own")


def table(given: Path, out: Path) -> None:
    """`align --pairs FILE`."""
    for pair in csv_pairs(given, out, given.parent).pairs:
        _check_inside(pair.output, out)


def path_list(given: Path, out: Path) -> None:
    """`extract - < FILE`."""
    for item in find_items(["-"], out, root=given.parent, stdin=read_paths(given.read_bytes())):
        _check_inside(item.output, out)


def _check_inside(output: Path | None, out: Path) -> None:
    assert output is not None
    assert os.path.normpath(output).startswith(f"{out}{os.sep}"), f"{output} leads out of {out}"


def weights(given: Path, out: Path) -> None:
    """`models add`, `--weights`."""
    if sniff(given) == "npy":
        load_dictionary(given)
    else:
        read_tensors(given)


def imported(given: Path, out: Path) -> None:
    """`import-features`; every file that it says it wrote can be read."""
    layout = LAYOUTS[given.suffix]
    form = get_format(layout)
    assert isinstance(form, FeaturesFormat)
    _raise_failed(import_files([(given, "sub/given")], form, Stated(layout, get_recipe("mini-8fps")), out))


def _raise_failed(results: Iterable[ItemResult]) -> None:
    for result in results:
        if result.error is not None:
            raise result.error
        if result.output:
            read_features(Path(result.output))


@cache
def _looking_first() -> ExitStack:
    """For the rest of this process."""
    stack = ExitStack()
    stack.enter_context(looking_first(Foreign(stall=5)))
    return stack


def stored_apart(given: Path, out: Path) -> None:
    """`inspect --untrusted`, and `align --text-features`."""
    _looking_first()
    if given.name.endswith("text.h5"):
        read_text_features(given)
    else:
        stored(given, out)


def packed(given: Path, out: Path) -> None:
    """`merge --split --untrusted`, and `import-features` of layouts with many videos in one file."""
    _looking_first()
    if given.suffix == ".hdf5":
        form = get_format("mad")
        assert isinstance(form, FeaturesFormat)
        stated = Stated("mad", get_recipe("mini-8fps"))
        _raise_failed(import_files([(given, "given")], form, stated, out))
    else:
        _raise_failed(split_file(given, out))


@cache
def _reader() -> Child:
    return Child("vidalign.batch.child.video:read", memory=MEMORY)


def video(given: Path, out: Path) -> None:
    """What reading for `extract` and `align` does with a video, and its text tracks."""
    recipe = replace(get_recipe("mini-8fps"), size=32, crop_size=32)
    try:
        clips = Reading().clips(_reader().ask(request_for(given, "auto", [recipe], 1), stall=5, limit=8), 1)
        for _ in clips:
            pass
    finally:
        _looking_first()
        track = only_text_track(given)
        if track is not None:
            text_track(given, track)
