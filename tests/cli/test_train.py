"""`vidalign train` as people and shell scripts use it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.tiny import Run, draw_video, made_features, write_vtt
from tests.training import toy
from vidalign.store.features import read_features, write_features
from vidalign.training.jobs import TASKS
from vidalign.weights.cards import get_card


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of a task that costs nothing."""
    monkeypatch.setitem(TASKS, toy.NAME, "tests.training.toy:ToyJob")
    path = tmp_path / "toy.yaml"
    path.write_text(toy.CONFIG)
    return path


def test_the_model_s_path_is_printed_and_every_value_said(config: Path, tmp_path: Path, cli: Run) -> None:
    code, out, err = cli("train", config, "-o", tmp_path / "run")
    assert (code, out) == (0, f"{tmp_path / 'run' / 'model'}\n")
    assert err.startswith("configuration:\n  task: toy\n")
    assert "    clip_grad: 0.0\n" in err
    written = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert written["optimizer"]["learning_rate"] == 0.01
    code, out, err = cli("train", config, "-o", tmp_path / "run")
    assert (code, out) == (0, f"{tmp_path / 'run' / 'model'}\n")
    assert err.endswith("finished before, after 20 steps\n")


def test_quiet_and_json(config: Path, tmp_path: Path, cli: Run) -> None:
    changes = ("--set", "training.steps=3", "--set", "data.items=6")
    code, out, err = cli("train", config, "-o", tmp_path / "run", "-q", "--json", *changes)
    assert (code, err) == (0, "")
    said = json.loads(out)
    assert said.pop("seconds") >= 0
    assert said == {"model": str(tmp_path / "run" / "model"), "steps": 3, "best": None, "best_step": None}


def test_a_dry_run_shows_the_configuration_and_writes_nothing(config: Path, tmp_path: Path, cli: Run) -> None:
    code, out, err = cli("train", config, "-o", tmp_path / "run", "--dry-run", "--set", "seed=9")
    assert (code, err) == (0, "")
    assert yaml.safe_load(out)["seed"] == 9
    assert out.endswith("# 29 parameters to train; nothing was written\n")
    assert not (tmp_path / "run").exists()


