"""From the pictures of a folder to what is proposed of each concept; here their files are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline_lib.beginning.arranging import names_tell_places
from pipeline_lib.beginning.choosing import (
    BEST_FOCUS,
    Choice,
    headers_to_modality,
    names_to_noun,
)
from pipeline_lib.beginning.cutting import Cut
from pipeline_lib.beginning.examining import (
    Span,
    planes_to_bits,
    planes_to_foreground,
    planes_to_refusals,
    planes_to_remarks,
    planes_to_span,
)
from pipeline_lib.beginning.finding import Picture
from pipeline_lib.beginning.looking import (
    doubt_focus,
    pictures_to_readings,
    planes_to_weights,
    read_planes,
)
from pipeline_lib.beginning.mapping import planes_to_mapping
from pipeline_lib.beginning.roles import strange_groups
from pipeline_lib.beginning.sharing import Row, settle_groups, settle_roles

CELLS = ("axes", "channel", "z")  # what a row of the sheet may say for itself


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
    intensity : dict of Choice
        What the map to 8 bits needs to be told, by the key of `intensity`.
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
    unlike : dict
        What the quality check will say of others that are trained on, since they are unlike most.
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
    intensity: dict[str, Choice]
    bits: int | None
    places: bool
    alike: tuple[str, ...]
    looked_at: int
    apart: dict[str, str]
    unlike: dict[str, str]


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
    remarks = planes_to_remarks(planes, weights)
    groups, alike = settle_groups(pictures, planes)
    shapes = [(one.header.length("Y"), one.header.length("X")) for one in pictures]
    span = planes_to_span(list(planes.values()))
    numbers = {k: len(reasons) for k, reasons in remarks.items()}
    strange = strange_groups(groups, numbers)
    rows, roles, cut = settle_roles(pictures, groups, strange, shapes, span, base)
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
        intensity=planes_to_mapping([plane for k, plane in planes.items() if k not in apart]),
        bits=planes_to_bits(list(planes.values())),
        places=names_tell_places(groups, pictures),
        alike=alike,
        looked_at=len(planes),
        apart={pictures[k].name: reason for k, reason in apart.items()},
        unlike={
            pictures[k].name: "; ".join(reasons)
            for k, reasons in remarks.items()
            if k not in apart and roles.get(groups[k]) == "train" and groups[k] in strange
        },
    ), told


def _without_focus(reading: dict[str, Choice], doubt: str) -> dict[str, Choice]:
    """Return a reading that takes the middle plane where it took the best focus."""
    if "z" not in reading or reading["z"].value != BEST_FOCUS:
        return reading
    return {**reading, "z": Choice("middle", doubt, True)}


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
