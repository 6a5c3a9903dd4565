"""Fail unless the wheel given holds every file that git knows below vidalign/, and no other one there."""

from __future__ import annotations

import subprocess
import sys
import zipfile


def main(wheel: str) -> int:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "vidalign"], check=True, capture_output=True, text=True
    ).stdout
    tracked = {name for name in listed.split("\0") if name}
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("vidalign/")}
    wrong = [f"not in the wheel: {name}" for name in sorted(tracked - packed)]
    wrong += [f"in the wheel, unknown to git: {name}" for name in sorted(packed - tracked)]
    wrong += [] if "vidalign/py.typed" in packed else ["py.typed is missing"]
    sys.stderr.write("".join(f"{line}\n" for line in wrong))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
