"""Flags, environment, project file, user file, defaults: who wins, and how mistakes are told."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import click
import pytest

from vidalign.cli.main import COMMANDS, main
from vidalign.cli.options import talk_options
from vidalign.cli.output import Talk


@click.command()
@click.option("--dtype", type=click.Choice(["float16", "float32"]), default="float16")
@click.option("--frame-rate", type=float, default=1.0)
@click.option("--tag", "tags", multiple=True)
@click.option("--json/--no-json", "as_json", default=False)
@talk_options
def draw(talk: Talk, **values: object) -> None:
    """Print the values of the options."""
    click.echo(json.dumps(values))


@click.group()
def brushes() -> None:
    """A group below the group."""


@brushes.command()
@click.option("--size", type=int, default=1)
def buy(size: int) -> None:
    """Print the size."""
    click.echo(str(size))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder; beside it the user's configuration folder."""
    module = ModuleType("fake_commands")
    vars(module).update(draw=draw, brushes=brushes)
    monkeypatch.setitem(sys.modules, "fake_commands", module)
    monkeypatch.setitem(COMMANDS, "draw", ("fake_commands:draw", ""))
    monkeypatch.setitem(COMMANDS, "brushes", ("fake_commands:brushes", ""))
    (tmp_path / "project").mkdir()
    (tmp_path / "user").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("VIDALIGN_CONFIG_DIR", str(tmp_path / "user"))
    return tmp_path / "project"


@pytest.fixture
def drawn(project: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, object]]:
    def run(*args: str) -> dict[str, object]:
        assert main(["draw", *args]) == 0
        values = json.loads(capsys.readouterr().out)
        assert isinstance(values, dict)
        return values

    return run


def test_each_source_wins_over_the_next(
    drawn: Callable[..., dict[str, object]], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert drawn()["frame_rate"] == 1.0
    (project.parent / "user" / "config.yaml").write_text("draw:\n  frame-rate: 2\n  dtype: float32\n")
    assert drawn()["frame_rate"] == 2.0
    (project / "vidalign.yaml").write_text("draw: {frame_rate: 3}")
    assert drawn() == {"frame_rate": 3.0, "dtype": "float32", "tags": [], "as_json": False}
    monkeypatch.setenv("VIDALIGN_DRAW_FRAME_RATE", "4")
    assert drawn()["frame_rate"] == 4.0
    assert drawn("--frame-rate", "5")["frame_rate"] == 5.0


def test_lists_and_switches(drawn: Callable[..., dict[str, object]], project: Path) -> None:
    (project / "vidalign.yaml").write_text("draw: {tag: [a, b], json: true}")
    assert drawn() == {"frame_rate": 1.0, "dtype": "float16", "tags": ["a", "b"], "as_json": True}
    (project / "vidalign.yaml").write_text("draw: {tag: a}")
    assert drawn()["tags"] == ["a"]
    assert drawn("--tag", "c", "--no-json")["tags"] == ["c"]


def test_a_group_below_the_group(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "vidalign.yaml").write_text("brushes: {buy: {size: 7}}")
    assert main(["brushes", "buy"]) == 0
    assert capsys.readouterr().out == "7\n"


@pytest.mark.parametrize("text", ["", "# nothing\n", "draw:\n"])
def test_nothing_in_a_file_is_nothing(
    drawn: Callable[..., dict[str, object]], project: Path, text: str
) -> None:
    (project / "vidalign.yaml").write_text(text)
    assert drawn()["frame_rate"] == 1.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("drww: {}", "vidalign.yaml: unknown command 'drww'; did you mean 'draw'?"),
        ("draw: {frame-rat: 1}", "vidalign.yaml: draw: unknown key 'frame-rat'; did you mean 'frame-rate'?"),
        (
            "draw: {zzz: 1}",
            "vidalign.yaml: draw: unknown key 'zzz'; known: dtype, frame-rate, json, quiet, tag, verbose",
        ),
        (
            "brushes: {buy: {sise: 1}}",
            "vidalign.yaml: brushes: buy: unknown key 'sise'; did you mean 'size'?",
        ),
        ("draw: {help: true}", "vidalign.yaml: draw: unknown key 'help'; known:"),
        ("draw: {3: true}", "vidalign.yaml: draw: unknown key 3; known:"),
        ("draw: {dtype: int8}", "vidalign.yaml: draw: dtype: 'int8' is not one of 'float16', 'float32'"),
        ("draw: {frame-rate: fast}", "vidalign.yaml: draw: frame-rate: 'fast' is not a valid float"),
        (
            "draw: {frame-rate: [1, 2]}",
            "vidalign.yaml: draw: frame-rate: [1, 2] is not a value of --frame-rate",
        ),
        ("draw: {frame-rate: null}", "vidalign.yaml: draw: frame-rate: None is not a value of --frame-rate"),
        ("draw: 3", "vidalign.yaml: draw: 'key: value' lines are expected, not 3"),
        ("- draw", "vidalign.yaml: 'key: value' lines are expected, not ['draw']"),
        ("draw:\n  a: [", "vidalign.yaml:2: not valid YAML: "),
        ("a: \x00", "vidalign.yaml: not valid YAML: "),
    ],
)
def test_a_mistake_names_file_and_key(
    project: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (project / "vidalign.yaml").write_text(text)
    assert main(["version"]) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"vidalign: error: {said}")
    assert err.count("\n") == 1
    assert not out


def test_no_object_is_ever_made_from_a_file(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "vidalign.yaml").write_text("draw: !!python/object/apply:os.getcwd []")
    assert main(["draw"]) == 2
    assert "not valid YAML" in capsys.readouterr().err


def test_verbose_says_which_files_were_used(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    user = project.parent / "user" / "config.yaml"
    assert main(["draw", "-v"]) == 0
    assert capsys.readouterr().err == ""
    user.write_text("draw: {}")
    (project / "vidalign.yaml").write_text("draw: {}")
    assert main(["draw", "-v"]) == 0
    assert capsys.readouterr().err == f"configuration: {user}\nconfiguration: vidalign.yaml\n"
    assert main(["draw"]) == 0
    assert capsys.readouterr().err == ""


def test_help_of_a_command_shows_what_holds_here(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "vidalign.yaml").write_text("synth: {seed: 41}")
    assert main(["synth", "--help"]) == 0
    assert "41" in capsys.readouterr().out
