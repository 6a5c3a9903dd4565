"""`vidalign models` from the command line to the cache and back."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fill_rule import fill_shapes, read_keys
from vidalign.cli.main import main
from vidalign.errors import ModelError
from vidalign.weights.cache import hash_file, how_to_get, locate, missing_model
from vidalign.weights.cards import get_card, list_cards
from vidalign.weights.convert import match
from vidalign.weights.tensors import load_tensors

ROOT = Path(__file__).parents[2]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache and configuration folders of this test; gives the cache."""
    monkeypatch.setenv("VIDALIGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("VIDALIGN_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.delenv("VIDALIGN_OFFLINE", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command line; gives the exit code, stdout and stderr."""

    def call(*args: str | Path) -> tuple[int, str, str]:
        try:
            code = main(["models", *map(str, args)])
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def _thin(path: Path, prefix: str = "") -> dict[str, torch.Tensor]:
    """A checkpoint of full-size shapes whose tensors take no room: every one repeats a single number."""
    shapes = read_keys(path)
    return {
        prefix + name: torch.zeros((), dtype=torch.int64)
        if name.endswith("num_batches_tracked")
        else torch.ones(1).expand(shape)
        for name, shape in shapes.items()
    }


@pytest.fixture
def tan(tmp_path: Path, golden: Path) -> Path:
    state = _thin(golden / "tan_twin_keys.tsv")
    torch.save(
        {"epoch": 1, "state_dict": state, "best_acc": np.float64(0.5)}, tmp_path / "CHECKPOINT.pth.tar"
    )
    return tmp_path / "CHECKPOINT.pth.tar"


@pytest.fixture
def words(tmp_path: Path) -> Path:
    np.save(tmp_path / "s3d_dict.npy", np.array(["stir", "the", "pan"]))
    return tmp_path / "s3d_dict.npy"


def test_list_names_every_model_and_marks_the_default(run: Run) -> None:
    code, out, err = run("list")
    assert (code, err) == (0, "")
    head, *rows, foot = out.splitlines()
    lines = {row.split()[0]: row for row in rows}
    assert (head.split()[0], foot) == ("model", "* the default")
    assert list(lines) == [card.name for card in list_cards()]
    assert [name for name, row in lines.items() if f"{name} *" in row] == ["mini"]
    assert "MIT" in lines["tan-htm370k"]
    assert ["format only" in lines[name] for name in ("r3d-18", "tsp-r3d-18@tac_on_kinetics")] == [
        True,
        False,
    ]


def test_list_json_is_one_object_a_line(run: Run) -> None:
    values = [json.loads(line) for line in run("list", "--json")[1].splitlines()]
    assert [value["name"] for value in values] == [card.name for card in list_cards()]
    (tan,) = [value for value in values if value["name"] == "tan-htm370k"]
    assert (tan["installed"], tan["default"], tan["uses"], tan["size"]) == (False, False, ["align"], None)
    assert tan["needs"] == {"backbone": "s3d-howto100m", "layer": "mixed_5c", "recipe": "s3d-16fps"}


def test_show(run: Run) -> None:
    code, out, _ = run("show", "s3d-howto100m")
    assert code == 0
    assert "undocumented" in out
    assert "no published sha256" in out
    assert "recipes s3d-16fps, videoclip, milnce-32x10 (default s3d-16fps)" in out
    assert json.loads(run("show", "mini", "--json")[1])["knows"].startswith("the synthetic")


def test_an_unknown_model(run: Run) -> None:
    code, out, err = run("show", "zzz")
    assert (code, out) == (2, "")
    known = err.partition("unknown model 'zzz'; known models: ")[2].partition(";")[0].strip().split(", ")
    assert {"mini", "s3d-howto100m", "tan-htm370k", "tsp-r3d-18"} <= set(known)
    assert not any("@" in name for name in known), "a card of several checkpoints is named once"


@pytest.mark.parity
def test_a_published_twin_is_added(run: Run, tan: Path, words: Path, golden: Path) -> None:
    code, out, err = run("add", "tan-htm370k", tan, words)
    assert code == 0, err
    stored = locate("tan-htm370k", "aligner")
    assert out.splitlines() == [str(stored), str(locate("tan-htm370k", "dictionary"))]
    tensors = load_tensors(stored)
    assert {n: tuple(t.shape) for n, t in tensors.items()} == read_keys(golden / "tan_e6d6_keys.tsv")
    assert f"tan-htm370k aligner: added ({tan}, sha256 {hash_file(tan)})" in err
    assert "to align videos (not features files) tan-htm370k needs s3d-howto100m" in err
    assert "`vidalign models add s3d-howto100m s3d_howto100m.pth`" in err
    code, out, err = run("add", "tan-htm370k", tan, words, "--json")
    assert [json.loads(line)["status"] for line in out.splitlines()] == ["same", "same"]
    assert "already there" in err


@pytest.mark.parity
def test_a_milnce_checkpoint_is_added_tensor_by_tensor(run: Run, tmp_path: Path, golden: Path) -> None:
    state = fill_shapes(read_keys(golden / "s3d_keys.tsv"))
    milnce = {"epoch": 3, "state_dict": {f"module.{name}": tensor for name, tensor in state.items()}}
    torch.save(milnce, tmp_path / "epoch3.pth")
    code, _, err = run("add", "s3d-howto100m", tmp_path / "epoch3.pth")
    assert code == 0, err
    assert "s3d-howto100m still lacks its dictionary" in err
    stored = load_tensors(locate("s3d-howto100m", "backbone"))
    assert len(stored) == 537
    assert all(torch.equal(stored[name], tensor) for name, tensor in state.items())
    code, out, _ = run("verify", "s3d-howto100m", "--json")
    assert (code, json.loads(out)["verdict"]) == (0, "ok")


def test_the_other_milnce_stem_is_refused(run: Run, tmp_path: Path, golden: Path, places: Path) -> None:
    state = _thin(golden / "s3d_keys.tsv", "module.") | {
        "module.conv1.conv1.weight": torch.ones(64, 3, 3, 7, 7)
    }
    torch.save({"state_dict": state}, tmp_path / "x.pth")
    code, out, err = run("add", "s3d-howto100m", tmp_path / "x.pth")
    assert (code, out, places.exists()) == (2, "", False)
    assert "conv1.conv1.weight (64, 3, 3, 7, 7) instead of (64, 24, 2, 4, 4)" in err
    assert "space_to_depth=False" in err


def test_a_shallower_network_is_refused(run: Run, tmp_path: Path, golden: Path) -> None:
    torch.save(_thin(golden / "tan_e2d2_keys.tsv"), tmp_path / "x.pth")
    code, _, err = run("add", "tan-htm370k", tmp_path / "x.pth")
    assert code == 2
    assert "the file has video 2, joint 2 layers, the model video 6, joint 6" in err


def test_a_dry_run_writes_nothing(run: Run, tan: Path, places: Path) -> None:
    code, out, err = run("add", "tan-htm370k", tan, "--dry-run", "--json")
    assert (code, places.exists()) == (0, False)
    assert json.loads(out)["dry_run"] is True
    assert "would be added" in err


def test_use_needs_the_files(run: Run, words: Path) -> None:
    code, out, err = run("use", "tan-htm370k")
    assert (code, out) == (2, "")
    assert "`vidalign models add tan-htm370k" in err
    assert run("use")[1] == "mini\n"


def test_use_and_reset(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidalign.weights.cache.missing_roles", lambda card: ())
    assert run("use", "tan-htm370k")[:2] == (0, "tan-htm370k\n")
    assert run("use")[1] == "tan-htm370k\n"
    assert "tan-htm370k *" in run("list")[1]
    assert run("use", "--reset")[:2] == (0, "mini\n")
    assert run("use", "s3d-howto100m")[1] == "s3d-howto100m\n"
    assert run("use", "mini")[1] == run("use")[1] == "mini\n"
    assert run("use", "mini", "--reset")[0] == 2


def test_verify_tells_a_changed_file(run: Run, words: Path) -> None:
    assert run("add", "s3d-howto100m", words)[0] == 0
    path = locate("s3d-howto100m", "dictionary")
    assert run("verify")[0] == 0
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    code, out, err = run("verify")
    assert (code, str(path) in out) == (1, True)
    assert f"{path} has changed" in err
    assert run("verify", "s3d-howto100m")[0] == 1
    code, _, err = run("verify", "tan-htm370k", "s3d-howto100m")
    assert code == 1, "the dictionary is shared"
    path.unlink()
    code, _, err = run("verify", "tan-htm370k")
    assert (code, "`vidalign models add tan-htm370k" in err) == (2, True)


def test_fetch_without_a_network(run: Run, monkeypatch: pytest.MonkeyPatch, places: Path) -> None:
    monkeypatch.setenv("VIDALIGN_OFFLINE", "1")
    code, out, err = run("fetch", "tan-htm370k", "s3d-howto100m")
    assert (code, out, places.exists()) == (2, "", False)
    assert "on a connected machine: `vidalign models fetch tan-htm370k`" in err
    assert "on a connected machine: `vidalign models fetch s3d-howto100m`" in err
    code, _, err = run("fetch", "mini")
    assert code == 0
    assert "mini: all files are here already" in err


def test_fetch_prints_what_came(run: Run, monkeypatch: pytest.MonkeyPatch, words: Path) -> None:
    from vidalign.weights import download

    def answer(sources: object, wanted: download.Wanted, **_: object) -> download.Downloaded:
        if wanted.destination.name != "s3d_dict.npy":
            raise ModelError("the link is dead")
        wanted.destination.parent.mkdir(parents=True)
        wanted.destination.write_bytes(words.read_bytes())
        return download.Downloaded(wanted.destination, words.stat().st_size, hash_file(words), "https://x")

    monkeypatch.setattr("vidalign.weights.fetch.download", answer)
    code, out, err = run("fetch", "s3d-howto100m")
    assert (code, out) == (2, f"{locate('s3d-howto100m', 'dictionary')}\n")
    assert (
        "the link is dead; with the files at hand: `vidalign models add s3d-howto100m s3d_howto100m.pth`"
        in err
    )
    assert locate("s3d-howto100m", "dictionary").is_file()


def _commands(text: str) -> list[str]:
    return re.findall(r"`(vidalign [^`]+)`", text)


def _texts_of_the_program() -> Iterator[str]:
    """Every text in the sources, with X for what is filled in."""
    for path in sorted((ROOT / "vidalign").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            if isinstance(node, ast.JoinedStr):
                yield "".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values)


def _named_commands() -> list[str]:
    found: set[str] = set()
    for card in list_cards():
        told = missing_model(card)
        found.update(_commands(f"{told.hint} {how_to_get(card)} {how_to_get(card, download=False)}"))
    for text in _texts_of_the_program():
        found.update(_commands(text))
    return sorted(found)


@pytest.mark.parametrize("command", _named_commands())
def test_every_command_that_a_message_names_exists(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*shlex.split(command)[1:], "--help"]) == 0
    assert capsys.readouterr().out.startswith("Usage: vidalign " + command.split()[1])


def test_the_commands_of_messages_are_found() -> None:
    named = _named_commands()
    assert "vidalign models fetch tan-htm370k" in named
    assert any(command.startswith("vidalign models add s3d-howto100m") for command in named)
    assert "vidalign models use --reset" in named


@pytest.mark.parametrize("command", ["", "list", "show", "fetch", "add", "use", "verify"])
def test_help_is_light(command: str) -> None:
    code = (
        "import sys; from vidalign.cli.main import main;"
        f"code = main({['models', *command.split(), '--help']!r});"
        "heavy = {'torch', 'numpy', 'safetensors'} & set(sys.modules); print(code, sorted(heavy))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "0 []"


def test_the_published_names_are_those_of_the_networks(golden: Path) -> None:
    from vidalign.aligners.registry import state_shapes as aligner_shapes
    from vidalign.backbones.registry import backbone_spec, state_shapes

    tan = get_card("tan-htm370k").aligner
    assert tan is not None
    match(_thin(golden / "tan_e6d6_keys.tsv"), aligner_shapes(tan))
    match(_thin(golden / "s3d_keys.tsv"), state_shapes(backbone_spec(get_card("s3d-howto100m"))))
