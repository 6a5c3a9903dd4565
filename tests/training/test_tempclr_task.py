"""`task: tempclr` from its YAML to a model folder that aligns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import vidalign
from tests.model_folders import backbone_folder
from tests.tiny import Run, cli, made_features
from vidalign.aligners.registry import load_aligner
from vidalign.aligners.scorers.windowed_videoclip import VideoClipScorer
from vidalign.errors import ConfigError, DataError, ModelError
from vidalign.evaluation.annotations import TruthRow
from vidalign.store.features import read_features, write_features
from vidalign.synthetic.features import write_features_only
from vidalign.synthetic.generate import generate
from vidalign.synthetic.settings import WorldSettings
from vidalign.training.checkpoint import read_state
from vidalign.training.config import Configuration, read_config
from vidalign.training.tasks.paragraphs import paragraph_recalls
from vidalign.training.train import make_job, train
from vidalign.weights.cards import get_card
from vidalign.weights.tensors import load_tensors

__all__ = ["cli"]

CONFIG = """task: tempclr
data:
  training: {{features: {0}/features, subtitles: {0}/subtitles}}
  holding: {{validation_share: 0.4}}
  clips: {{per_video: 6, seconds: [2, 6], pieces: [1, 12]}}
network: {{width: 16, heads: 2, hidden: 24, video_layers: 1, text_layers: 1, clips: 8}}
loss: {{sequence: {{clips: 3, negatives: 5}}}}
model: {{name: own-clip}}
training: {{steps: 4, batch: 2, workers: 0, threads: 1, log_every: 1, checkpoint_every: 1, clip_grad: 2.0}}
optimizer: {{learning_rate: 1e-3, warmup: 0, betas: [0.9, 0.98]}}
"""
NORTON = ("loss={objective: norton, transport: {clips: 3}}", "decoder=ot")
Config = Callable[..., Configuration]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five videos of half a minute."""
    made = tmp_path_factory.mktemp("tempclr")
    settings = WorldSettings(seconds=70.0)
    list(generate(made, 5, 1, settings, write=write_features_only))
    (made / "tempclr.yaml").write_text(CONFIG.format(made))
    return made


@pytest.fixture
def config(folder: Path) -> Config:
    return lambda *changes: read_config(folder / "tempclr.yaml", changes)


def truth(folder: Path) -> str:
    return f"truth={{annotations: {folder}/truth.json, features: {folder}/features}}"


@pytest.fixture(scope="module")
def model(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained model."""
    changes = ("training.validate_every=2", truth(folder))
    run = tmp_path_factory.mktemp("runs")
    return train(read_config(folder / "tempclr.yaml", changes), run / "run", device="cpu").model


def test_a_run_leaves_a_model_that_aligns(model: Path, folder: Path, tmp_path: Path, cli: Run) -> None:
    card = get_card(str(model))
    spec = card.aligner
    assert spec is not None and (spec.scorer, spec.text, spec.decoder) == ("tempclr", "bert", "dtw")
    assert card.summary == "video and text BERTs over features of mini"
    assert card.notes == ("TempCLR's objective, dtw, trained on 3 videos.",)
    assert spec.calibration is not None and "sentences of truth.json" in spec.calibration.fitted_on
    name = "howto-1-0000"
    line = ("align", f"{name}.mp4", folder / "subtitles" / f"{name}.vtt", "-o", tmp_path / "a.align.h5")
    features = folder / "features" / f"{name}.h5"
    code, _, err = cli(*line, "--features", features, "--model", model, "--threshold", "0")
    assert code == 0, err
    found = vidalign.load_alignment(tmp_path / "a.align.h5")
    assert (found.model, found.decoder, found.score) == ("own-clip", "dtw", "cosine")
    assert np.isfinite(found.similarity).all() and found.aligned.all()


def test_the_journal_has_what_is_held_out_and_what_is_known(model: Path) -> None:
    text = (model.parent / "metrics.jsonl").read_text()
    for name in ("loss_sequence", "validation/loss", "validation/recall", "validation/retrieval_otam"):
        assert f'"{name}"' in text, name


@pytest.mark.parametrize("changes", [NORTON, ("loss.sequence.distance=otam", "loss.trained=norms")])
def test_training_goes_on_from_a_model(
    changes: tuple[str, ...], config: Config, model: Path, tmp_path: Path
) -> None:
    start = ("network=null", f"init_from={model}", "model.name=later")
    later = train(config(*start, *changes), tmp_path / "run", device="cpu").model
    before, after = (load_tensors(path / "aligner.safetensors") for path in (model, later))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert any("LayerNorm" in name for name in moved)
    assert ("loss.trained=norms" in changes) == all("LayerNorm" in name for name in moved)
    spec = get_card(str(later)).aligner
    assert spec is not None and spec.decoder == ("ot" if changes is NORTON else "dtw")
    assert (spec.temperature != 0.07) == (changes is NORTON)
    assert (later / "vocab.txt").read_bytes() == (model / "vocab.txt").read_bytes()


def test_a_run_that_is_stopped_goes_on_as_if_it_had_not(config: Config, tmp_path: Path) -> None:
    def stop(done: int, steps: int, note: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config(), tmp_path / "cut", device="cpu", watch=stop)
    cut, whole = (train(config(), tmp_path / name, device="cpu").model for name in ("cut", "whole"))
    assert (cut / "aligner.safetensors").read_bytes() == (whole / "aligner.safetensors").read_bytes()


@pytest.fixture(scope="module")
def families(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve videos: whatever the odd ones show stands in other columns."""
    made = tmp_path_factory.mktemp("families")
    list(generate(made, 12, 1, WorldSettings(seconds=70.0), write=write_features_only))
    for path in sorted((made / "features").glob("*.h5"))[1::2]:
        features = read_features(path)
        path.unlink()
        write_features(path, replace(features, features=np.roll(features.features, 128, axis=1)))
    (made / "tempclr.yaml").write_text(CONFIG.format(made))
    return made


@pytest.mark.parametrize("changes", [(), NORTON])
def test_videos_that_look_alike_are_in_one_batch(
    changes: tuple[str, ...], families: Path, tmp_path: Path
) -> None:
    fresh = ("data.holding.validation_share=0", "network.width=64", "training.batch=3", "training.alike=3")
    config = read_config(families / "tempclr.yaml", (*fresh, *changes))

    def check(done: int, steps: int, note: str) -> None:
        if state := read_state(tmp_path, config, world=1):
            batches = np.array(state.progress.order).reshape(4, 3) % 2
            assert (batches == batches[:, :1]).all()

    trained = train(config, tmp_path, device="cpu", watch=check)
    assert trained.progress.epoch == 0 and sorted(trained.progress.order) == list(range(12))


def test_word_pieces_are_those_that_are_said_or_of_a_file(
    config: Config, model: Path, tmp_path: Path
) -> None:
    said = (model / "vocab.txt").read_text().splitlines()
    assert said[:4] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] and "the" in said
    own = tmp_path / "vocab.txt"
    own.write_text("\n".join(["[PAD]", "[CLS]", "[SEP]", "[UNK]", "the", "now"]) + "\n")
    for words in (own, model):
        job = make_job(config(f"words={words}"), tmp_path)
        network = job.objective().network
        assert network.vocabulary == (6 if words == own else len(said))  # type: ignore[union-attr]
    spec_marks = make_job(config(f"words={own}"), tmp_path).objective().network.video_encoder.marks  # type: ignore[union-attr]
    assert spec_marks == (1, 2)


