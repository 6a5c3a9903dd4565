"""`vidalign extract --gvf`: one row a video."""

from __future__ import annotations

from pathlib import Path

from tests.tiny import Run
from vidalign.store.features import read_features


def test_the_command_line_and_what_is_done_already(
    tiny: Path, clip_file: Path, tmp_path: Path, cli: Run
) -> None:
    command = ["extract", str(clip_file), "-o", str(tmp_path / "gvf")]
    code, out, _ = cli(*command, "--gvf", "max")
    assert code == 0
    path = Path(out.strip())
    found = read_features(path)
    assert (found.pooling, found.features.shape) == ("max", (1, 256))
    written = path.stat().st_mtime_ns
    assert cli(*command, "--gvf", "max")[0] == 0 and path.stat().st_mtime_ns == written
    for others, told in (((), "gvf: max / none"), (("--gvf", "avg"), "gvf: max / avg")):
        code, _, err = cli(*command, *others)
        assert code == 2 and told in err
    code, _, _ = cli(*command, "--overwrite")
    assert code == 0 and read_features(path).pooling is None
    code, _, err = cli(*command, "--gvf", "avg")
    assert code == 2 and "gvf: none / avg" in err
