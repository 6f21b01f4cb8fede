"""How the files of a concept are read: what they need to be told, and planes to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from pipeline_lib.beginning.examining import planes_to_brightest, spread
from pipeline_lib.beginning.finding import Picture
from pipeline_lib.imaging.focus import plane_to_sharpness, sharpness_to_focus
from pipeline_lib.imaging.reading import read_field
from pipeline_lib.settings import ReadingSettings, UserError

READ_ALL, READ_MOST = 60, 150
MANY = 20
COLOURS = 3
CURVES = 8
UNFOCUSED = 0.25  # share of stacks; fewer are left out
Plane = npt.NDArray[Any]


def pictures_to_readings(folder: Path, pictures: Sequence[Picture]) -> list[dict[str, Choice]]:
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


def read_planes(
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


def doubt_focus(
    folder: Path,
    pictures: Sequence[Picture],
    readings: Sequence[Mapping[str, Choice]],
    refused: Mapping[str, str],
) -> str | None:
    """Return why the best focus would not be the same in all stacks; None where it seems to be."""
    measured = [
        k
        for k, one in enumerate(readings)
        if "z" in one and one["z"].value == BEST_FOCUS and pictures[k].path not in refused
    ]
    lost = sum(BEST_FOCUS in reason for reason in refused.values())
    if lost > UNFOCUSED * len(pictures):
        return f"the middle plane? In {lost} of {len(pictures)} stacks no best focus was found."
    looked_at = [measured[k] for k in spread(len(measured), CURVES)] if measured else []
    valleys = sum(_has_valley(folder, pictures[k], readings[k]) for k in looked_at)
    if 0 < valleys < len(looked_at):
        return (
            f"the middle plane? Contrast is lowest in focus in {valleys} of {len(looked_at)} "
            f"stacks and highest in the others: {BEST_FOCUS} would mix dark cells with bright ones."
        )
    return None


def _has_valley(folder: Path, picture: Picture, reading: Mapping[str, Choice]) -> bool:
    """Tell whether contrast is lowest in the best focus, rather than highest."""
    depth = picture.header.length("Z")
    told = [{**reading, "z": Choice(number, "")} for number in range(depth)]
    curve = np.array([plane_to_sharpness(_read_plane(folder, picture, one)) for one in told])
    focus = sharpness_to_focus(curve)
    return bool(curve[focus] < min(curve[max(focus - 1, 0)], curve[min(focus + 1, depth - 1)]))
