"""`vidalign import-features`: features of other tools come in and are aligned with at once."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.tiny import Run, made_features, write_vtt
from vidalign.store.exports.registry import BUILT_IN, get_format
from vidalign.store.features import read_features, write_features
from vidalign.weights.recipes import get_recipe

FEATURES = [name for name in BUILT_IN if get_format(name).kind == "features"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", FEATURES)
def test_out_and_in_again(name: str, cli: Run) -> None:
    held = {"a": made_features(4), "sub/b": made_features(3, seed=9)}
    for item, features in held.items():
        write_features(Path(f"f/{item}.h5"), features)
    form = get_format(name)
    output = f"tool/all{form.suffix}" if form.gathers else "tool"
    assert cli("export", "f", "--preset", name, "-o", output)[0] == 0
    code, out, err = cli("import-features", "tool", "--preset", name, "--recipe", "mini-8fps", "-o", "back")
    assert code == 0, err
    assert sorted(out.splitlines()) == ["back/a.h5", "back/sub/b.h5"]
    for item, features in held.items():
        back = read_features(Path(f"back/{item}.h5"))
        assert np.array_equal(back.features, features.features)
        assert np.array_equal(back.times, features.times)
        assert back.recipe == get_recipe("mini-8fps") and back.backbone is None
        assert back.reader == f"imported from {name}"


def test_times_come_from_the_recipe(cli: Run) -> None:
    np.save("v.npy", np.ones((3, 512), np.float16))
    Path("slow.yaml").write_text(
        "fps: 10\nframes: 32\nstride: 1.6\nsize: 224\ncrop_size: 224\nlayer: video_embedding\n"
    )
    code, out, _ = cli(
        *("import-features", "v.npy", "--preset", "videoclip", "--recipe", "slow.yaml"),
        *("--backbone", "s3d-howto100m", "-o", "f", "--json"),
    )
    record = json.loads(out)
    assert code == 0 and (record["status"], record["clips"], record["width"]) == ("done", 3, 512)
    features = read_features(Path("f/v.h5"))
    assert np.allclose(features.times, [[0, 3.2], [1.6, 4.8], [3.2, 6.4]])
    assert features.features.dtype == np.float16 and features.backbone == "s3d-howto100m"


def activitynet(*clips: int) -> None:
    """What ActivityNet's C3D features look like, one group a video, and the lengths of the videos."""
    with h5py.File("c3d.hdf5", "w") as file:
        for number, count in enumerate(clips):
            file.create_group(f"v_{number}")["c3d_features"] = np.full((count, 500), number, np.float32)


ACTIVITYNET = ("import-features", "c3d.hdf5", "--preset", "2d-tan", "--key", "c3d_features")


def test_activitynet_s_c3d_features_get_times_by_the_videos_lengths(cli: Run) -> None:
    activitynet(4, 1)
    Path("val.json").write_text(json.dumps({"v_0": {"duration": 10, "sentences": []}, "v_1": 2.5, "x": 1}))
    code, _, err = cli(*ACTIVITYNET, "--recipe", "c3d-pca500", "--durations", "val.json", "-o", "f")
    assert code == 0, err
    features = read_features(Path("f/v_0.h5"))
    assert features.features.shape == (4, 500)
    assert features.recipe == get_recipe("c3d-pca500")
    assert np.allclose(features.times, [[0, 4], [2, 6], [4, 8], [6, 10]])
    assert np.allclose(read_features(Path("f/v_1.h5")).times, [[0, 2.5]])


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        (None, 2, "recipe 'c3d-pca500' takes every frame of a video"),
        ('{"v_1": 3}', 1, "no duration of v_0 is given"),
        ('{"v_0": {"seconds": 3}}', 1, "'v_0' has no duration in seconds, but None"),
        ('{"v_0": true}', 1, "'v_0' has no duration in seconds, but True"),
        ('{"v_0": -1}', 1, "'v_0' has no duration in seconds, but -1"),
        ("[3]", 1, "val.json: no durations in it"),
        ("{", 1, "val.json: cannot be read as JSON"),
    ],
)
def test_lengths_that_are_not_there(text: str | None, code: int, told: str, cli: Run) -> None:
    activitynet(2)
    Path("val.json").write_text(text or "")
    given = () if text is None else ("--durations", "val.json")
    found, _, err = cli(*ACTIVITYNET, "--recipe", "c3d-pca500", *given, "-o", "f")
    assert (found, told in err) == (code, True), err
    assert not Path("f/v_0.h5").exists()


