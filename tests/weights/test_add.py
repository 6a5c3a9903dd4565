"""Files of the user's own: told apart by content, converted once, refused when they do not belong."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fill_rule import fill_shapes
from vidalign.errors import MissingModelError, ModelError
from vidalign.weights.add import Checks, add_files
from vidalign.weights.cache import file_sha256, hash_file, locate, missing_roles, read_pins
from vidalign.weights.cards import get_card
from vidalign.weights.tensors import load_tensors, save_tensors
from vidalign.weights.verify import verify_model

Shapes = dict[str, tuple[int, ...]]
TAN = get_card("tan-htm370k")
S3D = get_card("s3d-howto100m")


def _tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_usual_case(
    places: Path, checks: Checks, twin_checkpoint: Path, dictionary: Path, tan_shapes: Shapes
) -> None:
    added = add_files(TAN, [dictionary, twin_checkpoint], checks)
    assert [(a.card, a.role, a.state) for a in added] == [
        ("s3d-howto100m", "dictionary", "added"),
        ("tan-htm370k", "aligner", "added"),
    ]
    assert missing_roles(TAN) == ()
    tensors = load_tensors(locate(TAN, "aligner"))
    assert {name: tuple(tensor.shape) for name, tensor in tensors.items()} == tan_shapes
    online = fill_shapes({f"online.{name}": shape for name, shape in tan_shapes.items()})
    assert all(torch.equal(tensors[name], online[f"online.{name}"]) for name in tensors)
    assert np.load(locate(TAN, "dictionary"), allow_pickle=False).tolist() == ["whisk", "the", "eggs"]
    pin = read_pins("tan-htm370k")["aligner"]
    assert (pin.original_sha256, pin.original_name) == (hash_file(twin_checkpoint), "twin.pth.tar")
    assert file_sha256(TAN, "aligner") == pin.sha256 == hash_file(locate(TAN, "aligner"))
    assert _tree(places / "models") == [
        "s3d-howto100m/dictionary.npy",
        "s3d-howto100m/pins.json",
        "tan-htm370k/aligner.safetensors",
        "tan-htm370k/pins.json",
    ]


def test_the_dictionary_may_have_come_with_s3d(
    checks: Checks, s3d_checkpoint: Path, twin_checkpoint: Path, dictionary: Path
) -> None:
    add_files(S3D, [s3d_checkpoint, dictionary], checks)
    assert missing_roles(S3D) == ()
    add_files(TAN, [twin_checkpoint], checks)
    assert locate(TAN, "dictionary") == locate(S3D, "dictionary")


def test_what_is_missing_is_said_with_the_command(checks: Checks, twin_checkpoint: Path) -> None:
    add_files(TAN, [twin_checkpoint], checks)
    with pytest.raises(MissingModelError, match=r"`vidalign models add tan-htm370k s3d_dict\.npy`"):
        locate(TAN, "dictionary")


@pytest.mark.parametrize("wrapper", ["plain", "milnce"])
def test_s3d_checkpoints(save: Callable[..., Path], checks: Checks, s3d_shapes: Shapes, wrapper: str) -> None:
    plain = fill_shapes(s3d_shapes)
    milnce = {"epoch": 1, "state_dict": {f"module.{name}": t for name, t in plain.items()}, "optimizer": {}}
    add_files(S3D, [save(plain if wrapper == "plain" else milnce)], checks)
    stored = load_tensors(locate(S3D, "backbone"))
    assert all(torch.equal(stored[name], tensor) for name, tensor in plain.items())
    assert len(stored) == len(plain) == 537


def test_safetensors_are_taken_too(tmp_path: Path, checks: Checks, tan_shapes: Shapes) -> None:
    path = tmp_path / "named like a text.txt"
    save_tensors(path, fill_shapes(tan_shapes))
    assert add_files(TAN, [path], checks)[0].role == "aligner"


def test_legacy_checkpoints(save: Callable[..., Path], checks: Checks, tan_shapes: Shapes) -> None:
    path = save(fill_shapes(tan_shapes), _use_new_zipfile_serialization=False)
    assert add_files(TAN, [path], checks)[0].role == "aligner"


def test_the_same_again_changes_nothing(
    places: Path, checks: Checks, twin_checkpoint: Path, dictionary: Path
) -> None:
    add_files(TAN, [twin_checkpoint, dictionary], checks)
    before = {path: path.stat().st_mtime_ns for path in places.rglob("*")}
    assert [a.state for a in add_files(TAN, [twin_checkpoint, dictionary], checks)] == ["same", "same"]
    converted = locate(TAN, "aligner")
    assert add_files(TAN, [converted], checks)[0].state == "same"
    assert {path: path.stat().st_mtime_ns for path in places.rglob("*")} == before


def test_another_file_is_refused_unless_it_may_overwrite(
    tmp_path: Path, checks: Checks, twin_checkpoint: Path, tan_shapes: Shapes
) -> None:
    add_files(TAN, [twin_checkpoint], checks)
    other = tmp_path / "other.safetensors"
    save_tensors(other, {name: tensor + 1 for name, tensor in fill_shapes(tan_shapes).items()})
    before = hash_file(locate(TAN, "aligner"))
    with pytest.raises(ModelError, match=r"already has another aligner \(from twin.pth.tar.*--overwrite"):
        add_files(TAN, [other], checks)
    assert hash_file(locate(TAN, "aligner")) == before
    assert add_files(TAN, [other], checks, overwrite=True)[0].state == "replaced"
    assert hash_file(locate(TAN, "aligner")) == hash_file(other)


def test_a_dry_run_writes_nothing(places: Path, checks: Checks, twin_checkpoint: Path) -> None:
    assert add_files(TAN, [twin_checkpoint], checks, dry_run=True)[0].state == "added"
    assert not places.exists()


def test_one_bad_file_and_nothing_is_written(
    places: Path, tmp_path: Path, checks: Checks, twin_checkpoint: Path
) -> None:
    bad = tmp_path / "bad.npy"
    bad.write_bytes(b"\x93NUMPY nonsense")
    with pytest.raises(ModelError, match=r"bad\.npy"):
        add_files(TAN, [twin_checkpoint, bad], checks)
    assert not places.exists()


def test_weights_of_another_model(checks: Checks, s3d_checkpoint: Path, twin_checkpoint: Path) -> None:
    with pytest.raises(ModelError, match=r"not the weights of tan-htm370k.*models add s3d-howto100m"):
        add_files(TAN, [s3d_checkpoint], checks)
    with pytest.raises(ModelError, match=r"not the weights of s3d-howto100m.*models add tan-htm370k"):
        add_files(S3D, [twin_checkpoint], checks)


def test_weights_of_no_model(save: Callable[..., Path], checks: Checks) -> None:
    with pytest.raises(ModelError, match=r"not the weights.*first names: layer\.weight"):
        add_files(TAN, [save({"layer.weight": torch.ones(1)})], checks)


def test_another_depth_is_refused_by_names(
    save: Callable[..., Path], checks: Checks, tan_shapes: Shapes
) -> None:
    deep = [f".resblocks.{layer}." for layer in range(2, 6)]
    e2d2 = {n: t for n, t in fill_shapes(tan_shapes).items() if not any(part in n for part in deep)}
    with pytest.raises(
        ModelError, match=r"96 missing \(video_temporal_encoder\.resblocks\.2.*video 2, joint 2"
    ):
        add_files(TAN, [save(e2d2)], checks)


def test_two_files_of_one_kind(checks: Checks, twin_checkpoint: Path) -> None:
    with pytest.raises(ModelError, match="a second aligner file"):
        add_files(TAN, [twin_checkpoint, twin_checkpoint], checks)


def test_the_bundled_model_takes_no_files(checks: Checks, dictionary: Path) -> None:
    with pytest.raises(ModelError, match="inside the package"):
        add_files(get_card("mini"), [dictionary], checks)


def test_a_dictionary_must_fit_the_table(tmp_path: Path, checks: Checks) -> None:
    path = tmp_path / "words.npy"
    np.save(path, np.array([f"w{n}" for n in range(66_249)]))
    assert add_files(TAN, [path], checks, dry_run=True)[0].role == "dictionary"
    np.save(path, np.array([f"w{n}" for n in range(66_250)]))
    with pytest.raises(ModelError, match="66250 words"):
        add_files(TAN, [path], checks)


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.ones(3), "float64"),
        (np.array([["a"]]), r"\(1, 1\)"),
        (np.array(["a", None], dtype=object), "pickled"),
    ],
)
def test_arrays_that_are_no_dictionary(tmp_path: Path, checks: Checks, array: np.ndarray, told: str) -> None:
    path = tmp_path / "words.npy"
    np.save(path, array, allow_pickle=True)
    with pytest.raises(ModelError, match=told):
        add_files(TAN, [path], checks)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty file"),
        (b"<!DOCTYPE html><html>404</html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
        (b"PK\x03\x04 cut off", "damaged zip"),
        (b"\xff\xd8\xff\xe0 a picture", "not a checkpoint"),
        (b"[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\n", "a vocab file, which model 'tan-htm370k' does not need"),
        (b"read me\n", "a text file, but not a BERT vocabulary"),
        (b"\x80\x02garbage", "broken, or not a checkpoint"),
    ],
)
def test_other_files_are_told_by_what_they_are(
    tmp_path: Path, checks: Checks, content: bytes, told: str
) -> None:
    path = tmp_path / "s3d_dict.npy"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=told):
        add_files(TAN, [path], checks)


def test_folders_and_pipes_are_not_read(tmp_path: Path, checks: Checks) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(ModelError, match="not a plain file"):
            add_files(TAN, [path], checks)
    with pytest.raises(ModelError, match="does not exist"):
        add_files(TAN, [tmp_path / "none"], checks)


def test_a_vocabulary_for_a_bert_model(tmp_path: Path, checks: Checks) -> None:
    vocab = replace(TAN.files[0], role="vocab", name="vocab.txt")
    card = replace(TAN, name="tan-bert", files=(vocab,))
    path = tmp_path / "v"
    path.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\n")
    add_files(card, [path], checks)
    assert locate(card, "vocab").read_text().splitlines()[4] == "the"
    path.write_text("the\ncat\n")
    with pytest.raises(ModelError, match="not a BERT vocabulary"):
        add_files(card, [path], checks)


def test_a_file_that_is_not_the_published_one_is_said(checks: Checks, twin_checkpoint: Path) -> None:
    known = replace(TAN.files[0], sha256="0" * 64)
    warned = add_files(replace(TAN, files=(known, *TAN.files[1:])), [twin_checkpoint], checks)[0].warnings
    assert "not the published file" in warned[0]
    exact = replace(known, sha256=hash_file(twin_checkpoint))
    assert not add_files(replace(TAN, files=(exact,)), [twin_checkpoint], checks)[0].warnings


def test_verify_notices_a_changed_file(checks: Checks, twin_checkpoint: Path, dictionary: Path) -> None:
    add_files(TAN, [twin_checkpoint, dictionary], checks)
    assert [item.verdict for item in verify_model(TAN)] == ["ok", "ok"]
    path = locate(TAN, "aligner")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert [item.verdict for item in verify_model(TAN)] == ["changed", "ok"]
    (path.parent / "pins.json").unlink()
    assert [item.verdict for item in verify_model(TAN)] == ["unknown", "ok"]


def test_a_read_only_cache_is_read(
    places: Path, monkeypatch: pytest.MonkeyPatch, checks: Checks, twin_checkpoint: Path, dictionary: Path
) -> None:
    add_files(TAN, [twin_checkpoint, dictionary], checks)
    other = dictionary.with_name("other.npy")
    np.save(other, np.array(["other"]))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    for name in ("mkdir", "chmod", "write_text", "write_bytes", "touch"):
        monkeypatch.setattr(Path, name, refuse)
    assert load_tensors(locate(TAN, "aligner"))
    assert file_sha256(TAN, "aligner")
    assert verify_model(TAN)[0].verdict == "ok"
    with pytest.raises(ModelError, match=r"cannot be written: Permission denied.*VIDALIGN_CACHE"):
        add_files(TAN, [other], checks, overwrite=True)


def test_a_damaged_copy_is_repaired_by_the_same_file(checks: Checks, twin_checkpoint: Path) -> None:
    add_files(TAN, [twin_checkpoint], checks)
    locate(TAN, "aligner").write_bytes(b"damaged")
    assert add_files(TAN, [twin_checkpoint], checks)[0].state == "replaced"
    assert verify_model(TAN)[0].verdict == "ok"


def test_a_damaged_record_is_told(places: Path, checks: Checks, twin_checkpoint: Path) -> None:
    add_files(TAN, [twin_checkpoint], checks)
    pins = places / "models" / "tan-htm370k" / "pins.json"
    pins.write_text(json.dumps({"schema": "vidalign.pins/2", "files": {}}))
    with pytest.raises(ModelError, match="newer vidalign"):
        file_sha256(TAN, "aligner")
    pins.write_text("{")
    with pytest.raises(ModelError, match="remove it"):
        file_sha256(TAN, "aligner")
