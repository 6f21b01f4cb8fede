"""Planes of different fields that show one place, and their refusal on different sides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pipeline_lib.imaging.splitting import SplitRow, box_to_text, boxes_overlap
from pipeline_lib.settings.base import UserError


class SamePlace(NamedTuple):
    """Two planes of different sources that show one place, wholly or in part.

    What stands at (y, x) of the other stands at (y + dy, x + dx) of the plane, in pixels.
    """

    source: str
    plane: int
    other_source: str
    other_plane: int
    correlation: float
    dy: int
    dx: int


def rows_to_same_places(rows: Iterable[Mapping[str, str]]) -> list[SamePlace]:
    """Return the pairs of a table as it was read."""
    return [
        SamePlace(
            row["source"],
            int(row["plane"]),
            row["other_source"],
            int(row["other_plane"]),
            float(row["correlation"]),
            int(row["dy"]),
            int(row["dx"]),
        )
        for row in rows
    ]


def refuse_same_places(rows: Sequence[SplitRow], pairs: Iterable[SamePlace]) -> None:
    """Refuse a split of which two sides show one place.

    A field stays where it is from plane to plane, and not every plane was compared: a pair counts
    for all planes of both fields.

    Parameters
    ----------
    rows : sequence of SplitRow
        The split. Of fields cut into regions, those count that overlap once the fields are
        registered.
    pairs : iterable of SamePlace
        What the quality check found.

    Raises
    ------
    UserError
        With both fields, their roles and the correlation of the first such pair.
    """
    regions: dict[str, dict[object, SplitRow]] = {}
    for row in rows:
        regions.setdefault(row.source, {}).setdefault((row.role, _box(row)), row)
    for pair in pairs:
        for one in regions.get(pair.source, {}).values():
            for other in regions.get(pair.other_source, {}).values():
                moved = _moved(other, pair.dy, pair.dx)
                if one.role != other.role and boxes_overlap(_box(one), moved):
                    raise UserError(_on_two_sides(pair, one, other))


def _on_two_sides(pair: SamePlace, one: SplitRow, other: SplitRow) -> str:
    """Return the words that refuse a pair."""
    told = [
        f"{row.source} plane {row.plane} ({row.role}, group {row.group!r}, "
        f"{box_to_text(_box(row))})"
        for row in (one, other)
    ]
    return (
        f"{told[0]} and {told[1]} show one place: registered, plane {pair.plane} and plane "
        f"{pair.other_plane} of these fields correlate {pair.correlation:.2f}; on two sides, what "
        "is held out would be trained on. Give both one `group` in samples.tsv, or, if they only "
        "look alike, raise "
        "`quality: near_duplicate_correlation` above that; near_duplicates.tsv lists all such pairs"
    )


def _box(row: SplitRow) -> tuple[int, int, int, int]:
    """Return the bounds of a row's region."""
    return row.y0, row.y1, row.x0, row.x1


def _moved(row: SplitRow, dy: int, dx: int) -> tuple[int, int, int, int]:
    """Return the bounds of a row's region, moved."""
    return row.y0 + dy, row.y1 + dy, row.x0 + dx, row.x1 + dx