def test_old_features_are_aligned_at_once(tiny: Path, cli: Run) -> None:
    np.save("clip.mp4.npy", made_features(12).features)
    code, out, err = cli(
        *("import-features", "clip.mp4.npy", "--preset", "tan", "--recipe", "mini-8fps"),
        *("--backbone", "mini", "-o", "f"),
    )
    assert (code, out) == (0, "f/clip.h5\n"), err
    assert read_features(Path("f/clip.h5")).video == "clip.mp4"
    write_vtt(Path("w.vtt"), "stir the egg", "put water", step=4)
    code, out, err = cli("align", "clip.mp4", "w.vtt", "--features", "f/clip.h5", "-o", "x.json")
    assert (code, out) == (0, "x.json\n"), err


def test_again_is_done_already_and_other_content_is_refused(cli: Run) -> None:
    line = ("import-features", "v.npy", "--preset", "vslnet", "--recipe", "mini-8fps", "-o", "f")
    np.save("v.npy", np.ones((3, 4), np.float32))
    assert cli(*line)[0] == 0
    code, out, err = cli(*line)
    assert (code, out) == (0, "f/v.h5\n") and "1 already done" in err
    np.save("v.npy", np.zeros((3, 4), np.float32))
    code, _, err = cli(*line)
    assert code == 2 and "f/v.h5 is there already, with other content" in err
    assert cli(*line, "--overwrite")[0] == 0
    assert not read_features(Path("f/v.h5")).features.any()


def test_a_bad_file_fails_alone(cli: Run) -> None:
    Path("in").mkdir()
    np.save("in/a.npy", np.ones((3, 4), np.float32))
    Path("in/b.npy").write_bytes(b"nonsense")
    np.save("in/c.npy", np.ones((3, 4), np.float32))
    code, out, err = cli("import-features", "in", "--preset", "vslnet", "--recipe", "mini-8fps", "-o", "f")
    assert (code, out.splitlines()) == (1, ["f/a.h5", "f/c.h5"])
    assert "in/b.npy" in err and "3 items: 2 done, 1 failed" in err


def test_a_key_that_leads_out_of_the_folder(cli: Run) -> None:
    with h5py.File("x.h5", "w") as file:
        file.create_group("..")["evil"] = np.ones((2, 3), np.float32)
    code, _, err = cli("import-features", "x.h5", "--preset", "mad", "--recipe", "mini-8fps", "-o", "f")
    assert code == 1 and "'../evil' is no name for a file below f" in err
    assert not Path("evil.h5").exists()


WRONG = {
    "width": (("--backbone", "mini"), 1, "the features are 4 wide, but layer"),
    "recipe": (("--recipe", "nope"), 2, "unknown recipe 'nope'"),
    "backbone": (("--backbone", "nope"), 2, "unknown model 'nope'"),
    "layer": (("--backbone", "s3d-howto100m", "--recipe", "odd.yaml"), 2, "which s3d-howto100m has not"),
    "layout": (("--preset", "eaf"), 2, "eaf is no layout that features can be read from"),
    "unknown": (("--preset", "tann"), 2, "did you mean 'tan'?"),
}


@pytest.mark.parametrize(("args", "code", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_is_refused(args: tuple[str, ...], code: int, message: str, cli: Run) -> None:
    np.save("v.npy", np.ones((3, 4), np.float32))
    Path("odd.yaml").write_text("fps: 8\nframes: 8\nstride: 1\nsize: 64\ncrop_size: 64\nlayer: nowhere\n")
    given = {"--preset": "vslnet", "--recipe": "mini-8fps"} | dict(zip(args[::2], args[1::2], strict=True))
    flat = [part for pair in given.items() for part in pair]
    found, out, err = cli("import-features", "v.npy", "-o", "f", *flat)
    assert (found, out) == (code, "")
    assert message in err.splitlines()[0]


def test_not_finite_numbers_are_told(cli: Run) -> None:
    np.save("v.npy", np.full((2, 3), np.nan, np.float32))
    code, _, err = cli("import-features", "v.npy", "--preset", "vslnet", "--recipe", "mini-8fps", "-o", "f")
    assert code == 0 and "v holds NaN or infinity" in err
