"""Sequence alignment against plain loops and other packages, one matrix, one thread, in one process.

Prints ratios plain / numpy (goal: at least 40), best other package / numba (goal: at least 1; the packages
are dtw-python, tslearn and librosa) and soft-DTW package / torch on batches of 64 (pysdtw; goal: at least 1),
which torch has padded and the package, which knows no masks, whole. What is not installed is left out with a
line. The first call of everything, which compiles, is not counted.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from vidalign.aligners.decoders.drop_dtw import drop_dtw, drop_dtw_path
from vidalign.aligners.decoders.dtw import dtw, dtw_path
from vidalign.aligners.decoders.otam import otam, otam_path
from vidalign.aligners.decoders.soft.dtw import soft_dtw

Matrix = np.ndarray
GAMMA = 0.1


def seconds(work: Callable[[], object], rounds: int) -> float:
    """The least processor time of several calls, the first of which is not counted."""
    if rounds > 1:
        work()
    least = math.inf
    for _ in range(rounds):
        began = time.process_time()
        work()
        least = min(least, time.process_time() - began)
    return least


def plain_dtw(cost: Matrix) -> float:
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0
    for i in range(rows):
        for j in range(columns):
            total[i + 1, j + 1] = cost[i, j] + min(total[i, j], total[i, j + 1], total[i + 1, j])
    return float(total[-1, -1])


def plain_dtw_path(cost: Matrix) -> float:
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    steps = np.zeros((rows, columns), dtype=np.uint8)
    total[0, 0] = 0
    for i in range(rows):
        for j in range(columns):
            ways = (total[i, j], total[i, j + 1], total[i + 1, j])
            best = min(ways)
            steps[i, j] = ways.index(best)
            total[i + 1, j + 1] = cost[i, j] + best
    return float(total[-1, -1])


def plain_otam(cost: Matrix) -> float:
    rows, columns = cost.shape
    total = np.zeros((rows, columns + 1))
    for i in range(rows):
        for j in range(columns):
            ways = [total[i, j]] + ([total[i - 1, j]] if i and j else [])
            total[i, j + 1] = cost[i, j] + min(ways)
    return float(total[:, -1].min())


def plain_drop_dtw(cost: Matrix, drop: float) -> float:
    rows, columns = cost.shape
    table = np.full((4, rows + 1, columns + 1), np.inf)
    table[2, 0, 0] = 0
    for i in range(rows + 1):
        for j in range(columns + 1):
            if i and j:
                table[0, i, j] = cost[i - 1, j - 1] + min(
                    *(table[s, i - 1, j - 1] for s in range(4)),
                    *(table[s, i - 1, j] for s in (0, 2)),
                    *(table[s, i, j - 1] for s in (0, 1)),
                )
            if j:
                table[1, i, j] = drop + min(table[0, i, j - 1], table[1, i, j - 1])
                table[3, i, j] = drop + min(table[2, i, j - 1], table[3, i, j - 1])
            if i:
                table[2, i, j] = drop + min(table[0, i - 1, j], table[2, i - 1, j])
    return float(table[:, -1, -1].min())


def against_plain_loops(cost: Matrix, rounds: int) -> None:
    drop = 0.1
    for name, plain, ours in (
        ("dtw", lambda: plain_dtw(cost), lambda: dtw(cost, engine="numpy")),
        ("dtw with path", lambda: plain_dtw_path(cost), lambda: dtw_path(cost, engine="numpy").distance),
        ("otam", lambda: plain_otam(cost), lambda: otam(cost, engine="numpy")),
        (
            "drop-dtw",
            lambda: plain_drop_dtw(cost, drop),
            lambda: drop_dtw(cost, drop, drop, engine="numpy"),
        ),
    ):
        assert math.isclose(plain(), ours(), rel_tol=1e-9)
        slow, quick = seconds(plain, 1), seconds(ours, rounds)
        print(f"{name}: plain loop {slow:.2f} s, numpy {1000 * quick:.1f} ms, ratio {slow / quick:.0f}")


def numba_against_numpy(cost: Matrix, rounds: int) -> None:
    for name, work in (
        ("otam with path", lambda engine: otam_path(cost, engine=engine)),
        ("drop-dtw with path", lambda engine: drop_dtw_path(cost, 0.1, 0.1, engine=engine)),
    ):
        slow, quick = (seconds(partial(work, engine), rounds) for engine in ("numpy", "numba"))
        print(f"{name}: numpy {1000 * slow:.1f} ms, numba {1000 * quick:.1f} ms, ratio {slow / quick:.1f}")


def others(cost: Matrix) -> dict[str, Callable[[], tuple[float, int]]]:
    """Distance and length of the path by other packages that are installed."""
    wide, found = cost.astype(np.float64), {}
    if find_spec("dtw"):
        from dtw import dtw as dtw_python
        from dtw import symmetric1

        def by_dtw_python() -> tuple[float, int]:
            made = dtw_python(wide, step_pattern=symmetric1)
            return float(made.distance), len(made.index1)

        found["dtw-python"] = by_dtw_python
    if find_spec("tslearn"):
        from tslearn.metrics import dtw_path_from_metric

        def by_tslearn() -> tuple[float, int]:
            path, distance = dtw_path_from_metric(wide, metric="precomputed")
            return float(distance), len(path)

        found["tslearn"] = by_tslearn
    if find_spec("librosa"):
        from librosa.sequence import dtw as dtw_librosa

        def by_librosa() -> tuple[float, int]:
            total, path = dtw_librosa(C=wide)
            return float(total[-1, -1]), len(path)

        found["librosa"] = by_librosa
    for name in {"dtw-python", "tslearn", "librosa"} - found.keys():
        print(f"{name} is not installed: left out")
    return found


def against_packages(cost: Matrix, rounds: int) -> None:
    ours = seconds(lambda: dtw_path(cost, engine="numba"), rounds)
    mine = dtw_path(cost, engine="numba")
    print(f"dtw with path by numba {1000 * ours:.1f} ms")
    ratios = []
    for name, work in others(cost).items():
        distance, length = work()
        same = math.isclose(distance, mine.distance, rel_tol=1e-9) and length == len(mine.rows)
        theirs = seconds(work, rounds)
        ratios.append(theirs / ours)
        print(f"{name} {1000 * theirs:.1f} ms, ratio {ratios[-1]:.1f}, {'same' if same else 'OTHER'} result")
    if ratios:
        print(f"best other package / numba: ratio {min(ratios):.2f}")


Value = tuple[torch.Tensor, torch.Tensor | None]


def by_torch(cost: torch.Tensor, padding: torch.Tensor | None) -> Value:
    leaf = cost.clone().requires_grad_()
    value = soft_dtw(leaf, None, padding, gamma=GAMMA)
    value.sum().backward()
    return value.detach(), leaf.grad


def by_pysdtw(cost: torch.Tensor) -> Value:
    from pysdtw import SoftDTW

    leaf = cost.clone().requires_grad_()
    lines = [torch.zeros(len(cost), size, 1, device=cost.device) for size in cost.shape[1:]]
    value = SoftDTW(GAMMA, lambda x, y: leaf, use_cuda=cost.is_cuda)(*lines)
    value.sum().backward()
    return value.detach(), leaf.grad


def against_soft_package(rounds: int) -> None:
    if not find_spec("pysdtw"):
        print("pysdtw is not installed: left out")
        return
    for rows, columns in ((32, 64), (100, 100), (40, 300)):
        cost = torch.rand(64, rows, columns)
        ends = torch.randint(columns // 2, columns + 1, (64,))
        padding = torch.arange(columns) >= ends[:, None]
        for one, two in zip(by_torch(cost, None), by_pysdtw(cost), strict=True):
            assert one is not None and two is not None and torch.allclose(one, two, rtol=1e-3, atol=1e-3)
        slow = seconds(partial(by_pysdtw, cost), rounds)
        quick = seconds(partial(by_torch, cost, padding), rounds)
        print(
            f"soft-DTW and gradient, 64 x {rows} x {columns}: "
            f"pysdtw {1000 * slow:.1f} ms, torch {1000 * quick:.1f} ms, ratio {slow / quick:.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--columns", type=int, default=3600)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(1)
    cost = np.random.default_rng(0).random((given.rows, given.columns), dtype=np.float32)
    against_plain_loops(cost, given.rounds)
    if find_spec("numba"):
        numba_against_numpy(cost, given.rounds)
        against_packages(cost, given.rounds)
    else:
        print("numba is not installed: left out")
    against_soft_package(given.rounds)


if __name__ == "__main__":
    main()
