"""From the pictures of a folder to what is proposed of each concept; here their files are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline_lib.beginning.arranging import (
    field_to_strips,
    groups_to_roles,
    merge_groups,
    names_tell_places,
    pictures_to_groups,
    side_to_part,
)
from pipeline_lib.beginning.choosing import (
    BEST_FOCUS,
    Choice,
    headers_to_modality,
    names_to_noun,
)
from pipeline_lib.beginning.cutting import Cut, span_to_cut
from pipeline_lib.beginning.examining import (
    Span,
    planes_to_bits,
    planes_to_foreground,
    planes_to_level_ratio,
    planes_to_refusals,
    planes_to_span,
)
from pipeline_lib.beginning.finding import Picture
from pipeline_lib.beginning.looking import (
    Plane,
    doubt_focus,
    pictures_to_readings,
    planes_to_weights,
    read_planes,
)
from pipeline_lib.imaging.near_duplicates import planes_to_near_duplicates
from pipeline_lib.imaging.splitting import box_to_text

MIXED_LEVELS = 1.4
CELLS = ("axes", "channel", "z")  # what a row of the sheet may say for itself


@dataclass(frozen=True)
class Row:
    """A row of samples.tsv."""

    path: str
    group: str
    role: str
    region: str = ""
    cells: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Proposal:
    """What is proposed of one concept.

    Attributes
    ----------
    name : str
        Of the concept.
    pictures : tuple of Picture
        What shows it.
    noun, modality : Choice
        Words of its prompts.
    reading : dict of Choice
        What all its files have in common, by the key of `reading`.
    cells : tuple of (str, Choice)
        What stands in the rows instead, where files differ: column and choice, each once.
    rows : tuple of Row
        Of samples.tsv.
    roles : dict
        Role by group; of a single group by the part of its fields.
    span : Span or None
        Of cells.
    cut : Cut
        Its tiles.
    foreground : float
        Share of the fields that shows more than background.
    intensity : Choice or None
        Method of the map to 8 bits, where one for all fields does not fit.
    bits : int or None
        In use.
    places : bool
        Whether names say which place of the specimen a picture shows.
    alike : tuple of str
        Pictures of different names that show one place.
    looked_at : int
        Number of pictures of which pixels were read.
    apart : dict
        Why the quality check will refuse pictures for their camera scale, by name.
    """

    name: str
    pictures: tuple[Picture, ...]
    noun: Choice
    modality: Choice
    reading: dict[str, Choice]
    cells: tuple[tuple[str, Choice], ...]
    rows: tuple[Row, ...]
    roles: dict[str, str]
    span: Span | None
    cut: Cut
    foreground: float
    intensity: Choice | None
    bits: int | None
    places: bool
    alike: tuple[str, ...]
    looked_at: int
    apart: dict[str, str]


def pictures_to_proposal(
    name: str, pictures: Sequence[Picture], folder: Path, base: int
) -> tuple[Proposal | None, dict[Picture, str]]:
    """Propose all that a concept needs.

    Parameters
    ----------
    name : str
        Of the concept.
    pictures : sequence of Picture
        Of it.
    folder : Path
        Where their paths start.
    base : int
        Side of the base model's pictures.

    Returns
    -------
    Proposal or None
        None if no picture is left.
    dict
        Why pictures were left out whose pixels were looked at.
    """
    readings = pictures_to_readings(folder, pictures)
    planes, refused = read_planes(folder, pictures, readings)
    doubt = doubt_focus(folder, pictures, readings, planes, refused)
    if doubt:
        readings = [_without_focus(one, doubt) for one in readings]
        planes, refused = read_planes(folder, pictures, readings)
    weights = planes_to_weights(pictures, planes, refused)
    told = {pictures[k]: reason for k, reason in refused.items()}
    kept = [k for k in range(len(pictures)) if k not in refused]
    if not planes:
        return None, told
    pictures, readings = [pictures[k] for k in kept], [readings[k] for k in kept]
    weights = {kept.index(k): weights[k] for k in planes}
    planes = {kept.index(k): plane for k, plane in planes.items()}
    groups, alike = _settle_groups(pictures, planes)
    shapes = [(one.header.length("Y"), one.header.length("X")) for one in pictures]
    span = planes_to_span(list(planes.values()))
    rows, roles, cut = _settle_roles(pictures, groups, shapes, span, base)
    common, cells = _share_readings(readings)
    rows = tuple(
        Row(row.path, row.group, row.role, row.region, {**cells[number], **row.cells})
        for number, row in rows
    )
    apart = planes_to_refusals(planes, weights)
    names = [*folder.parts[-1:], *(one.path for one in pictures)]
    channels = {str(one["channel"].value) for one in readings if "channel" in one}
    headers = [one.header for one in pictures]
    return Proposal(
        name=name,
        pictures=tuple(pictures),
        noun=names_to_noun(names),
        modality=headers_to_modality(headers, channels, names),
        reading=common,
        cells=_distinct_cells(readings) if any(cells) else (),
        rows=rows,
        roles=roles,
        span=span,
        cut=cut,
        foreground=planes_to_foreground(list(planes.values())),
        intensity=_doubt_scale([plane for k, plane in planes.items() if k not in apart]),
        bits=planes_to_bits(list(planes.values())),
        places=names_tell_places(groups, pictures),
        alike=alike,
        looked_at=len(planes),
        apart={pictures[k].name: reason for k, reason in apart.items()},
    ), told


def _without_focus(reading: dict[str, Choice], doubt: str) -> dict[str, Choice]:
    """Return a reading that takes the middle plane where it took the best focus."""
    if "z" not in reading or reading["z"].value != BEST_FOCUS:
        return reading
    return {**reading, "z": Choice("middle", doubt, True)}


def _doubt_scale(planes: Sequence[Plane]) -> Choice | None:
    """Return another map to 8 bits where one for all would show some fields too dark or bright."""
    ratio = planes_to_level_ratio(planes)
    if ratio <= MIXED_LEVELS:
        return None
    return Choice(
        "image_percentile",
        f"a scale for each picture? Their backgrounds differ by a factor of {ratio:.1f}: they were "
        "exposed in different ways, or stretched one by one. If not, delete these lines: one map "
        "for all pictures keeps their levels apart.",
        True,
    )


def _share_readings(
    readings: Sequence[dict[str, Choice]],
) -> tuple[dict[str, Choice], list[dict[str, str]]]:
    """Return what all pictures have in common, and the cells of those that differ."""
    kinds = {tuple((key, choice.value) for key, choice in one.items()) for one in readings}
    if len(kinds) == 1:
        return readings[0], [{} for _ in readings]
    cells = [{key: str(one[key].value) for key in CELLS if key in one} for one in readings]
    colours = [one["colour"] for one in readings if "colour" in one]
    return ({"colour": colours[0]} if colours else {}), cells


def _distinct_cells(readings: Sequence[dict[str, Choice]]) -> tuple[tuple[str, Choice], ...]:
    """Return every choice that stands in a row, once."""
    found = ((key, one[key]) for one in readings for key in CELLS if key in one)
    return tuple(dict.fromkeys(found))


# --- groups and roles ----------------------------------------------------------------------------


def _settle_groups(
    pictures: Sequence[Picture], planes: Mapping[int, Plane]
) -> tuple[list[str], tuple[str, ...]]:
    """Return groups by name, joined where their pixels show one place, and words about these."""
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


def _settle_roles(
    pictures: Sequence[Picture],
    groups: Sequence[str],
    shapes: Sequence[tuple[int, int]],
    span: Span | None,
    base: int,
) -> tuple[list[tuple[int, Row]], dict[str, str], Cut]:
    """Return rows with their picture's number, roles and tiles: by group, or by part of one."""
    side = min(map(min, shapes))
    pixels = span.pixels if span else None
    if len(set(groups)) > 1:
        roles = groups_to_roles(groups)
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
