"""`task: nsva` from a configuration to a model folder that aligns, with words and with sentence features."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

import vidalign
from tests.tiny import Run, cli, made_features, tiny, tiny_files, write_vtt
from vidalign.aligners.registry import load_aligner
from vidalign.aligners.scorers.windowed_nsva import NsvaScorer
from vidalign.store.features import write_features
from vidalign.weights.cards import get_card

__all__ = ["cli", "tiny", "tiny_files"]

SAID = ("cut the egg", "whisk it in the red bowl", "put the pan", "stir the water")
NETWORK = {"width": 16, "heads": 2, "hidden": 16, "video_layers": 1, "text_layers": 2, "seconds": 60}


def write_world(folder: Path, width: int = 256, **known: object) -> Path:
    """Four videos of 30 s: features, subtitles and the truth."""
    truth = {}
    for number in range(4):
        name = f"v{number}"
        made = made_features(30, width, seed=number, video=f"{name}.mp4", **known)
        write_features(folder / "f" / f"{name}.h5", made)
        write_vtt(folder / "s" / f"{name}.vtt", *SAID, step=6.0)
        truth[name] = [[k % 2, 6.0 * k, 6.0 * k + 5, text] for k, text in enumerate(SAID)]
    (folder / "truth.json").write_text(json.dumps(truth))
    return folder


@pytest.fixture
def world(tiny: Path, tmp_path: Path) -> Path:
    return write_world(tmp_path)


def config(world: Path, **changes: object) -> Path:
    written = {
        "task": "nsva",
        "data": {
            "training": {"features": str(world / "f"), "subtitles": str(world / "s")},
            "videos": {"longest": 60},
            "holding": {"validation_share": 0.25},
        },
        "network": NETWORK,
        "model": {"name": "own-nsva"},
        "training": {"steps": 2, "batch": 2, "workers": 0, "log_every": 1, "validate_every": 2},
        "optimizer": {"warmup": 0},
        **changes,
    }
    path = world / "nsva.yaml"
    path.write_text(yaml.safe_dump(written))
    return path


def align(cli: Run, world: Path, model: Path, *more: str | Path) -> vidalign.Alignment:
    code, _, err = cli(
        *("align", "v0.mp4", world / "s" / "v0.vtt", "--features", world / "f" / "v0.h5"),
        *("--model", model, "-o", world / "v0.align.h5", "--overwrite", *more),
    )
    assert code == 0, err
    return vidalign.load_alignment(world / "v0.align.h5")


def test_a_model_that_reads_words(cli: Run, world: Path) -> None:
    truth = {"annotations": str(world / "truth.json"), "features": str(world / "f")}
    code, out, err = cli("train", config(world, truth=truth), "-o", world / "run", "-q")
    assert code == 0, err
    model = Path(out.strip())
    last = json.loads((world / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert {"validation/loss", "validation/loss_last", "validation/recall", "validation/auc"} <= set(last)
    card = get_card(str(model))
    assert (
        card.aligner is not None and card.summary == "multi-sentence grounding network over features of mini"
    )
    assert (card.aligner.scorer, card.aligner.text, card.aligner.backbone) == ("nsva", "word2vec", "mini")
    assert card.aligner.calibration is not None and card.aligner.config["ordered"] is True
    assert "trained on 3 videos; its sentences are a narration" in card.notes[0]
    made = align(cli, world, model)
    assert (made.scorer, made.alignability_kind) == ("nsva", "calibrated")
    texts = world / "t.h5"
    assert cli("extract-text", world / "s" / "v0.vtt", "-o", texts, "--model", "mini")[0] == 0
    same = align(cli, world, model, "--text-features", texts)
    assert made.similarity is not None and same.similarity is not None
    np.testing.assert_allclose(same.similarity, made.similarity, atol=1e-5)
    code, out, _ = cli(
        *("eval", "align", world / "truth.json", "--model", model, "--features", world / "f"),
        *("--protocol", "nsva", "--json", "--resamples", "0"),
    )
    assert code == 0 and json.loads(out)["recall"]["value"] == last["validation/recall"]


def test_it_goes_on_from_a_model_and_from_alignments(cli: Run, world: Path) -> None:
    code, out, err = cli("train", config(world), "-o", world / "run", "-q")
    assert code == 0, err
    first = Path(out.strip())
    for number in range(4):
        name = f"v{number}"
        code, _, err = cli(
            *("align", f"{name}.mp4", world / "s" / f"{name}.vtt", "--model", first, "--threshold", "0"),
            *("--features", world / "f" / f"{name}.h5", "-o", world / "al" / f"{name}.align.h5"),
        )
        assert code == 0, err
    data = {"training": {"features": str(world / "f"), "alignments": str(world / "al")}}
    data["videos"] = {"longest": 60}
    later = config(world, data=data, init_from=str(first), network=None, sentences="steps")
    code, out, err = cli("train", later, "-o", world / "later", "-q", "--set", "optimizer.learning_rate=1e-9")
    assert code == 0, err
    ours, theirs = (load_aligner(path) for path in (out.strip(), str(first)))
    assert ours.spec.config["ordered"] is False
    assert isinstance(ours.scorer, NsvaScorer) and isinstance(theirs.scorer, NsvaScorer)
    kept = ours.scorer.model.state_dict()
    for name, value in theirs.scorer.model.state_dict().items():
        np.testing.assert_allclose(kept[name], value, atol=1e-5)


def test_a_model_of_features_that_no_model_here_makes(cli: Run, tmp_path: Path) -> None:
    world = write_world(tmp_path, 12, backbone=None, recipe=None)
    for number in range(4):
        vectors = np.random.default_rng(number).standard_normal((len(SAID), 10)).astype(np.float32)
        np.save(world / "t.npy", vectors)
        line = ("extract-text", world / "s" / f"v{number}.vtt", "-o", world / "t" / f"v{number}.h5")
        assert cli(*line, "--model", "elsewhere", "--vectors", world / "t.npy")[0] == 0
    training = {"features": str(world / "f"), "subtitles": str(world / "s")}
    data = {"training": training, "videos": {"longest": 60}, "texts": str(world / "t")}
    code, out, err = cli("train", config(world, data=data), "-o", world / "run", "-q")
    assert code == 0, err
    card = get_card(out.strip())
    assert card.aligner is not None
    assert (card.aligner.text, card.aligner.backbone) == ("file", "")
    assert {name: card.aligner.config[name] for name in ("video_dim", "text_dim")} == {
        "video_dim": 12,
        "text_dim": 10,
    }
    made = align(cli, world, Path(out.strip()), "--text-features", world / "t" / "v0.h5")
    assert made.text_model == "elsewhere"


MISTAKES: dict[str, tuple[tuple[str, ...], str]] = {
    "places": (("data.videos.longest=90",), "the network has places for 60 s, not for 90"),
    "network twice": (("init_from=mini",), "network is what init_from brings"),
    "another kind": (("init_from=mini", "network=null"), "init_from: mini is no NSVA"),
    "the backbone's name": (("model.name=mini",), "is that of a model of the package"),
    "width": (("network.width=15",), "width 15 is odd, or no multiple of heads 2"),
    "texts and truth": (
        ("data.texts=t", "truth={annotations: a.json, features: f}"),
        "truth needs a text tower, not texts",
    ),
    "both sources": (("data.training.alignments=al",), "alignments take the place of subtitles"),
}


@pytest.mark.parametrize(("changes", "told"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes_are_told_in_one_line(
    changes: tuple[str, ...],
    told: str,
    cli: Run,
    world: Path,
) -> None:
    options = [part for change in changes for part in ("--set", change)]
    code, out, err = cli("train", config(world), "-o", world / "run", "-q", *options)
    assert (code, out) == (2, "")
    assert told in err and len(err.splitlines()) == 1