def test_progress_off_a_terminal(
    config: Path, tmp_path: Path, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidalign.cli.progress.PLAIN_EVERY", 0.0)
    _, _, err = cli("train", config, "-o", tmp_path / "run")
    [line] = [line for line in err.splitlines() if line.startswith("train: 10 of 20 steps, ")]
    assert " left, loss " in line and line.endswith(" items/s")


MISTAKES = {
    "no output": ([], "missing option '-o'"),
    "unknown key": (
        ["-o", "run", "--set", "data.itms=3"],
        "unknown key 'itms' in data; did you mean 'items'?",
    ),
    "wrong value": (["-o", "run", "--set", "training.batch=few"], "training.batch must be a whole number"),
    "no value": (["-o", "run", "--set", "seed"], "--set seed: KEY=VALUE is expected"),
    "unknown device": (["-o", "run", "--device", "tpu"], "unknown device 'tpu'"),
    "half precision": (
        ["-o", "run", "--device", "cpu", "--set", "training.precision=fp16"],
        "precision fp16 needs a GPU",
    ),
    "output is a file": (["-o", "toy.yaml"], "is a file"),
}


@pytest.mark.parametrize(("args", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes_are_told_in_one_line(
    args: list[str], message: str, config: Path, tmp_path: Path, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = cli("train", config, *args, *(["-q"] if "-o" in args else []))
    assert (code, out) == (2, "")
    [line] = [line for line in err.splitlines() if "error:" in line]
    assert message in line
    assert not Path("run").exists()


def test_another_run_is_in_the_folder(config: Path, tmp_path: Path, cli: Run) -> None:
    run = ("train", config, "-o", tmp_path / "run", "-q")
    assert cli(*run)[0] == 0
    code, out, err = cli(*run, "--set", "width=3")
    assert (code, out) == (2, "")
    assert err.endswith(
        "is of another configuration: width was 4, is 3; use --overwrite to start anew, or another -o\n"
    )
    assert cli(*run, "--set", "width=3", "--overwrite")[0] == 0


def test_a_loss_that_is_no_number(config: Path, tmp_path: Path, cli: Run) -> None:
    code, out, err = cli("train", config, "-o", tmp_path / "run", "-q", "--set", "nan_at=2")
    assert (code, out) == (1, "")
    assert err.startswith("vidalign: error: the loss is nan within the last 5 steps up to 5; ")


SAID = ("cut the egg", "whisk it in the red bowl", "put the pan on", "stir the egg", "the water is hot")


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    """Features as if of mini, and subtitles, of five videos; and the truth."""
    truth = {}
    for number in range(5):
        name = f"v{number}"
        write_features(
            tmp_path / "features" / f"{name}.h5", made_features(80, seed=number, video=f"{name}.mp4")
        )
        write_vtt(tmp_path / "subtitles" / f"{name}.vtt", *SAID, step=3.0)
        truth[name] = [[k % 2, 3.0 * k, 3.0 * k + 3, text] for k, text in enumerate(SAID)]
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    return tmp_path


def written(path: Path, values: dict[str, object]) -> Path:
    path.write_text(yaml.safe_dump(values))
    return path


def stage(folder: Path, **more: object) -> dict[str, object]:
    source = {"features": str(folder / "features"), "subtitles": str(folder / "subtitles")}
    return {
        "task": "tan",
        "training": {"steps": 2, "batch": 2, "workers": 0, "validate_every": 2},
        "data": {"training": source, "windows": {"seq_len": 12}, "holding": {"validation_share": 0.2}},
        "truth": {"annotations": str(folder / "truth.json"), "features": str(folder / "features")},
        **more,
    }


def test_both_stages_of_tan_and_an_alignment_by_the_result(spoken: Path, cli: Run) -> None:
    small = {"width": 16, "heads": 2, "video_layers": 1, "joint_layers": 3, "text_dim": 8, "word_dim": 8}
    first = written(spoken / "1.yaml", stage(spoken, model={"name": "one"}, network=small))
    code, _, err = cli("train", first, "-o", spoken / "1", "-q")
    assert (code, err) == (0, "")
    one = get_card(str(spoken / "1" / "model"))
    assert one.aligner is not None
    assert (one.name, one.aligner.config["head"], one.aligner.backbone) == ("one", False, "mini")
    metrics = [json.loads(line) for line in (spoken / "1" / "metrics.jsonl").read_text().splitlines()]
    assert [sorted(r) for r in metrics if "validation/recall" in r]
    later = {"init_from": str(spoken / "1" / "model"), "loss": {"stage": "cotrain"}}
    second = written(spoken / "2.yaml", stage(spoken, model={"name": "two"}, **later))
    assert cli("train", second, "-o", spoken / "2", "-q")[::2] == (0, "")
    model = spoken / "2" / "model"
    two = get_card(str(model))
    assert two.aligner is not None and two.aligner.calibration is not None
    assert two.aligner.config["head"] is True
    said, features = spoken / "subtitles" / "v0.vtt", spoken / "features" / "v0.h5"
    code, out, _ = cli("align", "v0.mp4", said, "--features", features, "--model", model, "-o", "-")
    assert code == 0
    assert json.loads(out)["model"] == "two"


def test_a_backbone_whose_features_train_tan(tmp_path: Path, cli: Run) -> None:
    for number in range(3):
        draw_video(tmp_path / "videos" / f"v{number}.mp4", 4.0, seed=number)
        write_vtt(tmp_path / "subtitles" / f"v{number}.vtt", *SAID[:3])
    config = written(
        tmp_path / "backbone.yaml",
        {
            "task": "backbone",
            "training": {"steps": 2, "batch": 2, "workers": 0},
            "data": {
                "training": {"videos": str(tmp_path / "videos"), "subtitles": str(tmp_path / "subtitles")}
            },
            "model": {"name": "eyes"},
            "recipe": "mini-8fps",
            "network": {"width": 0.05, "embedding": 8, "word_dim": 4, "text_hidden": 8},
        },
    )
    assert cli("train", config, "-o", tmp_path / "eyes", "-q")[::2] == (0, "")
    eyes = tmp_path / "eyes" / "model"
    assert cli("extract", tmp_path / "videos", "-o", tmp_path / "features", "--backbone", eyes, "-q")[0] == 0
    features = read_features(tmp_path / "features" / "v0.h5")
    assert (features.backbone, np.isfinite(features.features).all()) == ("eyes", True)
    values = stage(tmp_path, model={"name": "warm"}, warm_start=str(eyes), truth=None)
    values["network"] = {"heads": 2, "video_layers": 1, "joint_layers": 1}
    values["data"]["windows"] = {"seq_len": 3}  # type: ignore[index]
    warm = written(tmp_path / "tan.yaml", values)
    assert cli("train", warm, "-o", tmp_path / "tan", "-q")[::2] == (0, "")
    model = tmp_path / "tan" / "model"
    assert (model / "backbone" / "backbone.safetensors").is_file()
    video, said = tmp_path / "videos" / "v1.mp4", tmp_path / "subtitles" / "v1.vtt"
    code, out, _ = cli("align", video, said, "--model", model, "-o", "-", "-q")
    assert code == 0
    assert json.loads(out)["model"] == "warm"
