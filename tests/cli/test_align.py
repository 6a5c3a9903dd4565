"""`vidalign align` as people and shell scripts use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import pytest

from tests.tiny import Run, draw_video, made_features, write_vtt
from vidalign.batch.pipeline import Made, Pipeline, Work
from vidalign.store.alignments import read_alignment
from vidalign.store.features import write_features
from vidalign.weights.recipes import get_recipe

TEXTS = ("stir the egg", "put water", "whisk the red bowl")
ALL = ("--threshold", "0")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, clip_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a video and its subtitles under another name, as the current one."""
    monkeypatch.chdir(tmp_path)
    Path("clip.mp4").write_bytes(clip_file.read_bytes())
    write_vtt(Path("words.vtt"), *TEXTS)
    return tmp_path


def alignments() -> list[str]:
    return sorted(path.as_posix() for path in Path().rglob("*.align.h5"))


def test_the_default_output(tiny: Path, cli: Run) -> None:
    code, out, err = cli("align", "clip.mp4", "words.vtt", *ALL)
    assert (code, out) == (0, "clip.align.h5\n")
    notice, verdict = err.splitlines()
    assert "mini knows only the synthetic how-to world" in notice
    assert verdict.startswith("clip.mp4: aligned 3 of 3 sentences, median shift ")
    with h5py.File("clip.align.h5") as file:
        assert file.attrs["notice"] == "mini knows: the synthetic how-to world of vidalign only"
        assert file["similarity"].shape == (3, 3)


@pytest.mark.parametrize("name", ["x.h5", "x.json", "new/deep/x.json", "X.H5"])
def test_files_that_hold_everything(name: str, tiny: Path, cli: Run) -> None:
    code, out, _ = cli("align", "clip.mp4", "words.vtt", "-o", name, *ALL)
    assert (code, out) == (0, f"{name}\n")
    made = read_alignment(Path(name))
    assert made.aligned.all()
    assert made.similarity is not None
    code, _, err = cli("align", "clip.mp4", "words.vtt", "-o", name, *ALL)
    assert code == 0
    assert "1 already done" in err


@pytest.mark.parametrize(
    ("name", "mark"), [("x.vtt", "WEBVTT"), ("x.srt", "1\n00:00:"), ("X.SRT", "1\n00:00:")]
)
def test_subtitles_out(name: str, mark: str, tiny: Path, cli: Run) -> None:
    code, out, _ = cli("align", "clip.mp4", "words.vtt", "-o", name, *ALL)
    assert (code, out) == (0, f"{name}\n")
    text = Path(name).read_text("utf-8")
    assert text.startswith(mark)
    assert all(said in text for said in TEXTS)


def test_nothing_aligned_leaves_the_subtitles_as_they_are(tiny: Path, cli: Run) -> None:
    assert cli("align", "clip.mp4", "words.vtt", "-o", "x.vtt", "--threshold", "1")[0] == 0
    assert Path("x.vtt").read_bytes() == Path("words.vtt").read_bytes()


@pytest.mark.parametrize(("how", "cues", "marks"), [("keep", 3, 0), ("drop", 0, 0), ("mark", 3, 3)])
def test_cues_that_are_not_aligned(how: str, cues: int, marks: int, tiny: Path, cli: Run) -> None:
    cli("align", "clip.mp4", "words.vtt", "-o", "x.vtt", "--threshold", "1", "--unaligned", how)
    text = Path("x.vtt").read_text("utf-8")
    assert (text.count("-->"), text.count("[unaligned]")) == (cues, marks)


def test_json_on_stdout(tiny: Path, here: Path, cli: Run) -> None:
    code, out, err = cli("align", "clip.mp4", "words.vtt", "-o", "-", *ALL)
    assert code == 0
    assert "aligned 3 of 3" in err
    document = json.loads(out)
    assert document["schema"] == "vidalign.alignment/1"
    assert [sentence["text"] for sentence in document["sentences"]] == list(TEXTS)
    assert len(document["similarity"]) == 3
    assert sorted(path.name for path in here.iterdir() if path.is_file()) == ["clip.mp4", "words.vtt"]
    document = json.loads(cli("align", "clip.mp4", "words.vtt", "-o", "-", "--no-matrix")[1])
    assert "similarity" not in document and "times" not in document


