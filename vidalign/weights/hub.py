"""Models by the name a hub gives them (`hf:OWNER/NAME`), kept in the hub's own cache on this machine.

Nothing is downloaded but by `fetch`. `HF_HOME`, `HF_HUB_CACHE`, `HF_ENDPOINT`, `HF_TOKEN` and
`HF_HUB_OFFLINE` mean what they mean elsewhere; `VIDALIGN_OFFLINE` forbids downloads too.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vidalign.errors import MissingExtraError, MissingModelError, ModelError, brief
from vidalign.weights.card import ModelCard
from vidalign.weights.download import Progress, offline
from vidalign.weights.hub_card import CONFIG, PREPROCESSORS, TOKENIZERS, WEIGHTS, card_of_folder, kind_of
from vidalign.weights.hub_kinds import KINDS
from vidalign.weights.tokenizer_files import read_json

PREFIX = "hf:"
HOME = "https://huggingface.co"

_NAME = re.compile(r"(?P<repo>\w[\w.-]*/\w[\w.-]*)(?:@(?P<revision>\w[\w./-]*))?", re.ASCII)
_BESIDE = ("tokenizer_config.json", "special_tokens_map.json", "README.md")


def endpoint() -> str:
    """Where the hub is."""
    return (os.environ.get("HF_ENDPOINT") or HOME).rstrip("/")


def at_endpoint(source: str) -> str:
    """A card's source on the hub, at the mirror that `HF_ENDPOINT` names."""
    return endpoint() + source.removeprefix(HOME) if is_on_hub(source) else source


def is_on_hub(source: str) -> bool:
    """Whether a card's source is a file of the hub."""
    return source.startswith(f"{HOME}/")


def cache_folder() -> Path:
    """Where the hub's models lie on this machine."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(name):
            return Path(os.environ[name]).expanduser()
    home = os.environ.get("HF_HOME")
    base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return (Path(home) if home else base / "huggingface").expanduser() / "hub"


def forbidden_by(*, of_hub: bool = True) -> str | None:
    """The variable that forbids downloads (from the hub), if one does."""
    if offline() or not of_hub:
        return "VIDALIGN_OFFLINE" if offline() else None
    value = os.environ.get("HF_HUB_OFFLINE", "").strip().upper()
    return "HF_HUB_OFFLINE" if value in ("1", "ON", "YES", "TRUE") else None


def is_name(text: str) -> bool:
    """Whether that names a model of the hub (`hf:OWNER/NAME`), and not a folder of this machine."""
    return text.startswith(PREFIX) and bool(_NAME.fullmatch(text.removeprefix(PREFIX)))


def hub_card(name: str) -> ModelCard:
    """The card of `hf:OWNER/NAME`, or `hf:OWNER/NAME@REVISION`, if it is on this machine.

    Raises MissingModelError, with the command that brings it, where it is not; ModelError for a name that
    is none or a kind that is not supported.
    """
    repo, revision = _parsed(name)
    folder = _snapshot(repo, revision)
    if folder is None:
        here = f"; for the folder: `{PREFIX}./{repo}`" if Path(repo).is_dir() else ""
        raise MissingModelError(f"model {name!r} is not on this machine", hint=how_to_get(name) + here)
    return card_of_folder(folder, name, source=f"{HOME}/{repo}", hub=True)


def how_to_get(name: str) -> str:
    """The command that brings a model, for a message."""
    return f"to download it: `vidalign models fetch {name}`"


def cached_cards() -> Iterator[ModelCard]:
    """Every model of a supported kind in the hub's cache; what cannot be read is passed over."""
    for folder in sorted(cache_folder().glob("models--*--*")):
        owner, _, name = folder.name.removeprefix("models--").partition("--")
        try:
            snapshot = _snapshot(f"{owner}/{name}", "main")
            if snapshot is not None and read_json(snapshot / CONFIG).get("model_type") in KINDS:
                yield hub_card(f"{PREFIX}{owner}/{name}")
        except ModelError:
            continue


def fetch(name: str, *, overwrite: bool = False, progress: Progress | None = None) -> Iterator[Path]:
    """Download what a model of the hub lacks on this machine; gives the files that came.

    The kind is checked before the weights come. Raises ModelError where the hub has no such model or file,
    MissingModelError where downloads are forbidden, MissingExtraError without huggingface_hub.
    """
    repo, revision = _parsed(name)
    if variable := forbidden_by():
        if _is_whole(name):
            return
        raise MissingModelError(
            f"model {name!r} is not complete on this machine, and {variable} forbids downloads",
            hint=f"on a connected machine: `vidalign models fetch {name}`, then copy {cache_folder()} here",
        )
    get = _Getter(name, repo, revision, overwrite, progress)
    with _quiet():
        _get_all(get, name, repo)
    yield from get.came


