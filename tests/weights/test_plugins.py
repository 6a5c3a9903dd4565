"""Backbones of other packages: found by their entry points, never in the way of those built in."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from vidalign.errors import ConfigError, ModelError
from vidalign.weights import plugins
from vidalign.weights.cache import locate
from vidalign.weights.cards import card_names, get_card
from vidalign.weights.plugins import BUILT_IN, Family, families, faults, get_family, load_named

CARD = """
name: {name}
summary: s
licence: MIT
citation: c
source: u
knows: little
backbone:
  family: {family}
  config: {{}}
  recipe: s3d-16fps
  recipes: [s3d-16fps]
  layers: {{mixed_5c: 7}}
files:
  - {{role: backbone, name: some.safetensors, bundled: true}}
"""

MODULE = """
from vidalign.weights.plugins import Family, Plugin
FAMILIES = {{"own-{package}": Family("{package}.network:Net"), "s3d": Family("os:path")}}
PLUGIN = Plugin("{package}:cards", FAMILIES)
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """What pip leaves behind of a package with a backbone of that card, or with another entry point."""
    made: list[Path] = []

    def make(package: str, card: str = "", value: str = "") -> None:
        folder = tmp_path / f"site{len(made)}"
        made.append(folder)
        info = folder / f"{package}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        point = value or f"{package}:PLUGIN"
        (info / "entry_points.txt").write_text(f"[{plugins.GROUP}]\n{package} = {point}\n")
        if card:
            (folder / package / "cards").mkdir(parents=True)
            (folder / package / "__init__.py").write_text(MODULE.format(package=package))
            text = CARD.format(name=card, family=f"own-{package}")
            (folder / package / "cards" / f"{card}.yaml").write_text(text)
            (folder / package / "bundled").mkdir()
            (folder / package / "bundled" / "some.safetensors").write_bytes(b"weights")
        monkeypatch.syspath_prepend(folder)

    return make


def test_a_plugin_brings_cards_and_families(install: Install) -> None:
    install("plug_one", "own-model")
    assert "own-model" in card_names()
    card = get_card("own-model")
    assert (card.package, card.backbone and card.backbone.family) == ("plug_one", "own-plug_one")
    assert get_family("own-plug_one") == Family("plug_one.network:Net")
    assert locate(card, "backbone").read_bytes() == b"weights"
    assert locate(card, "backbone").parent.name == "bundled"
    assert faults() == ()


def test_what_is_built_in_is_not_replaced(install: Install) -> None:
    install("plug_two", "mini")
    assert get_card("mini").package == "vidalign.weights"
    assert card_names().count("mini") == 1
    assert families()["s3d"] == BUILT_IN.families["s3d"]


FAULTS = {
    "plug_gone": ("no_such_module_here:PLUGIN", "cannot be loaded: No module named 'no_such_module_here'"),
    "plug_nameless": ("json:PLUGIN", "cannot be loaded"),
    "plug_other": ("json:dumps", "gives a function, not a vidalign.weights.plugins.Plugin"),
}


@pytest.mark.parametrize(("package", "value", "told"), [(k, *v) for k, v in FAULTS.items()], ids=FAULTS)
def test_a_faulty_plugin_is_left_out_and_named(
    package: str, value: str, told: str, install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install(package, value=value)
    with caplog.at_level(logging.WARNING, "vidalign.weights.plugins"):
        assert get_card("mini").name == "mini"
    assert f"the backbone plugin {package!r} ({value})" in caplog.text
    assert told in caplog.text
    with pytest.raises(ModelError, match=package):
        get_card("own-model")


def test_a_plugin_whose_cards_are_not_there_is_left_out(install: Install, tmp_path: Path) -> None:
    install("plug_bare", "own-bare")
    for file in (tmp_path / "site0" / "plug_bare" / "cards").iterdir():
        file.unlink()
    (tmp_path / "site0" / "plug_bare" / "cards").rmdir()
    assert "own-bare" not in card_names()
    (fault,) = faults()
    assert fault.startswith("the backbone plugin 'plug_bare' (plug_bare:PLUGIN) cannot be loaded: ")


def test_a_plugin_s_faulty_card_is_named_with_its_package(install: Install, tmp_path: Path) -> None:
    install("plug_card", "own-odd")
    file = tmp_path / "site0" / "plug_card" / "cards" / "own-odd.yaml"
    file.write_text(file.read_text().replace("name: own-odd", "name: other"))
    with pytest.raises(ConfigError, match="card own-odd of plug_card: its name is 'other'"):
        get_card("own-odd")
    file.write_text(file.read_text() + "colour: red\n")
    with pytest.raises(ConfigError, match="card own-odd of plug_card: unknown key 'colour'"):
        get_card("own-odd")
    assert get_card("mini").name == "mini"


@pytest.mark.parametrize("reference", ["no_such_module_here:Net", "json:Net", "json:"])
def test_names_that_cannot_be_imported(reference: str) -> None:
    with pytest.raises(ModelError, match="cannot be imported"):
        load_named(reference)


def test_an_unknown_family() -> None:
    with pytest.raises(ModelError, match=r"no backbones of the family 'zzz'.*known: s3d"):
        get_family("zzz")
    with pytest.raises(ModelError, match=r"no backbones of the family 'resnet'.*did you mean 'video-resnet'"):
        get_family("resnet")


@pytest.mark.parametrize("family", BUILT_IN.families.values(), ids=BUILT_IN.families)
def test_every_family_built_in_names_what_is_there(family: Family) -> None:
    for reference in (family.network, family.names, family.text):
        assert reference is None or callable(load_named(reference))


def test_cards_are_listed_without_torch() -> None:
    script = (
        "import sys; from vidalign.weights.cards import list_cards; "
        "list_cards(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
