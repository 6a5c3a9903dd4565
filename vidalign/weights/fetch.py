"""Published files are downloaded from the sources of their card, then added like the user's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vidalign.errors import MissingModelError, ModelError, brief
from vidalign.weights.add import Added, Checks, add_files
from vidalign.weights.cache import (
    hash_file,
    how_to_get,
    lies_beside,
    missing_model,
    model_dir,
    owner,
    read_pins,
    stored_path,
)
from vidalign.weights.cards import CardFile, ModelCard
from vidalign.weights.download import Downloaded, Progress, Wanted, download
from vidalign.weights.hub import at_endpoint, forbidden_by, is_on_hub
from vidalign.weights.hub import fetch as hub_fetch


def fetch_model(
    card: ModelCard,
    checks: Checks,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Iterator[Added]:
    """Download and add what the card lacks (everything with `overwrite`), file by file.

    A file whose hash nobody publishes must equal the one first verified on this machine (`overwrite` forgets
    that one). Every file is tried; at the end raises ModelError naming those that failed, why the first did.
    """
    failures: dict[str, str] = {}
    for entry in card.files:
        held, origin = owner(card, entry.role)
        here = stored_path(held, origin.role).is_file()
        if lies_beside(held, origin) or (here and not overwrite):
            continue
        if variable := forbidden_by(of_hub=any(is_on_hub(source) for source in origin.sources)):
            raise _offline(card, variable)
        if origin.role in ("backbone", "aligner"):
            checks.shapes(held, origin.role)  # a package that is missing is told before the download
        try:
            yield from _fetch_file(held, origin, checks, progress, keep_pin=not overwrite)
        except ModelError as error:
            failures[origin.name] = error.message
    if failures:
        raise ModelError(_told(failures), hint=how_to_get(card, download=False))


def _told(failures: Mapping[str, str]) -> str:
    """Why each file failed, in brief but for the first."""
    first, *others = failures.values()
    return "; ".join((first, *(brief(other, 120) for other in others)))


def fetch_from_hub(
    name: str, *, overwrite: bool = False, progress: Progress | None = None
) -> Iterator[Added]:
    """Download into the hub's cache what `hf:OWNER/NAME` lacks, file by file; raises as `hub.fetch`."""
    for path in hub_fetch(name, overwrite=overwrite, progress=progress):
        yield Added(name, "file", path, path, hash_file(path), "replaced" if overwrite else "added")


def _fetch_file(
    held: ModelCard, entry: CardFile, checks: Checks, progress: Progress | None, *, keep_pin: bool
) -> tuple[Added, ...]:
    pin = read_pins(held.name).get(entry.role) if keep_pin else None
    wanted = Wanted(
        model_dir(held.name) / "downloads" / entry.name,
        size=entry.size,
        sha256=entry.sha256 or (pin.original_sha256 if pin else None),
        sha256_prefix=entry.sha256_prefix,
    )
    sources = [at_endpoint(source) for source in entry.sources]
    got: Downloaded = download(sources, wanted, progress=progress)
    try:
        return add_files(held, [got.path], checks, overwrite=True, source=got.source)
    finally:
        got.path.unlink(missing_ok=True)


def _offline(card: ModelCard, variable: str) -> MissingModelError:
    told = missing_model(card)
    return MissingModelError(
        f"{told.message}, and {variable} forbids downloads",
        hint=f"on a connected machine: `vidalign models fetch {card.name}`, then copy its cache folder here; "
        + how_to_get(card, download=False),
    )