def _get_all(get: _Getter, name: str, repo: str) -> None:
    """Every file that a model of its kind has, the weights last."""
    config = get(CONFIG)
    if config is None:
        raise ModelError(f"{HOME}/{repo} has no {CONFIG}", hint="give a model in the format of transformers")
    kind = kind_of(read_json(config), name)
    for beside in (*PREPROCESSORS, *_BESIDE):
        get(beside)
    if kind.text:
        found = get.first(TOKENIZERS, "tokenizer")
        if found.name == "vocab.json" and get("merges.txt") is None:
            raise ModelError(f"{HOME}/{repo} has a vocab.json, but no merges.txt")
    get.first(WEIGHTS, "weights in one file")


def _is_whole(name: str) -> bool:
    """Whether all files of a model are on this machine."""
    try:
        card = hub_card(name)
    except MissingModelError:
        return False
    return card.folder is not None and all((card.folder / entry.name).is_file() for entry in card.files)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the hub's own words about every attempt; the last error is told."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


class _Getter:
    """Downloads files of one revision of a model; `came` are those that were not there."""

    def __init__(
        self, name: str, repo: str, revision: str, overwrite: bool, progress: Progress | None
    ) -> None:
        try:
            import huggingface_hub.errors
            import huggingface_hub.utils.logging  # sets its level when it is imported: before _quiet
        except ModuleNotFoundError:
            raise MissingExtraError(
                "models of the hub need the package huggingface_hub", hint="pip install 'vidalign[clip]'"
            ) from None
        self._hub: Any = huggingface_hub
        self._name, self._repo, self._revision, self._overwrite = name, repo, revision, overwrite
        self._bar = _bar_of(progress)
        self.came: list[Path] = []

    def __call__(self, file: str) -> Path | None:
        """The file, None where the model has none of that name; raises ModelError for all else."""
        errors = self._hub.errors
        before = _snapshot(self._repo, self._revision)
        there = before is not None and (before / file).is_file()
        try:
            path = Path(
                self._hub.hf_hub_download(
                    self._repo,
                    file,
                    revision=self._revision,
                    cache_dir=cache_folder(),
                    endpoint=endpoint(),
                    force_download=self._overwrite,
                    tqdm_class=self._bar,
                )
            )
        except errors.GatedRepoError:
            raise ModelError(
                f"{HOME}/{self._repo} is gated", hint="accept its terms there, then set HF_TOKEN"
            ) from None
        except errors.RevisionNotFoundError:
            raise ModelError(f"{HOME}/{self._repo} has no revision {self._revision!r}") from None
        except errors.RepositoryNotFoundError:
            raise ModelError(
                f"{endpoint()} has no model {self._repo!r}",
                hint="check the name; a private model needs HF_TOKEN",
            ) from None
        except errors.LocalEntryNotFoundError as error:
            raise self._failed(error.__cause__ or error) from None
        except errors.EntryNotFoundError:
            return None
        except (OSError, errors.HFValidationError) as error:
            raise self._failed(error) from None
        if not there or self._overwrite:
            self.came.append(path)
        return path

    def first(self, files: tuple[str, ...], what: str) -> Path:
        """The first of these that the model has; raises ModelError where it has none."""
        for file in files:
            if (path := self(file)) is not None:
                return path
        raise ModelError(f"{HOME}/{self._repo} has no {what} ({', '.join(files)})")

    def _failed(self, error: BaseException) -> ModelError:
        reason = brief(str(error), 120) or type(error).__name__
        return ModelError(
            f"{self._name} could not be downloaded from {endpoint()}: {reason}",
            hint="check the connection; HF_ENDPOINT names a mirror",
        )


def _bar_of(progress: Progress | None) -> Any:
    """A progress bar class of the hub's kind that draws nothing and tells `progress`."""
    from huggingface_hub.utils import tqdm

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self._file = str(kwargs.get("desc") or "")
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            if progress is not None:
                progress(self._file, int(self.n), None if self.total is None else int(self.total))

    return Bar


def _parsed(name: str) -> tuple[str, str]:
    """OWNER/NAME and the revision."""
    found = _NAME.fullmatch(name.removeprefix(PREFIX))
    if found is None:
        raise ModelError(f"{name!r} names no model of the hub", hint=f"they are called {PREFIX}OWNER/NAME")
    return found["repo"], found["revision"] or "main"


def _snapshot(repo: str, revision: str) -> Path | None:
    """The folder of a model's files in the hub's cache, None without its config.json."""
    kept = cache_folder() / f"models--{repo.replace('/', '--')}"
    try:
        commit = (kept / "refs" / revision).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        commit = revision
    folder = kept / "snapshots" / commit
    return folder if (folder / CONFIG).is_file() else None
