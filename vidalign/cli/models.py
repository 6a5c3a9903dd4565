"""`vidalign models`: what models there are, and how their files come onto this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vidalign.cli.options import dry_run_option, json_option, talk_options

if TYPE_CHECKING:
    from vidalign.cli.output import Talk
    from vidalign.weights.add import Added, Checks
    from vidalign.weights.cards import ModelCard

_overwrite_option = click.option("--overwrite", is_flag=True, help="Replace files that are already here.")
_name = click.argument("name", metavar="NAME|PATH")


@click.group()
def models() -> None:
    """List, fetch, add and verify models.

    Published weights come by `fetch` or, where links are dead, by `add` with files you have. They are
    converted once to safetensors in the cache ($VIDALIGN_CACHE, else the user's cache folder).
    """


@models.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """List all models.

    What each is for, whether it is installed, its size, licence, and what it knows. Models of the hub that
    are in its cache on this machine come last.
    """
    from vidalign.cli.models_text import listing, record
    from vidalign.cli.output import emit_json, emit_text
    from vidalign.weights.cards import list_cards
    from vidalign.weights.hub import cached_cards

    cards = (*list_cards(), *cached_cards())
    if not as_json:
        emit_text(listing(cards))
        return
    for card in cards:
        emit_json(record(card))


@models.command()
@_name
@json_option
def show(name: str, as_json: bool) -> None:
    """Show the card of a model.

    What it knows, what it needs, where its files come from and lie.
    """
    from vidalign.cli.models_text import description, record
    from vidalign.cli.output import emit_json, emit_text
    from vidalign.weights.cards import get_card

    card = get_card(name)
    if as_json:
        emit_json(record(card))
    else:
        emit_text(description(card))


@models.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@_overwrite_option
@json_option
@talk_options
def fetch(names: tuple[str, ...], overwrite: bool, as_json: bool, talk: Talk) -> None:
    """Download the files of models.

    NAME is one of `vidalign models list`, or hf:OWNER/NAME for a model of the hub (huggingface.co) of a
    supported kind, which goes into the hub's own cache. Prints the path of each file that came. An
    interrupted download goes on where it stopped. With VIDALIGN_OFFLINE=1 nothing is downloaded.
    """
    from vidalign.errors import ModelError
    from vidalign.weights.cards import get_card
    from vidalign.weights.hub import is_name

    wanted = [name if is_name(name) else get_card(name).reference for name in names]
    failed = 0
    for name in wanted:
        try:
            came = list(_fetched(name, talk, overwrite=overwrite, as_json=as_json))
            card = get_card(name)
        except ModelError as error:
            talk.error(error)
            failed = error.exit_code
            continue
        if not came:
            talk.say(f"{card.name}: all files are here already")
        _tell_missing(card, talk)
    if failed:
        raise SystemExit(failed)


def _fetched(name: str, talk: Talk, *, overwrite: bool, as_json: bool) -> Iterator[Added]:
    """Download what a model lacks, telling each file as it comes."""
    from vidalign.weights.cards import get_card
    from vidalign.weights.fetch import fetch_from_hub, fetch_model
    from vidalign.weights.hub import is_name

    with _download_meter(talk) as progress:
        if is_name(name):
            coming = fetch_from_hub(name, overwrite=overwrite, progress=progress)
        else:
            coming = fetch_model(get_card(name), _checks(), overwrite=overwrite, progress=progress)
        for item in coming:
            _tell_added([item], talk, as_json=as_json, dry_run=False)
            yield item


@models.command()
@_name
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@_overwrite_option
@dry_run_option
@json_option
@talk_options
def add(
    name: str, files: tuple[Path, ...], overwrite: bool, dry_run: bool, as_json: bool, talk: Talk
) -> None:
    """Add files you have to a model.

    Checkpoints, safetensors, s3d_dict.npy and vocab.txt are told apart by content, opened without running
    anything in them, checked name by name and converted once. Prints the path of each converted file.
    """
    from vidalign.weights.add import add_files
    from vidalign.weights.cards import get_card

    card = get_card(name)
    added = add_files(card, files, _checks(), overwrite=overwrite, dry_run=dry_run)
    _tell_added(added, talk, as_json=as_json, dry_run=dry_run)
    if not dry_run:
        _tell_missing(card, talk)


@models.command()
@click.argument("name", required=False, metavar="[NAME]")
@click.option("--reset", is_flag=True, help="Return to the bundled model.")
@talk_options
def use(name: str | None, reset: bool, talk: Talk) -> None:
    """Make a model the default.

    Kept in the user's configuration. Prints which one is the default now; without NAME nothing changes.
    """
    from vidalign.cli.output import emit_text
    from vidalign.errors import UsageError
    from vidalign.weights.cache import missing_model, missing_roles
    from vidalign.weights.cards import get_card
    from vidalign.weights.defaults import BUNDLED, default_model, set_default_model

    if reset and name is not None:
        raise UsageError("--reset goes without a NAME")
    if name is None and not reset:
        emit_text(default_model())
        return
    card = get_card(name or BUNDLED)
    if card.reference != BUNDLED and missing_roles(card):
        raise missing_model(card)
    emit_text(set_default_model(card))
    _tell_missing(card, talk)


@models.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@json_option
@talk_options
def verify(names: tuple[str, ...], as_json: bool, talk: Talk) -> None:
    """Hash the files of models again.

    By default of all that are here. Prints their paths; exit code 1 when one has changed.
    """
    from vidalign.cli.output import emit
    from vidalign.weights.cache import missing_model
    from vidalign.weights.cards import get_card, list_cards
    from vidalign.weights.hub import cached_cards
    from vidalign.weights.verify import verify_model

    cards = [get_card(name) for name in names] if names else [*list_cards(), *cached_cards()]
    changed = 0
    for card in cards:
        stored = verify_model(card)
        if names and not stored:
            raise missing_model(card)
        for item in stored:
            values = {"model": item.card, "role": item.role, "path": str(item.path)}
            values |= {"sha256": item.sha256, "verdict": item.verdict}
            emit({**values, "expected": item.expected} if as_json else item.path)
            if item.verdict == "changed":
                changed += 1
                talk.error(f"{item.path} has changed: sha256 {item.sha256} instead of {item.expected}")
            else:
                told = "is as it came" if item.verdict == "ok" else "has no recorded hash to compare with"
                talk.say(f"{item.card} {item.role} {told}")
    if changed:
        raise SystemExit(1)


def _checks() -> Checks:
    """What the networks and the tokenizer say about a model's files."""
    from vidalign.aligners import registry as aligners
    from vidalign.backbones import registry as backbones
    from vidalign.backbones.spec import backbone_spec
    from vidalign.text.words import load_dictionary
    from vidalign.weights.add import Checks, Tensors

    def shapes(card: ModelCard, role: str) -> dict[str, tuple[int, ...]]:
        if role == "aligner" and card.aligner is not None:
            return aligners.state_shapes(card.aligner)
        return backbones.state_shapes(backbone_spec(card))

    def rename(card: ModelCard, role: str, tensors: Tensors) -> Tensors:
        return backbones.rename(backbone_spec(card), tensors) if role == "backbone" else tensors

    return Checks(shapes, load_dictionary, rename)


@contextmanager
def _download_meter(talk: Talk) -> Iterator[Callable[[str, int, int | None], None]]:
    """A progress callback that opens one line a file."""
    from contextlib import ExitStack

    with ExitStack() as lines:
        meters = {}

        def progress(name: str, done: int, total: int | None) -> None:
            if name not in meters:
                meters[name] = lines.enter_context(talk.progress(name, total, "B"))
            meters[name].update(done, total)

        yield progress


def _tell_added(added: Sequence[Added], talk: Talk, *, as_json: bool, dry_run: bool) -> None:
    from vidalign.cli.output import emit

    done = {"added": "added", "replaced": "replaced", "same": "already there"}
    planned = {"added": "would be added", "replaced": "would be replaced", "same": "already there"}
    for item in added:
        for warning in item.warnings:
            talk.warn(warning)
        said = (planned if dry_run else done)[item.state]
        talk.say(f"{item.card} {item.role}: {said} ({item.file}, sha256 {item.sha256})")
        values = {"model": item.card, "role": item.role, "path": str(item.path), "file": str(item.file)}
        values |= {"sha256": item.sha256, "status": item.state}
        emit({**values, "dry_run": dry_run} if as_json else item.path)


def _tell_missing(card: ModelCard, talk: Talk) -> None:
    """Say what a model still lacks, or what it needs besides, with the commands."""
    from vidalign.weights.cache import how_to_get, missing_roles
    from vidalign.weights.cards import backbone_of

    if missing := missing_roles(card):
        talk.say(f"{card.name} still lacks its {' and '.join(missing)}; {how_to_get(card)}")
    other = backbone_of(card)
    if other.name != card.name and "backbone" in missing_roles(other):
        told = f"to align videos (not features files) {card.name} needs {other.name}"
        talk.say(f"{told}; {how_to_get(other)}")