def test_a_record_for_programs(tiny: Path, cli: Run) -> None:
    record = json.loads(cli("align", "clip.mp4", "words.vtt", "--json", *ALL)[1])
    confidence, shift = record.pop("confidence"), record.pop("median_shift")
    assert record.pop("progress")["videos"] == 1
    assert 0 < confidence <= 1
    assert -3 < shift < 3
    assert record == {
        "status": "done",
        "item": "clip.mp4",
        "source": "clip.mp4",
        "output": "clip.align.h5",
        "sentences": 3,
        "aligned": 3,
    }
    again = json.loads(cli("align", "clip.mp4", "words.vtt", "--json", *ALL)[1])
    assert (again["status"], again["confidence"]) == ("skipped", confidence)


def test_the_same_bytes_twice(tiny: Path, cli: Run) -> None:
    cli("align", "clip.mp4", "words.vtt", "-o", "one.h5")
    cli("align", Path("clip.mp4").resolve(), "words.vtt", "-o", "two.h5")
    assert Path("one.h5").read_bytes() == Path("two.h5").read_bytes()


OTHERS: dict[str, tuple[list[str], str]] = {
    "threshold": (["--threshold", "0.987"], " / 0.987)"),
    "matrix": (["--no-matrix"], "matrix: True / False"),
    "segment": (["--segment", "sentence"], "other sentences"),
    "scorer": (["--scorer", "similarity"], "scorer: tan / similarity"),
    "windowing": (["--margin", "8"], "'margin': 8.0"),
    "mode": (["--windowing", "global"], "'mode': 'global'"),
    "weights": (["--weights", "mine.safetensors"], "weights: "),
}


@pytest.mark.parametrize(("args", "difference"), OTHERS.values(), ids=OTHERS.keys())
@pytest.mark.parametrize("output", ["x.h5", "x.json"])
def test_outputs_of_other_settings_are_refused(
    output: str, args: list[str], difference: str, tiny: Path, cli: Run
) -> None:
    Path("mine.safetensors").write_bytes((tiny / "mini-tan.safetensors").read_bytes() + b" ")
    cli("align", "clip.mp4", "words.vtt", "-o", output)
    before = Path(output).read_bytes()
    code, out, err = cli("align", "clip.mp4", "words.vtt", "-o", output, *args)
    assert (code, out) == (2, "")
    [line] = err.splitlines()
    assert difference in line
    assert line.endswith("replace it with --overwrite")
    assert Path(output).read_bytes() == before


def test_outputs_of_other_inputs_are_refused(tiny: Path, cli: Run) -> None:
    cli("align", "clip.mp4", "words.vtt", "-o", "x.h5")
    Path("other.mp4").write_bytes(Path("clip.mp4").read_bytes())
    code, _, err = cli("align", "other.mp4", "words.vtt", "-o", "x.h5")
    assert (code, "video: clip.mp4 / other.mp4" in err) == (1, True)
    write_vtt(Path("words.vtt"), "stir the eggs", *TEXTS[1:])
    code, _, err = cli("align", "clip.mp4", "words.vtt", "-o", "x.h5")
    assert (code, "other sentences" in err) == (1, True)
    assert cli("align", "clip.mp4", "words.vtt", "-o", "x.h5", "--overwrite")[0] == 0
    assert read_alignment(Path("x.h5")).sentences[0].text == "stir the eggs"


def test_subtitles_that_are_there_are_refused(tiny: Path, cli: Run) -> None:
    Path("x.vtt").write_text("WEBVTT\n\nmine")
    code, out, err = cli("align", "clip.mp4", "words.vtt", "-o", "x.vtt")
    assert (code, out) == (2, "")
    assert "x.vtt is there already" in err
    assert Path("x.vtt").read_text() == "WEBVTT\n\nmine"
    assert cli("align", "clip.mp4", "words.vtt", "-o", "x.vtt", "--overwrite")[0] == 0


