"""The lines of a plan."""

from __future__ import annotations

from pipeline_lib.planning.costs import Cost
from pipeline_lib.planning.table import Part, parts_to_lines


def test_a_line_for_each_with_sums() -> None:
    trainings = {
        "first": Cost(1, 1.8e17, 24_400_000_000, 10**10),
        "second": Cost(1, 1.8e17, None, 0),
    }
    lines = parts_to_lines([Part("trainings", trainings)], teraflops=100.0)
    cells = [line.split() for line in lines]
    assert cells[1] == ["trainings", "2", "1.0", "24.4", "10.0"]
    assert cells[2] == ["first", "1", "0.5", "24.4", "10.0"]
    assert cells[3] == ["second", "1", "0.5", "0"]
    assert cells[4] == ["all", "2", "1.0", "24.4", "10.0"]
    assert "at 100 x 10^12 a second" in "\n".join(lines)
