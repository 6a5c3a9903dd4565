"""docs/scale.md says what its script computes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import scale

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"


def test_the_tables_of_the_page_are_computed_from_the_rates() -> None:
    page = PAGE.read_text("utf-8")
    parts = scale.tables().strip().split("\n\n")
    assert len(parts) == 3
    assert all(part in page for part in parts)


def test_what_a_job_costs() -> None:
    rate = scale.Rates("a", 3600, 1024, 72.0, 2.0, 40e9, 8192)
    *_, line = scale.table_of_work([rate])
    clips = 3600 * scale.HOURS
    gpu_hours = clips * 40e9 / (312e12 * 0.2) / 3600
    expected = [f"{clips / 1e6:,.0f} million", "2,700", "270,000", f"{gpu_hours:,.0f}"]
    assert [cell.strip() for cell in line.split("|")[2:6]] == expected
    *_, line = scale.table_of_feeding([rate])
    assert float(line.split("|")[2]) == pytest.approx(72 / 3600 * 312e12 * 0.2 / 40e9, abs=0.5)
    rows = list(scale.table_of_space([rate], 4096))
    assert "0.01 TB" in rows[2] and "1.2 million" in rows[3]
