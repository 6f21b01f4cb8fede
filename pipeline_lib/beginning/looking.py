"""How the files of a concept are read: what they need to be told, and planes to look at."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pipeline_lib.beginning.arranging import pictures_to_groups
from pipeline_lib.beginning.choosing import (
    BEST_FOCUS,
    Choice,
    channels_to_choice,
    header_to_axes,
    lengths_to_focus,
)
from pipeline_lib.beginning.examining import planes_to_brightest
from pipeline_lib.beginning.finding import Picture
from pipeline_lib.imaging.choices import even_choice
from pipeline_lib.imaging.disk_arrays import array_to_disk
from pipeline_lib.imaging.focus import plane_to_sharpness, sharpness_to_focus
from pipeline_lib.imaging.headers import Header
from pipeline_lib.imaging.reading import read_field
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.reading import ReadingSettings

READ_ALL, READ_MOST = 60, 150
MANY = 20
COLOURS = 3
CURVES = 8
UNFOCUSED = 0.25  # share of stacks; fewer are left out
MIDDLE = Choice("middle", "")
Plane = npt.NDArray[Any]


def pictures_to_readings(folder: Path, pictures: Sequence[Picture]) -> list[dict[str, Choice]]:
    """Return what each picture needs to be told, once for all that are made alike."""
    kinds = [_header_to_kind(one.header) for one in pictures]
    alike: dict[Any, list[Picture]] = {}
    for one, kind in zip(pictures, kinds, strict=True):
        alike.setdefault(kind, []).append(one)
    readings = {kind: _alike_to_reading(folder, ones) for kind, ones in alike.items()}
    return [readings[kind] for kind in kinds]


def _header_to_kind(header: Header) -> tuple[Any, ...]:
    """Return what two pictures that are read in one way have in common."""
    lengths = _header_to_lengths(header)
    focus = lengths_to_focus(lengths.get("Z", 1))
    return header.axes, header.channels, focus and focus.value, lengths.get("C", 1)


def _alike_to_reading(folder: Path, pictures: Sequence[Picture]) -> dict[str, Choice]:
    """Return what pictures that are made alike need to be told."""
    picture, header = pictures[0], pictures[0].header
    axes, lengths = header_to_axes(header), _header_to_lengths(header)
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
    if header.length("S") >= COLOURS and _are_coloured(folder, pictures, reading):
        reading["colour"] = Choice(
            "luminance", "the pictures are in colour: is their luminance wanted?", True
        )
    return reading


def _header_to_lengths(header: Header) -> dict[str, int]:
    """Return the length of every axis, of those that are proposed where the file says none."""
    axes = header_to_axes(header)
    return dict(zip(str(axes.value) if axes else header.axes, header.shape, strict=True))


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


def _are_coloured(folder: Path, pictures: Sequence[Picture], reading: Mapping[str, Choice]) -> bool:
    """Tell whether the first picture that can be read is read by its luminance alone."""
    luminance = {**reading, "colour": Choice("luminance", "")}
    readable = (one for one in pictures if _can_be_read(folder, one, luminance))
    first = next(readable, None)
    return first is not None and not _can_be_read(folder, first, reading)


def _can_be_read(folder: Path, picture: Picture, reading: Mapping[str, Choice]) -> bool:
    """Tell whether a picture is read, rather than refused."""
    try:
        _read_plane(folder, picture, reading)
    except UserError:
        return False
    return True


def _read_plane(folder: Path, picture: Picture, reading: Mapping[str, Choice]) -> Plane:
    """Return one plane of a picture: the middle one of its time points."""
    told = {key: choice.value for key, choice in reading.items()}
    lengths = dict(zip(told.get("axes", picture.header.axes), picture.header.shape, strict=True))
    settings = ReadingSettings(**told, t=lengths.get("T", 1) // 2, position=picture.position)
    return read_field(folder / picture.path, settings).planes[0]


def read_planes(
    folder: Path, pictures: Sequence[Picture], readings: Sequence[Mapping[str, Choice]]
) -> tuple[dict[int, Plane], dict[int, str]]:
    """Return planes and refusals by the number of their picture.

    All of few pictures are read; of many, in each group the first that is not refused. They lie in
    files without names, since a hundred large ones would fill the memory.
    """
    beside = Path(tempfile.gettempdir())
    planes: dict[int, Plane] = {}
    refused: dict[int, str] = {}
    alike = _numbers_to_read(pictures)
    for numbers in tqdm(alike, unit="picture", leave=False, disable=len(alike) < MANY):
        if len(planes) == READ_MOST:
            break
        for number in numbers:
            path = folder / pictures[number].path
            try:
                plane = _read_plane(folder, pictures[number], readings[number])
                planes[number] = array_to_disk(plane, beside)
                break
            except UserError as error:
                refused[number] = str(error).removeprefix(f"{path}: ")
    return planes, refused


def planes_to_weights(
    pictures: Sequence[Picture], read: Collection[int], refused: Collection[int]
) -> dict[int, int]:
    """Return how many planes each that was read stands for, by the number of its picture.

    They are the time points of its picture or, of many pictures, of all in its group that were not
    refused.
    """
    lengths = [_header_to_lengths(one.header).get("T", 1) for one in pictures]
    return {
        number: sum(lengths[k] for k in numbers if k not in refused)
        for numbers in _numbers_to_read(pictures)
        for number in numbers
        if number in read
    }


def _numbers_to_read(pictures: Sequence[Picture]) -> list[list[int]]:
    """Return numbers of pictures, in lists of which one picture each is needed."""
    if len(pictures) <= READ_ALL:
        return [[number] for number in range(len(pictures))]
    found: dict[str, list[int]] = {}
    for number, group in enumerate(pictures_to_groups(pictures)):
        found.setdefault(group, []).append(number)
    return list(found.values())


def doubt_focus(
    folder: Path,
    pictures: Sequence[Picture],
    readings: Sequence[Mapping[str, Choice]],
    read: Collection[int],
    refused: Collection[int],
) -> str | None:
    """Return why the best focus would not be the same in all stacks; None where it seems to be.

    Stacks that were refused lack a best focus where their middle plane can be read. Those that were
    read in their place do not count, for only groups that lack it would be counted several times.
    """
    focused = {k for k, one in enumerate(readings) if "z" in one and one["z"].value == BEST_FOCUS}
    firsts = focused & {one[0] for one in _numbers_to_read(pictures)} & {*read, *refused}
    lost = sum(
        _can_be_read(folder, pictures[k], {**readings[k], "z": MIDDLE}) for k in firsts & {*refused}
    )
    stacks, measured = len(firsts), sorted(focused & {*read})
    if lost > UNFOCUSED * stacks:
        return f"the middle plane? In {lost} of {stacks} stacks no best focus was found."
    looked_at = [measured[k] for k in even_choice(len(measured), CURVES)]
    valleys = sum(_has_valley(folder, pictures[k], readings[k]) for k in looked_at)
    if 0 < valleys < len(looked_at):
        return (
            f"the middle plane? Contrast is lowest in focus in {valleys} of {len(looked_at)} "
            f"stacks and highest in the others: {BEST_FOCUS} would mix dark cells with bright ones."
        )
    return None


def _has_valley(folder: Path, picture: Picture, reading: Mapping[str, Choice]) -> bool:
    """Tell whether contrast is lowest in the best focus, rather than highest."""
    depth = _header_to_lengths(picture.header)["Z"]
    told = [{**reading, "z": Choice(number, "")} for number in range(depth)]
    curve = np.array([_plane_sharpness(folder, picture, one) for one in told])
    focus = sharpness_to_focus(curve)
    return bool(curve[focus] < min(curve[max(focus - 1, 0)], curve[min(focus + 1, depth - 1)]))


def _plane_sharpness(folder: Path, picture: Picture, reading: Mapping[str, Choice]) -> float:
    """Return the contrast of a plane's fine edges: none where the plane alone is refused."""
    try:
        return plane_to_sharpness(_read_plane(folder, picture, reading))
    except UserError:  # a blank plane at the end of a stack
        return 0.0
