"""Who trains and who is held out: groups by names and pixels, rows of the sheet, their tiles."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline_lib.beginning.arranging import merge_groups, pictures_to_groups
from pipeline_lib.beginning.cutting import Cut, span_to_cut
from pipeline_lib.beginning.examining import Span
from pipeline_lib.beginning.finding import Picture
from pipeline_lib.beginning.looking import Plane
from pipeline_lib.beginning.roles import field_to_strips, groups_to_roles, side_to_part
from pipeline_lib.imaging.near_duplicates import planes_to_near_duplicates
from pipeline_lib.imaging.splitting import box_to_text


@dataclass(frozen=True)
class Row:
    """A row of samples.tsv."""

    path: str
    group: str
    role: str
    region: str = ""
    cells: Mapping[str, str] = field(default_factory=dict)


def settle_groups(
    pictures: Sequence[Picture], planes: Mapping[int, Plane]
) -> tuple[list[str], tuple[str, ...]]:
    """Return who stays together.

    Parameters
    ----------
    pictures : sequence of Picture
        Of one concept.
    planes : mapping
        Those that were looked at, by the number of their picture.

    Returns
    -------
    list of str
        Group of each picture, by names, joined where pixels show one place.
    tuple of str
        The pairs of pictures that joined groups, in words.
    """
    groups, numbers = pictures_to_groups(pictures), list(planes)
    found = planes_to_near_duplicates([planes[k] for k in numbers])
    apart = [
        (numbers[pair.first], numbers[pair.second], pair.correlation)
        for pair in found
        if groups[numbers[pair.first]] != groups[numbers[pair.second]]
    ]
    told = tuple(
        f"{pictures[first].name} and {pictures[second].name} ({correlation:.2f})"
        for first, second, correlation in apart
    )
    return merge_groups(groups, [(first, second) for first, second, _ in apart]), told


def settle_roles(
    pictures: Sequence[Picture],
    groups: Sequence[str],
    strange: Collection[str],
    shapes: Sequence[tuple[int, int]],
    span: Span | None,
    base: int,
) -> tuple[list[tuple[int, Row]], dict[str, str], Cut]:
    """Share pictures out, by group or by part of the one group that there is.

    Parameters
    ----------
    pictures : sequence of Picture
        Of one concept.
    groups : sequence of str
        Of each.
    strange : collection of str
        Groups that are rather trained on than held out.
    shapes : sequence of tuple
        Height and width of each picture.
    span : Span or None
        Of cells.
    base : int
        Side of the base model's pictures.

    Returns
    -------
    list of (int, Row)
        Rows of the sheet with the number of their picture.
    dict
        Role by group, or by part.
    Cut
        The tiles.
    """
    side = min(map(min, shapes))
    pixels = span.pixels if span else None
    if len(set(groups)) > 1:
        roles = groups_to_roles(groups, strange)
        trained = _trained_shapes(pictures, shapes, (roles[group] == "train" for group in groups))
        cut = span_to_cut(pixels, base, side, trained)
        rows = [
            Row(one.path, group, roles[group], cells=_position(one))
            for one, group in zip(pictures, groups, strict=True)
        ]
        return list(enumerate(rows)), roles, cut
    parts = [(min(shape), side_to_part(max(shape))) for shape in shapes]
    cut = span_to_cut(
        pixels,
        base,
        min(map(min, parts)),
        _trained_shapes(pictures, parts, (True for _ in pictures)),
    )
    numbered = []
    for number, (one, shape) in enumerate(zip(pictures, shapes, strict=True)):
        for role, box in field_to_strips(*shape, cut.raw).items():
            group = f"{groups[0]} {role}"
            row = Row(one.path, group, role, box_to_text(box), _position(one))
            numbered.append((number, row))
    return numbered, {f"{groups[0]} {role}": role for role in ("train", "holdout")}, cut


def _position(picture: Picture) -> dict[str, str]:
    """Return the cell of a picture's position, if it has one."""
    return {} if picture.position is None else {"position": picture.position}


def _trained_shapes(
    pictures: Sequence[Picture], shapes: Sequence[tuple[int, int]], trained: Iterable[bool]
) -> list[tuple[int, int]]:
    """Return the sides of every plane that is trained on."""
    listed = zip(pictures, shapes, trained, strict=True)
    return [shape for one, shape, used in listed if used for _ in range(one.header.length("T"))]
