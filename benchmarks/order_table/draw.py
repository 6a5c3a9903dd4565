"""rows.jsonl as the tables that are committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from benchmarks.order_table.methods import CHATTER, DECODERS, HARD, SCORERS
from benchmarks.rows import spread

Rows = Sequence[Mapping[str, Any]]


def draw_table(rows: Rows) -> str:
    """The level hard by scorer, then the labels by share of chatter; in percent, means over the worlds."""
    return f"{_hard(rows)}\n{_labels(rows)}"


def _hard(rows: Rows) -> str:
    numbers = ("R@1", "over peak (least)", "ROC-AUC", "labels", "F1", "IoU")
    head = [f"{scorer} {number}" for scorer in SCORERS for number in numbers]
    lines = [_line("decoder", *head), _line(*["---"] * (len(head) + 1))]
    for decoder in DECODERS:
        cells: list[str] = []
        for scorer in SCORERS:
            ours, peak = (_of(rows, scorer, name, HARD) for name in (decoder, "peak"))
            cells += [_percent(ours, "recall"), _gain(ours, peak, "recall"), _percent(ours, "auc")]
            cells += [_percent(ours, name) for name in ("label_accuracy", "label_f1", "iou")]
        lines.append(_line(f"`{decoder}`", *cells))
    return "\n".join(lines) + "\n"


def _labels(rows: Rows) -> str:
    numbers = ("labels", "over peak (least)", "F1", "ROC-AUC", "R@1")
    head = [f"{chatter} % {number}" for chatter in CHATTER for number in numbers]
    lines = [_line("decoder", *head), _line(*["---"] * (len(head) + 1))]
    for decoder in DECODERS:
        cells: list[str] = []
        for chatter in CHATTER:
            ours, peak = (_of(rows, "mini", name, chatter) for name in (decoder, "peak"))
            cells += [_percent(ours, "label_accuracy"), _gain(ours, peak, "label_accuracy")]
            cells += [_percent(ours, name) for name in ("label_f1", "auc", "recall")]
        lines.append(_line(f"`{decoder}`", *cells))
    return "\n".join(lines) + "\n"


def _of(rows: Rows, scorer: str, decoder: str, chatter: int) -> Rows:
    wanted = (scorer, decoder, chatter)
    return [row for row in rows if (row["scorer"], row["decoder"], row["chatter"]) == wanted]


def _percent(rows: Rows, name: str) -> str:
    return spread([100 * row[name] for row in rows])


def _gain(rows: Rows, peak: Rows, name: str) -> str:
    """Mean difference in equal worlds, and the least one."""
    other = {row["seed"]: row[name] for row in peak}
    gains = [100 * (row[name] - other[row["seed"]]) for row in rows if row["seed"] in other]
    return f"{mean(gains):+.1f} ({min(gains):+.1f})" if any(gains) else ""


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