def test_a_foreign_file_where_the_output_belongs(tiny: Path, cli: Run) -> None:
    Path("x.h5").write_text("my thesis")
    code, _, err = cli("align", "clip.mp4", "words.vtt", "-o", "x.h5")
    assert code == 1
    assert "replace it with --overwrite" in err
    assert Path("x.h5").read_text() == "my thesis"


def test_too_little_confidence(tiny: Path, cli: Run) -> None:
    unsure = ("align", "clip.mp4", "words.vtt", "-o", "x.vtt", "--overwrite", "--min-confidence", "1", *ALL)
    code, out, err = cli(*unsure)
    assert (code, out) == (3, "")
    assert "aligned 3 of 3" in err
    assert "is below 1; nothing was written; a lower --min-confidence writes it" in err
    assert not Path("x.vtt").exists()
    Path("x.vtt").write_text("old")
    assert cli(*unsure)[0] == 3
    assert Path("x.vtt").read_text() == "old"
    code, out, _ = cli(*unsure, "--json")
    record = json.loads(out)
    assert (code, record["status"], record["error"]) == (3, "failed", "LowConfidenceError")
    assert record["confidence"] < 1


def test_too_little_confidence_in_what_is_there(tiny: Path, cli: Run) -> None:
    assert cli("align", "clip.mp4", "words.vtt", *ALL)[0] == 0
    before = Path("clip.align.h5").read_bytes()
    assert cli("align", "clip.mp4", "words.vtt", *ALL, "--min-confidence", "1")[0] == 3
    assert Path("clip.align.h5").read_bytes() == before
    assert cli("align", "clip.mp4", "words.vtt", *ALL, "--min-confidence", "0")[0] == 0


def test_features_instead_of_the_video(tiny: Path, cli: Run) -> None:
    write_features(Path("f.h5"), made_features(5))
    code, _, err = cli("align", "gone/clip.mp4", "words.vtt", "--features", "f.h5", "-o", "x.json")
    assert code == 0
    assert "warning" not in err
    assert read_alignment(Path("x.json")).video == "clip.mp4"
    code, _, err = cli("align", "film.mp4", "words.vtt", "--features", "f.h5", "-o", "y.json")
    assert code == 0
    assert "warning: film.mp4: the features given are those of clip.mp4" in err


BAD_FEATURES = {
    "backbone": ({"backbone": "s3d-howto100m"}, "come from backbone s3d-howto100m, mini needs mini features"),
    "recipe": ({"recipe": get_recipe("s3d-16fps")}, "come from recipe s3d-16fps"),
    "width": ({"width": 100}, "are 100 wide, mini needs mini features of layer mixed_5c by recipe mini-8fps"),
}


@pytest.mark.parametrize(("known", "message"), BAD_FEATURES.values(), ids=BAD_FEATURES.keys())
def test_features_of_something_else_are_refused(
    known: dict[str, object], message: str, tiny: Path, cli: Run
) -> None:
    write_features(Path("f.h5"), made_features(**known))  # type: ignore[arg-type]
    code, out, err = cli("align", "clip.mp4", "words.vtt", "--features", "f.h5")
    assert (code, out) == (1, "")
    assert f"error: clip.mp4: the features {message}" in err
    assert "vidalign extract VIDEO -o DIR --backbone mini --recipe mini-8fps" in err


@pytest.mark.parametrize("name", ["words.vtt", "clip.mp4"])
def test_features_that_are_none(name: str, tiny: Path, cli: Run) -> None:
    code, _, err = cli("align", "clip.mp4", "words.vtt", "--features", name, "-o", "x.h5")
    assert code == 1
    assert f"{name} is not an HDF5 file" in err


def test_an_alignment_is_no_features_file(tiny: Path, cli: Run) -> None:
    cli("align", "clip.mp4", "words.vtt", "-o", "x.h5")
    code, _, err = cli("align", "clip.mp4", "words.vtt", "--features", "x.h5", "-o", "y.h5")
    assert code == 1
    assert "x.h5 holds vidalign.alignment/1" in err


