"""The user's default model, kept in the user's configuration folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import platformdirs

from vidalign.errors import ConfigError
from vidalign.outside import load_json
from vidalign.weights.cache import replacing
from vidalign.weights.cards import ModelCard

BUNDLED = "mini"


def config_dir() -> Path:
    """`$VIDALIGN_CONFIG_DIR`, else the user's configuration folder of this platform."""
    given = os.environ.get("VIDALIGN_CONFIG_DIR")
    return Path(given).expanduser() if given else platformdirs.user_config_path("vidalign")


def default_model() -> str:
    """The model that `vidalign models use` chose, else the bundled one."""
    path = config_dir() / "default-model.json"
    try:
        name = load_json(path.read_text("utf-8"))["model"]
    except FileNotFoundError:
        return BUNDLED
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _broken(path, str(error)) from None
    if not isinstance(name, str):
        raise _broken(path, f"model is {name!r}")
    return name


def set_default_model(card: ModelCard | None) -> str:
    """Make a model the user's default, None: the bundled one again; gives the name that now holds.

    Raises ConfigError for a model that aligns nothing.
    """
    path = config_dir() / "default-model.json"
    if card is None or card.reference == BUNDLED:
        path.unlink(missing_ok=True)
        return BUNDLED
    if card.aligner is None:
        raise ConfigError(f"model {card.name!r} only extracts features; a default model must align")
    with replacing(path, setting="VIDALIGN_CONFIG_DIR") as temporary:
        temporary.write_text(json.dumps({"model": card.reference}) + "\n", "utf-8")
    return card.reference


def _broken(path: Path, reason: str) -> ConfigError:
    return ConfigError(f"{path}: does not name a model: {reason}", hint="run `vidalign models use --reset`")