def test_paragraphs_find_their_videos_by_vectors_that_fit(model: Path, tmp_path: Path) -> None:
    class Named(VideoClipScorer):
        """Vectors that tell the videos apart."""

        def embed_texts(self, texts):  # type: ignore[no-untyped-def]
            return np.stack([np.eye(3, dtype=np.float32)[int(text)] for text in texts])

        def embed_segment(self, features):  # type: ignore[no-untyped-def]
            return np.eye(3, dtype=np.float32)[int(features[0, 0])]

    loaded = load_aligner(str(model)).scorer
    assert isinstance(loaded, VideoClipScorer)
    scorer = Named(loaded.model, loaded.tokenizer, score="cosine")
    assert paragraph_recalls(scorer, []) == {}
    videos = []
    for number in range(3):
        path = tmp_path / f"made-{number}.h5"
        values = np.full((4, 256), number, np.float32)
        write_features(path, replace(made_features(4), features=values))
        rows = [
            TruthRow(True, 9.0, 10.0, "beyond the features"),
            TruthRow(True, 1.0, 2.0, str(number)),
            TruthRow(True, 0.0, 2.0, " "),
            TruthRow(False, 2.0, 3.0, "?"),
        ]
        videos.append((path, rows))
    assert paragraph_recalls(scorer, videos) == dict.fromkeys(
        ("retrieval_average", "retrieval_dtw", "retrieval_otam"), 1.0
    )


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        (("init_from=somewhere",), ConfigError, "network is what init_from brings"),
        (("temperature=0",), ConfigError, "temperature must be above 0"),
        (("decoder=best",), ModelError, "best"),
        (("loss={objective: norton}",), ConfigError, "per_video 6 is no multiple of the 8 clips"),
        (("data.clips.seconds=[2, 9]",), ConfigError, "clips of 9 s are too long for a network that sees 8"),
        (
            ("data.clips.pieces=[1, 62]",),
            ConfigError,
            "captions of 62 pieces are too long for a network that reads 61",
        ),
        (("backbone=FOLDER",), ConfigError, "come from mini, not from own-backbone"),
        (("network.heads=3",), ConfigError, "width 16 is no multiple of heads 3"),
        (("min_count=100000",), DataError, "no word of the subtitles is said 100000 times"),
        (("words=mini",), ModelError, "has no word pieces"),
        (("network=null", "init_from=mini"), ConfigError, "mini is no VideoCLIP or TempCLR"),
    ],
)
def test_settings_that_cannot_be(
    changes: tuple[str, ...], kind: type[Exception], said: str, config: Config, tmp_path: Path
) -> None:
    backbone_folder(tmp_path / "backbone", "own-backbone")
    given = (change.replace("FOLDER", str(tmp_path / "backbone")) for change in changes)
    with pytest.raises(kind, match=said):
        make_job(config(*given), tmp_path / "run").objective()
