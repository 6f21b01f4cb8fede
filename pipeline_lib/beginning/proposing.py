"""From the pictures of a folder to what is proposed of each concept; here their files are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pipeline_lib.beginning.arranging import (
    field_to_strips,
    groups_to_roles,
    merge_groups,
    names_tell_places,
    pictures_to_groups,
)
from pipeline_lib.beginning.choosing import (
    BEST_FOCUS,
    Choice,
    channels_to_choice,
    header_to_axes,
    headers_to_modality,
    lengths_to_focus,
    names_to_noun,
)
from pipeline_lib.beginning.cutting import Cut, span_to_cut
from pipeline_lib.beginning.examining import (
    Span,
    planes_to_bits,
    planes_to_brightest,
    planes_to_foreground,
    planes_to_span,
)
from pipeline_lib.beginning.finding import Picture
from pipeline_lib.imaging.near_duplicates import planes_to_near_duplicates
from pipeline_lib.imaging.reading import read_field
from pipeline_lib.imaging.splitting import box_to_text
from pipeline_lib.settings import ReadingSettings, UserError

READ_ALL, READ_MOST = 60, 150
MANY = 20
COLOURS = 3
UNFOCUSED = 0.25  # share of stacks; fewer are left out
CELLS = ("axes", "channel", "z")  # what a row of the sheet may say for itself
Plane = npt.NDArray[Any]


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
    bits : int or None
        In use.
    places : bool
        Whether names say which place of the specimen a picture shows.
    alike : tuple of str
        Pictures of different names that show one place.
    """

    name: str
    pictures: tuple[Picture, ...]
    noun: Choice
    modality: Choice
    reading: dict[str, Choice]
    rows: tuple[Row, ...]
    roles: dict[str, str]
    span: Span | None
    cut: Cut
    foreground: float
    bits: int | None
    places: bool
    alike: tuple[str, ...]


def pictures_to_proposal(
    name: str, pictures: Sequence[Picture], folder: Path, base: int
) -> tuple[Proposal | None, dict[str, str]]:
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
        Why files were left out whose pixels were looked at, by path.
    """
    readings = _pictures_to_readings(folder, pictures)
    planes, refused = _read_planes(folder, pictures, readings)
    unfocused = sum(BEST_FOCUS in reason for reason in refused.values())
    if unfocused > UNFOCUSED * len(pictures):
        told = f"the middle one? In {unfocused} of {len(pictures)} stacks no best focus was found."
        readings = [{**one, "z": Choice("middle", told, True)} for one in readings]
        planes, refused = _read_planes(folder, pictures, readings)
    kept = [k for k, one in enumerate(pictures) if one.path not in refused]
    if not kept:
        return None, refused
    pictures, readings = [pictures[k] for k in kept], [readings[k] for k in kept]
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
    names = [*folder.parts[-1:], *(one.path for one in pictures)]
    channels = {str(one["channel"].value) for one in readings if "channel" in one}
    headers = [one.header for one in pictures]
    return Proposal(
        name=name,
        pictures=tuple(pictures),
        noun=names_to_noun(names),
        modality=headers_to_modality(headers, channels, names),
        reading=common,
        rows=rows,
        roles=roles,
        span=span,
        cut=cut,
        foreground=planes_to_foreground(list(planes.values())),
        bits=planes_to_bits(list(planes.values())),
        places=names_tell_places(groups, pictures),
        alike=alike,
    ), refused


# --- how files are read --------------------------------------------------------------------------


def _pictures_to_readings(folder: Path, pictures: Sequence[Picture]) -> list[dict[str, Choice]]:
    """Return what each picture needs to be told, once for all that are made alike."""
    known: dict[Any, dict[str, Choice]] = {}
    readings = []
    for one in pictures:
        header = one.header
        kind = header.axes, header.channels, header.length("Z") > 1, header.length("C")
        if kind not in known:
            known[kind] = _picture_to_reading(folder, one)
        readings.append(known[kind])
    return readings


def _picture_to_reading(folder: Path, picture: Picture) -> dict[str, Choice]:
    """Return what one picture needs to be told."""
    header = picture.header
    axes = header_to_axes(header)
    lengths = dict(zip(str(axes.value) if axes else header.axes, header.shape, strict=True))
    number = lengths.get("C", 1)
    brightest = 0
    if number > 1 and (axes or len(set(header.channels)) < number or not _one_lit(header.channels)):
        brightest = planes_to_brightest(
            _read_channels(folder, picture, number, str(axes.value) if axes else None)
        )
    found = {
        "axes": axes,
        "channel": channels_to_choice(header.channels, number, brightest),
        "z": lengths_to_focus(lengths.get("Z", 1)),
    }
    reading = {key: choice for key, choice in found.items() if choice}
    if header.length("S") >= COLOURS and _is_coloured(folder, picture, reading):
        reading["colour"] = Choice(
            "luminance", "the pictures are in colour: is their luminance wanted?", True
        )
    return reading


def _one_lit(channels: Sequence[str]) -> bool:
    """Tell whether the channels' names alone say which of them is transmitted light."""
    choice = channels_to_choice(channels, len(channels), 0)
    return choice is not None and not choice.decide


def _read_channels(folder: Path, picture: Picture, number: int, axes: str | None) -> list[Plane]:
    """Return a plane of every channel."""
    planes = []
    for channel in range(number):
        settings = ReadingSettings(
            axes=axes, channel=channel, z="middle", t=0, position=picture.position
        )
        try:
            planes.append(read_field(folder / picture.path, settings).planes[0])
        except UserError:  # a mask beside pictures
            planes.append(np.zeros((1, 1), np.uint8))
    return planes


def _is_coloured(folder: Path, picture: Picture, reading: Mapping[str, Choice]) -> bool:
    """Tell whether the colours of a picture differ, so that it is no grey one."""
    try:
        _read_plane(folder, picture, reading)
    except UserError as error:
        return "true colour" in str(error)
    return False


def _read_plane(folder: Path, picture: Picture, reading: Mapping[str, Choice]) -> Plane:
    """Return one plane of a picture: the middle one of its time points."""
    told = {key: choice.value for key, choice in reading.items()}
    lengths = dict(zip(told.get("axes", picture.header.axes), picture.header.shape, strict=True))
    settings = ReadingSettings(**told, t=lengths.get("T", 1) // 2, position=picture.position)
    return read_field(folder / picture.path, settings).planes[0]


def _read_planes(
    folder: Path, pictures: Sequence[Picture], readings: Sequence[Mapping[str, Choice]]
) -> tuple[dict[int, Plane], dict[str, str]]:
    """Return planes by the number of their picture, of all or of one in each group of many."""
    groups = pictures_to_groups(pictures)
    firsts = [groups.index(group) for group in dict.fromkeys(groups)][:READ_MOST]
    looked_at = range(len(pictures)) if len(pictures) <= READ_ALL else firsts
    planes, refused = {}, {}
    for number in tqdm(looked_at, unit="picture", leave=False, disable=len(looked_at) < MANY):
        one = pictures[number]
        try:
            planes[number] = _read_plane(folder, one, readings[number])
        except UserError as error:
            refused[one.path] = str(error).removeprefix(f"{folder / one.path}: ")
    return {k: plane for k, plane in planes.items() if pictures[k].path not in refused}, refused


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
        f"{pictures[first].path} and {pictures[second].path} ({correlation:.2f})"
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
    halves = [(min(shape), max(shape) // 2) for shape in shapes]
    cut = span_to_cut(
        pixels,
        base,
        min(map(min, halves)),
        _trained_shapes(pictures, halves, (True for _ in pictures)),
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
