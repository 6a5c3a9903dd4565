"""`vidalign eval` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.model_folders import aligner_folder, backbone_folder
from tests.tiny import Run, made_features, write_vtt
from vidalign.store.features import write_features
from vidalign.training.product import FeatureSource
from vidalign.weights.recipes import get_recipe

TEXTS = ("stir the egg", "put the red bowl", "cut", "whisk water")


@pytest.fixture
def world(tiny: Path, tmp_path: Path) -> Path:
    """Two videos of 60 s: features, subtitles and truth.json."""
    truth = {}
    for seed, name in enumerate(("one", "two")):
        write_features(
            tmp_path / "features" / f"{name}.h5", made_features(60, seed=seed, video=f"{name}.mp4")
        )
        write_vtt(tmp_path / "subtitles" / f"{name}.vtt", *TEXTS, step=12.0)
        rows = [[k % 2, 12.0 * k + 3, 12.0 * k + 9, text] for k, text in enumerate(TEXTS)]
        truth[name] = rows
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    return tmp_path


def rows_of(out: str) -> dict[str, dict[str, object]]:
    return {row["method"]: row for row in map(json.loads, out.splitlines())}


def test_one_table_for_alignments_models_and_baselines(cli: Run, world: Path) -> None:
    for name in ("one", "two"):
        code, _, err = cli(
            *("align", f"{name}.mp4", world / "subtitles" / f"{name}.vtt"),
            *("--features", world / "features" / f"{name}.h5", "-o", world / "out" / f"{name}.align.h5"),
        )
        assert code == 0, err
    everything = (
        *("eval", "align", world / "truth.json", "--alignments", world / "out"),
        *("--model", "mini", "--features", world / "features", "--subtitles", world / "subtitles"),
        *("--baseline", "times", "--baseline", "uniform", "--baseline", "similarity", "--resamples", "20"),
    )
    code, out, err = cli(*everything)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert "R@1 %" in lines[1] and "ROC-AUC %" in lines[1] and "ECE" in lines[1]
    code, out, err = cli(*everything, "--json")
    assert code == 0
    rows = rows_of(out)
    assert list(rows) == ["times", "uniform", "similarity of mini", str(world / "out"), "mini"]
    times = rows["times"]
    assert (times["videos"], times["sentences"], times["alignable"]) == (2, 8, 4)
    assert times["recall"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert times["auc"] == {"value": None, "low": None, "high": None}
    assert times["kind"] == "baseline" and rows["mini"]["kind"] == "model"
    assert (rows["mini"]["windowing"], rows["mini"]["encoders"]) == ("overlap", "both")
    assert rows["mini"]["missing"] == [] and rows["mini"]["failed"] == {}
    assert cli(*everything, "--json")[1] == out
    files = sorted((world / "out").iterdir())
    code, out, _ = cli("eval", "align", world / "truth.json", "--alignments", *files, "--json")
    assert code == 0 and rows_of(out)["alignment files"]["recall"] != times["recall"]


def test_the_protocol_and_its_options_reach_the_model(cli: Run, world: Path) -> None:
    base = (
        "eval",
        "align",
        world / "truth.json",
        "--model",
        "mini",
        "--features",
        world / "features",
        "--json",
    )
    found = {}
    for options in ((), ("--protocol", "nsva"), ("--protocol", "norton"), ("--encoders", "dual")):
        code, out, err = cli(*base, "--resamples", "0", *options)
        assert code == 0, err
        found[options] = json.loads(out)
    told = [(row["protocol"], row["windowing"], row["encoders"]) for row in found.values()]
    assert told == [
        ("tan", "overlap", "both"),
        ("nsva", "global", "joint"),
        ("norton", "overlap", "both"),
        ("tan", "overlap", "dual"),
    ]
    errors = [row["timing_error"]["value"] for row in found.values()]
    assert len(set(errors)) == len(errors)
    assert found["--encoders", "dual"]["calibration_error"]["value"] is None


def test_a_decoder_in_place_of_the_peak(cli: Run, world: Path) -> None:
    base = ("eval", "align", world / "truth.json", "--model", "mini", "--features", world / "features")
    prior = ("--decoder", "viterbi", "--decoder-option", "prior=5", "--decoder-option", "skip=100")
    found = {}
    for options in ((), ("--decoder", "dtw"), (*prior, "--subtitles", world / "subtitles")):
        code, out, err = cli(*base, "--json", "--resamples", "0", "--windowing", "global", *options)
        assert code == 0, err
        row = json.loads(out)
        found[row["decoder"]] = row
    assert list(found) == ["peak", "dtw", "viterbi:skip=100,prior=5"]
    assert found["viterbi:skip=100,prior=5"]["recall"]["value"] == 1.0  # what is spoken is seen then
    assert found["peak"]["recall"]["value"] < 1.0
    code, out, _ = cli(*base, "--decoder", "dtw", "--resamples", "0")
    assert code == 0 and "dtw" in out and "labels %" in out
    code, out, err = cli(*base, *prior)
    assert (code, out) == (2, "") and "asks when sentences are spoken; add --subtitles" in err
    code, out, err = cli(*base, "--decoder-option", "prior=5")
    assert (code, out) == (2, "") and "--decoder-option goes with --decoder" in err


def test_a_model_folder_beside_a_card(cli: Run, world: Path) -> None:
    source = FeatureSource(backbone_folder(world / "s3d"), get_recipe("mini-8fps"), copied=True)
    aligner_folder(world / "tan", source)
    for name in ("one", "two"):
        features = made_features(60, 50, backbone="own-s3d", recipe=source.recipe)
        write_features(world / "own" / f"{name}.h5", features)
    base = ("eval", "align", world / "truth.json", "--features", world / "own", "--json", "--resamples", "0")
    code, out, err = cli(*base, "--model", world / "tan", "--baseline", "similarity")
    assert code == 0, err
    assert list(rows_of(out)) == ["similarity of own-s3d", str(world / "tan")]
    code, out, err = cli(*base, "--model", "mini")
    assert code == 1 and "the features come from backbone own-s3d" in err


def test_models_of_one_backbone_have_one_baseline(cli: Run, world: Path) -> None:
    """Another only where its weights are others, which the row then says."""
    for name, seed in (("first", 0), ("second", 0), ("other", 1)):
        backbone = backbone_folder(world / f"s3d-{seed}", seed=seed)
        aligner_folder(world / name, FeatureSource(backbone, get_recipe("mini-8fps"), copied=True))
    for name in ("one", "two"):
        features = made_features(60, 50, backbone="own-s3d", recipe=get_recipe("mini-8fps"))
        write_features(world / "own" / f"{name}.h5", features)
    models = [str(world / name) for name in ("first", "second", "other")]
    code, out, err = cli(
        *("eval", "align", world / "truth.json", "--features", world / "own", "--baseline", "similarity"),
        *(part for model in models for part in ("--model", model)),
        *("--json", "--resamples", "0"),
    )
    assert code == 0, err
    methods = [json.loads(line)["method"] for line in out.splitlines()]
    assert methods == ["similarity of own-s3d", f"similarity of own-s3d, by {models[2]}", *models]


def test_missing_and_bad_videos_are_named(cli: Run, world: Path) -> None:
    (world / "features" / "two.h5").unlink()
    base = ("eval", "align", world / "truth.json", "--model", "mini", "--features", world / "features")
    code, out, err = cli(*base, "--json", "--resamples", "0")
    assert code == 1
    assert "no file for 1 of the videos" in err and "truth.json: two; files are found by" in err
    assert (json.loads(out)["videos"], json.loads(out)["missing"]) == (1, ["two"])
    write_features(world / "features" / "two.h5", made_features(60, backbone="other"))
    code, out, err = cli(*base, "--json", "--resamples", "0")
    assert code == 1 and "mini, two: the features come from backbone other" in err
    assert list(json.loads(out)["failed"]) == ["two"]
    (world / "features" / "one.h5").unlink()
    code, out, err = cli(*base)
    assert code == 1 and len(err.splitlines()) == 2
    assert " - " in out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "nothing to evaluate"),
        (("--model", "mini"), "--model needs features"),
        (("--baseline", "similarity"), "--baseline similarity needs features"),
        (("--baseline", "times"), "--baseline times needs subtitles"),
        (("--baseline", "uniform"), "--baseline uniform needs the lengths"),
        (("--model", "nonsense", "--features", "."), "unknown model 'nonsense'"),
    ],
)
def test_what_is_not_given_is_said_in_one_line(
    options: tuple[str, ...], told: str, cli: Run, world: Path
) -> None:
    code, out, err = cli("eval", "align", world / "truth.json", *options)
    assert (code, out) == (2, "")
    assert told in err and len(err.splitlines()) == 1


def test_a_file_that_is_no_truth(cli: Run, world: Path) -> None:
    bad = world / "subtitles" / "one.vtt"
    code, out, err = cli("eval", "align", bad, "--baseline", "uniform", "--features", world / "features")
    assert (code, out) == (1, "")
    assert "is not JSON" in err and len(err.splitlines()) == 1


def test_retrieval(cli: Run, world: Path) -> None:
    lines = [f"{name},{12 * k},{12 * k + 12},{t}" for name in ("one", "two") for k, t in enumerate(TEXTS)]
    (world / "list.csv").write_text("\n".join(["video,start,end,text", *lines]))
    base = ("eval", "retrieval", world / "list.csv", "--features", world / "features", "--resamples", "20")
    code, out, err = cli(*base)
    assert (code, err) == (0, "")
    assert "median rank" in out and "standardised" in out
    code, out, _ = cli(*base, "--json", "--ranks", "reference", "--scorer", "similarity")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["variant"] for row in rows] == ["plain", "centred", "standardised"]
    assert {row["scorer"] for row in rows} == {"similarity"} and {row["ranks"] for row in rows} == {
        "reference"
    }
    assert all(row["segments"] == 8 and 1 <= row["median_rank"]["value"] <= 8 for row in rows)
    (world / "list.csv").write_text("\n".join(["video,start,end,text", *lines, "three,0,5,cut"]))
    code, out, err = cli(*base, "--json")
    assert code == 1 and "list.csv: three; files are found by" in err
    assert json.loads(out.splitlines()[0])["missing"] == ["three"]
