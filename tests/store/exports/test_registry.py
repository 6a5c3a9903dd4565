"""One registry: every file in the folder is in it, plugins join it, faulty ones are named."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.alignments import empty_alignment, hostile_alignment, made_alignment
from tests.tiny import made_features
from vidalign.errors import UsageError
from vidalign.store.exports import registry
from vidalign.store.exports.formats import AlignmentFormat, FeaturesFormat, Options

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "vidalign" / "store" / "exports"
SHARED = {"__init__", "arrays", "formats", "registry", "subtitles", "tables", "tiers", "values"}
ALIGNMENTS = [n for n in registry.BUILT_IN if registry.get_format(n).kind == "alignment"]
FEATURES = [n for n in registry.BUILT_IN if registry.get_format(n).kind == "features"]


def test_one_file_a_format() -> None:
    files = {path.stem for path in FOLDER.glob("*.py")} - SHARED
    assert {module.rpartition(".")[2] for module in registry.BUILT_IN.values()} == files
    assert len(registry.BUILT_IN) == len(files)


def test_every_format_of_the_readme_is_there() -> None:
    assert set(ALIGNMENTS) == {
        *("vtt", "srt", "tsv", "csv", "jsonl", "parquet"),
        *("audacity", "eaf", "textgrid", "label-studio", "htm-aa"),
    }
    assert set(FEATURES) == {
        *("tan", "moment-detr", "2d-tan", "mad", "vslnet", "videoclip", "webdataset", "safetensors"),
    }


@pytest.mark.parametrize("name", ALIGNMENTS)
@pytest.mark.parametrize("held", [made_alignment(), hostile_alignment(), empty_alignment()])
def test_the_same_alignment_gives_the_same_bytes(name: str, held: object, tmp_path: Path) -> None:
    form = registry.get_format(name)
    assert isinstance(form, AlignmentFormat)
    for file in ("a", "b"):
        form.write(tmp_path / file, [("v", held)], Options())  # type: ignore[list-item]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("name", FEATURES)
@pytest.mark.parametrize("clips", [0, 1, 7])
def test_the_same_features_give_the_same_bytes(name: str, clips: int, tmp_path: Path) -> None:
    form = registry.get_format(name)
    assert isinstance(form, FeaturesFormat)
    for file in ("a", "b"):
        form.write(tmp_path / file, [("v", made_features(clips, 4))], Options())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def install(folder: Path, points: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What pip leaves behind of a package with these entry points."""
    info = folder / "some_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-plugin\nVersion: 1.0\n")
    lines = [f"[{registry.GROUP}]", *(f"{name} = {value}" for name, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(folder)


def test_the_example_plugin_joins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = ROOT / "examples" / "plugins" / "export_chapters"
    project = tomllib.loads((plugin / "pyproject.toml").read_text("utf-8"))["project"]
    install(tmp_path, project["entry-points"][registry.GROUP], monkeypatch)
    monkeypatch.syspath_prepend(plugin)
    assert registry.format_names()[-1] == "chapters"
    form = registry.get_format("chapters")
    assert isinstance(form, AlignmentFormat)
    form.write(tmp_path / "out.txt", [("v", made_alignment())], Options())
    assert (tmp_path / "out.txt").read_text("utf-8") == "0:00 Intro\n0:01 stir the egg\n0:02 put water\n"


FAULTS = {
    "gone": ("no_such_module_here:FORMAT", "cannot be loaded: No module named 'no_such_module_here'"),
    "nameless": ("json:FORMAT", "cannot be loaded"),
    "other": ("json:dumps", "gives a function, not a format"),
}


@pytest.mark.parametrize(("value", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_faulty_plugins_are_named(
    value: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, {"mine": value}, monkeypatch)
    with pytest.raises(UsageError, match="the plugin for 'mine'") as caught:
        registry.get_format("mine")
    assert message in str(caught.value)


def test_a_plugin_does_not_replace_what_is_built_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, {"vtt": "no_such_module_here:FORMAT"}, monkeypatch)
    assert registry.get_format("vtt").suffix == ".vtt"
    assert registry.format_names().count("vtt") == 1


def test_unknown_formats_are_told_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'textgrid'"):
        registry.get_format("text-grid")
    with pytest.raises(UsageError, match="known: vtt, srt"):
        registry.get_format("qqqq")
