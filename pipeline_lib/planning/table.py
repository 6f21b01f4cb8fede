"""A plan in words: a line for each training and set of pictures, sums, and how it was reckoned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipeline_lib.planning.costs import Cost, costs_to_sum

GIGABYTE = 1e9
HEADERS = ("", "GPU jobs", "GPU hours", "GPU memory, GB", "disk, GB", "meanwhile, GB")
METHOD = (
    "Hours: operations of the networks, counted on their shapes, at {teraflops:g} x 10^12 a second",
    "(`planning.teraflops`; two cores of a laptop do 0.1); previews, judgement, features, metrics,",
    "enlarging with upscalers, looking with detectors and waiting come on top. Memory: what a step",
    "keeps, and a tenth.",
    "Disk: models, and a byte for each pixel of the pictures; meanwhile: two checkpoints of a",
    "training, which go at its end. A job of detectors trains one on each set of images from each",
    "seed.",
)


class Part(NamedTuple):
    """A part of a plan: its title, and its costs by name."""

    title: str
    costs: dict[str, Cost]


def parts_to_lines(parts: Sequence[Part], teraflops: float) -> list[str]:
    """Return the lines of a table with a sum, and how it was reckoned."""
    rows = [HEADERS]
    for part in parts:
        whole = costs_to_sum(list(part.costs.values()))
        rows.append(cost_to_cells(part.title, whole, teraflops))
        rows += [cost_to_cells(f"  {name}", cost, teraflops) for name, cost in part.costs.items()]
    every = [cost for part in parts for cost in part.costs.values()]
    rows.append(cost_to_cells("all", costs_to_sum(every), teraflops))
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADERS))]
    table = [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        ).rstrip()
        for row in rows
    ]
    return [*table, "", *(line.format(teraflops=teraflops) for line in METHOD)]


def cost_to_cells(name: str, cost: Cost, teraflops: float) -> tuple[str, ...]:
    """Return the cells of a row."""
    memory = "" if cost.memory is None else number_to_text(cost.memory / GIGABYTE)
    hours, disk = cost.hours(teraflops), cost.disk / GIGABYTE
    scratch = number_to_text(cost.scratch / GIGABYTE) if cost.scratch else ""
    return (name, str(cost.jobs), number_to_text(hours), memory, number_to_text(disk), scratch)


def number_to_text(number: float) -> str:
    """Return a number to two digits or to tenths, whichever says more.

    Examples
    --------
    >>> [number_to_text(number) for number in (0.0, 0.00123, 0.25, 12.34, 1234.5)]
    ['0', '0.0012', '0.25', '12.3', '1,234.5']
    """
    return f"{number:.2g}" if number < 1 else f"{number:,.1f}"