def test_features_are_kept_and_used_again(tiny: Path, cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[Path] = []
    once = Pipeline.extract_many

    def counted(self: Pipeline, works: Iterator[Work], progress: Any = None) -> Iterator[Made]:
        held = list(works)
        decoded.extend(work.video for work in held)
        return once(self, iter(held), progress)

    monkeypatch.setattr(Pipeline, "extract_many", counted)
    for output in ("1.h5", "2.h5"):
        assert cli("align", "clip.mp4", "words.vtt", "-o", output, "--save-features", "kept")[0] == 0
    assert decoded == [Path("clip.mp4")]
    assert sorted(path.name for path in Path("kept").iterdir()) == ["clip.h5", "run.json"]
    assert Path("1.h5").read_bytes() == Path("2.h5").read_bytes()
    assert cli("extract", "clip.mp4", "-o", "kept")[2].splitlines()[-1] == "1 item: 1 already done"


@pytest.fixture
def folders() -> None:
    """Three videos, subtitles for two of them, one of these with a language suffix."""
    for name in ("films/a.mp4", "films/sub/b.mp4", "films/sub/c.mp4"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(Path("clip.mp4").read_bytes())
    write_vtt(Path("texts/a.vtt"), *TEXTS)
    write_vtt(Path("texts/sub/b.en.vtt"), *TEXTS)


def test_two_folders(tiny: Path, folders: None, cli: Run) -> None:
    code, out, err = cli("align", "films", "texts", "-o", "out", "--json", *ALL)
    assert code == 1
    assert alignments() == ["out/a.align.h5", "out/sub/b.align.h5"]
    statuses = {record["item"]: record["status"] for record in map(json.loads, out.splitlines())}
    assert statuses == {"a.mp4": "done", "sub/b.mp4": "done", "sub/c.mp4": "failed"}
    assert "films/sub/c.mp4: no subtitles" in err
    assert err.splitlines()[-1] == "3 items: 2 done, 1 failed"
    assert "a.mp4: aligned 3 of 3" in err
    code, _, err = cli("align", "films", "texts", "-o", "out", *ALL)
    assert (code, err.splitlines()[-1]) == (1, "3 items: 2 already done, 1 failed")
    assert "no subtitles" in err and "recorded in out/sub/c.align.error.json" in err


def test_two_folders_fail_fast(tiny: Path, folders: None, cli: Run) -> None:
    Path("films/a.mp4").write_bytes(b"")
    Path("texts/sub/c.vtt").write_bytes(Path("words.vtt").read_bytes())
    code, _, err = cli("align", "films", "texts", "-o", "out", "--fail-fast")
    assert (code, alignments()) == (1, [])
    assert "1 item: 1 failed" in err


def test_two_folders_dry(tiny: Path, folders: None, cli: Run) -> None:
    code, out, err = cli("align", "films", "texts", "-o", "out", "--dry-run")
    assert (code, out) == (1, "")
    assert "would write out/sub/b.align.h5" in err
    assert "3 items: 2 to do, 1 failed" in err
    assert not Path("out").exists()


def test_a_table_of_pairs(tiny: Path, folders: None, cli: Run) -> None:
    write_features(Path("f.h5"), made_features(4))
    Path("pairs.csv").write_text(
        "\ufeffvideo,subtitles,features\nfilms/a.mp4,texts/a.vtt,\ngone/clip.mp4,words.vtt,f.h5\n"
        "films/sub/b.mp4,gone.vtt,\n",
        "utf-8",
    )
    code, out, err = cli("align", "--pairs", "pairs.csv", "-o", "out")
    assert code == 1
    assert sorted(out.splitlines()) == ["out/films/a.align.h5", "out/gone/clip.align.h5"]
    assert "error: films/sub/b.mp4: gone.vtt: there is no such subtitle file" in err


def test_subtitles_beside_the_video(tiny: Path, cli: Run) -> None:
    write_vtt(Path("clip.en.vtt"), *TEXTS)
    code, _, err = cli("align", "clip.mp4")
    assert code == 0
    assert "warning: no subtitles given; taking clip.en.vtt" in err


def test_subtitles_inside_the_video(tiny: Path, cli: Run) -> None:
    draw_video(Path("one.mkv"), 2.0, tracks={"eng": ["stir", "put"]})
    code, _, err = cli("align", "one.mkv", "-o", "x.json")
    assert code == 0
    assert "taking track:1 of one.mkv" in err
    assert [sentence.text for sentence in read_alignment(Path("x.json")).sentences] == ["stir", "put"]
    draw_video(Path("two.mkv"), 2.0, tracks={"eng": ["stir", "put"], "deu": ["rühren"]})
    code, _, err = cli("align", "two.mkv")
    assert code == 1
    assert "track:1 (subrip; eng), track:2 (subrip; deu)" in err
    assert cli("align", "two.mkv", "track:2", "-o", "x.vtt")[0] == 0
    assert "rühren" in Path("x.vtt").read_text("utf-8")
    code, _, err = cli("align", "two.mkv", "track:3", "-o", "y.json")
    assert (code, "there is no track:3" in err) == (1, True)


def test_plain_text_gets_times(tiny: Path, cli: Run) -> None:
    Path("plain.txt").write_text("\n".join(TEXTS) + "\n")
    code, _, err = cli("align", "clip.mp4", "plain.txt", "-o", "x.vtt", *ALL)
    assert code == 0
    assert "median shift unknown" in err
    assert Path("x.vtt").read_text("utf-8").count("-->") == 3


def test_unknown_words_are_warned_about(tiny: Path, cli: Run) -> None:
    write_vtt(Path("foreign.vtt"), "man nehme einen Schneebesen", "the egg")
    code, out, err = cli("align", "clip.mp4", "foreign.vtt", "--json")
    assert code == 0
    [warning] = [line for line in err.splitlines() if "warning" in line]
    assert "foreign.vtt: 67% of the words are outside the dictionary of mini" in warning
    assert "`vidalign models add tan-htm370k " in warning
    assert "67% of the words" in json.loads(out)["warnings"][0]


def test_known_words_are_not(tiny: Path, cli: Run) -> None:
    assert "warning" not in cli("align", "clip.mp4", "words.vtt")[2]


def test_the_plain_similarity(tiny: Path, cli: Run) -> None:
    code, _, err = cli("align", "clip.mp4", "words.vtt", "--scorer", "similarity", "-o", "x.json")
    assert code == 0
    assert "alignability is only the rank within this video" in err
    made = read_alignment(Path("x.json"))
    assert (made.scorer, made.alignability_kind) == ("similarity", "rank")


MISTAKES = {
    "nothing": ([], "there is nothing to align; vidalign align VIDEO [SUBTITLES]"),
    "no video": (["gone.mp4", "words.vtt"], "gone.mp4 does not exist; check the name, or give --features"),
    "no subtitles": (["clip.mp4", "gone.vtt"], "gone.vtt does not exist"),
    "no subtitles given": (["clip.mp4"], "no subtitles given, none beside clip.mp4 and none inside"),
    "wrong suffix": (["clip.mp4", "words.vtt", "-o", "x.txt"], "x.txt: the output's suffix says its format"),
    "over itself": (["clip.mp4", "words.vtt", "-o", "words.vtt", "--overwrite"], "written over itself"),
    "not a track": (["clip.mp4", "track:one"], "'track:one' names no track"),
    "unknown model": (["clip.mp4", "words.vtt", "--model", "maxi"], "unknown model 'maxi'"),
    "unknown scorer": (["clip.mp4", "words.vtt", "--scorer", "magic"], "unknown scorer 'magic'"),
    "unknown decoder": (["clip.mp4", "words.vtt", "--decoder", "dream"], "unknown decoder 'dream'"),
    "missing model": (["clip.mp4", "words.vtt", "--model", "tan-htm370k"], "vidalign models add tan-htm370k"),
    "no features": (["clip.mp4", "words.vtt", "--features", "gone.h5"], "'gone.h5' does not exist"),
    "threshold": (["clip.mp4", "words.vtt", "--threshold", "2"], "'--threshold'"),
    "folder, no output": (["films"], "many videos need a folder for their alignments; add -o DIR"),
    "folder to stdout": (["films", "-o", "-"], "many videos need a folder"),
    "folder, a file": (["films", "words.vtt", "-o", "out"], "films is a folder, words.vtt is not"),
    "features, a folder": (["clip.mp4", "words.vtt", "--features", "films"], "films is a folder; --features"),
    "folder, features": (["films", "-o", "out", "--features", "words.vtt"], "--features goes with one video"),
    "no table": (["--pairs", "gone.csv", "-o", "out"], "'gone.csv' does not exist"),
    "strange table": (["--pairs", "words.vtt", "-o", "out"], "words.vtt: unknown column 'WEBVTT'"),
    "table and video": (["clip.mp4", "--pairs", "words.vtt", "-o", "out"], "either a video or --pairs"),
    "blocked": (["clip.mp4", "words.vtt", "-o", "words.vtt/x.h5"], "words.vtt is not a folder"),
}


@pytest.mark.parametrize(("args", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes_are_told_in_one_line(
    args: list[str], message: str, tiny: Path, here: Path, cli: Run
) -> None:
    Path("films").mkdir()
    Path("films/a.mp4").write_bytes(Path("clip.mp4").read_bytes())
    before = sorted(here.rglob("*"))
    code, out, err = cli("align", *args)
    assert (code, out) == (2, "")
    [line] = [line for line in err.splitlines() if not line.startswith("vidalign: warning")]
    assert message in line
    assert sorted(here.rglob("*")) == before


SWAPPED = {
    "both are the video": (
        ["clip.mp4", "clip.mp4"],
        "clip.mp4: this is a video (MP4 or MOV), not a subtitle file",
    ),
    "the wrong way round": (
        ["words.vtt", "clip.mp4"],
        "clip.mp4: this is a video (MP4 or MOV), not a subtitle",
    ),
    "a subtitle file as video": (["words.vtt", "words.vtt"], "words.vtt has no picture stream"),
    "an empty video": (["empty", "words.vtt"], "empty is empty"),
    "empty subtitles": (["clip.mp4", "empty"], "empty: the file is empty"),
}


@pytest.mark.parametrize(("args", "message"), SWAPPED.values(), ids=SWAPPED.keys())
def test_inputs_that_are_something_else(args: list[str], message: str, tiny: Path, cli: Run) -> None:
    Path("empty").touch()
    code, out, err = cli("align", *args, "-o", "x.h5")
    assert (code, out) == (1, "")
    [line] = [line for line in err.splitlines() if "error" in line]
    assert message in line
    assert not Path("x.h5").exists()


def test_without_work_torch_is_not_imported(
    tiny: Path, cli: Run, run_in_a_process: Callable[..., tuple[str, bool]]
) -> None:
    cli("align", "clip.mp4", "words.vtt", "--weights", tiny / "mini-tan.safetensors")
    settings = ("--weights", str(tiny / "mini-tan.safetensors"), "--device", "cpu")
    said, torch_imported = run_in_a_process("align", "clip.mp4", "words.vtt", *settings)
    assert (said, torch_imported) == ("0", False)
    said, torch_imported = run_in_a_process("align", "clip.mp4", "gone.vtt", *settings)
    assert (said, torch_imported) == ("2", False)


@pytest.mark.parametrize(
    "mistake", ["unknown model", "unknown scorer", "missing model", "nothing", "not a track"]
)
def test_mistakes_import_nothing_heavy(mistake: str, here: Path) -> None:
    program = (
        "import sys; from vidalign.cli.main import main; code = main(sys.argv[1:]);"
        "print(code, *{'torch', 'numpy', 'av', 'h5py', 'decord'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", program, "align", *MISTAKES[mistake][0]]
    environment = {**os.environ, "VIDALIGN_CACHE": str(here)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["2"]


@pytest.fixture
def run_in_a_process(tiny: Path) -> Callable[..., tuple[str, bool]]:
    """The exit code of a command line whose `mini` is the random one, and whether torch was imported."""
    program = (
        "import sys; from pathlib import Path; from vidalign.weights import cache;"
        f"cache.stored_path = lambda card, role: Path({str(tiny)!r}) / cache.owner(card, role)[1].name;"
        "from vidalign.cli.main import main; code = main(sys.argv[1:]);"
        "print(code, 'torch' in sys.modules)"
    )

    def call(*args: str) -> tuple[str, bool]:
        done = subprocess.run(
            [sys.executable, "-c", program, *args], capture_output=True, text=True, check=True
        )
        code, imported = done.stdout.splitlines()[-1].split()
        return code, imported == "True"

    return call
