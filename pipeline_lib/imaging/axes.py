"""Which axis of a file is what, and which of its planes are wanted; nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.reading import ReadingSettings

KNOWN = "TZCRYXS"
PLANE_AXES = "YXS"
SELECTED = "TZCR"
NAMES = {"T": "time points", "Z": "focal planes", "C": "channels", "R": "positions"}
KEYS = {"T": "t", "Z": "z", "C": "channel", "R": "position"}
FOCAL_WORD = re.compile(r"max|min|mean|best_focus(?:([+-]\d+)|([+-]\d+(?:\.\d+)?)[uµ]m)?")
WHERE = {"C": " or of the concept's `reading`", "R": ", in a row for each that is wanted"}
FOCAL_CHOICES = (
    "`only`, `middle`, `max`, `min`, `mean`, `best_focus`, also with an offset as in "
    "`best_focus+2` or `best_focus-1.5um`, or an index"
)


@dataclass(frozen=True)
class Layout:
    """Axes and shape of a file's image, as they were settled.

    Attributes
    ----------
    axes : str
        A letter of TZCRYXS for every axis, R being positions.
    shape : tuple of int
        Lengths.
    warnings : tuple of str
        Where the sheet overruled the file.
    """

    axes: str
    shape: tuple[int, ...]
    warnings: tuple[str, ...] = ()


def settle_axes(found: str, shape: Sequence[int], stated: str | None) -> Layout:
    """Return the axes of a file from its own metadata and what the sheet states.

    Parameters
    ----------
    found : str
        A letter an axis as tifffile names them, without axes of length one; ``Q`` and ``I`` mean
        that the file does not say.
    shape : sequence of int
        Lengths of the axes.
    stated : str or None
        Axes by the sheet, or None.

    Returns
    -------
    Layout
        The settled axes.

    Raises
    ------
    UserError
        If neither says, or if what the sheet states does not fit the file.
    """
    shape = tuple(shape)
    definite = set(found) <= set(KNOWN)
    if stated is None:
        return _layout_of_file(found, shape, definite)
    letters = stated.upper()
    _check_stated(letters)
    if definite and _in_order(found, letters):
        return Layout(found, shape)
    _check_fit(found, shape, letters)
    if not definite:
        return Layout(letters, shape)
    warning = f"the file's metadata say axes {found}, the sheet's {letters} was used"
    return Layout(letters, shape, (warning,))


def _layout_of_file(found: str, shape: tuple[int, ...], definite: bool) -> Layout:
    """Return the layout that the file's metadata give, or refuse."""
    if not definite or len(set(found)) < len(found):
        raise UserError(
            f"the file does not say what its axes are: found {found} of shape {shape}; state them "
            f"in `axes` of samples.tsv or of the concept's `reading`, one letter of {KNOWN} each, "
            f"for example {_example(found)}"
        )
    if not {"Y", "X"} <= set(found):
        raise UserError(f"the file holds no picture: its axes are {found} of shape {shape}")
    return Layout(found, shape)


def _example(found: str) -> str:
    """Return axes that would fit the number of axes found."""
    free = iter(letter for letter in SELECTED if letter not in found)
    return "".join(letter if letter in KNOWN else next(free, "?") for letter in found)


def _check_stated(letters: str) -> None:
    """Refuse axes of the sheet that no file can have."""
    wrong = sorted(set(letters) - set(KNOWN))
    if wrong or len(set(letters)) < len(letters) or not {"Y", "X"} <= set(letters):
        raise UserError(
            f"`axes` is {letters!r}; it needs Y and X, and each letter of {KNOWN} at most once"
        )


def _in_order(found: str, letters: str) -> bool:
    """Tell whether the file's axes are among the stated ones, in the same order."""
    return "".join(letter for letter in letters if letter in found) == found


def _check_fit(found: str, shape: tuple[int, ...], letters: str) -> None:
    """Refuse stated axes that contradict what is certain about the file."""
    if len(letters) != len(shape):
        raise UserError(
            f"`axes` is {letters!r}, but the file has {len(shape)} axes: {found} of shape {shape}"
        )
    moved = [a for a, b in zip(found, letters, strict=True) if a in "YX" and a != b]
    if moved:
        raise UserError(
            f"`axes` is {letters!r}, but the file's metadata say {found} of shape {shape}: its "
            f"picture axes are certain; put {' and '.join(moved)} where the file has them"
        )


def at_own_position(reading: ReadingSettings, own_position: int | None) -> ReadingSettings:
    """Return a reading of the only position that a file itself holds, unless another is named."""
    if reading.position is not None or own_position is None:
        return reading
    return reading.model_copy(update={"position": own_position})


def select_planes(
    layout: Layout,
    channels: Sequence[str],
    reading: ReadingSettings,
    positions: Sequence[str] = (),
) -> tuple[dict[str, int | str], ...]:
    """Return the wanted planes.

    Parameters
    ----------
    layout : Layout
        Settled axes.
    channels : sequence of str
        Names of the channels where the file has them, else empty.
    reading : ReadingSettings
        What is wanted of channels, focal planes, time points and positions.
    positions : sequence of str
        Names of the positions where the file has them, else empty.

    Returns
    -------
    tuple of dict
        For each plane, in order of time, its index on every axis among T, Z, C and R of the file;
        of Z the word that stands for several where these are to be reduced to one.

    Raises
    ------
    UserError
        If a choice is missing, does not exist, or leaves nothing.
    """
    lengths = dict(zip(layout.axes, layout.shape, strict=True))
    names = channels if len(channels) == lengths.get("C", 1) else ()
    places = positions if len(positions) == lengths.get("R", 1) else ()
    chosen = _all_or_refused(
        {
            "T": lambda: _time_points(lengths.get("T", 1), reading.t),
            "Z": lambda: [_focal_plane(lengths.get("Z", 1), reading.z)],
            "C": lambda: [_named("C", lengths.get("C", 1), names, reading.channel)],
            "R": lambda: [_named("R", lengths.get("R", 1), places, reading.position)],
        }
    )
    kept = {axis: indices for axis, indices in chosen.items() if axis in lengths}
    return tuple(dict(zip(kept, index, strict=True)) for index in product(*kept.values()))


def without_absent(layout: Layout, reading: ReadingSettings) -> ReadingSettings:
    """Return how label images are read: an index on an axis that they lack is their field's."""
    unset = {"t": "all"} if "T" not in layout.axes else {}
    return reading.model_copy(update=unset | ({"position": None} if "R" not in layout.axes else {}))


def _all_or_refused(choices: Mapping[str, Callable[[], list[Any]]]) -> dict[str, list[Any]]:
    """Return what was chosen on every axis, or refuse all choices that are missing at once."""
    chosen, refusals = {}, []
    for axis, choose in choices.items():
        try:
            chosen[axis] = choose()
        except UserError as error:
            refusals.append(str(error))
    if refusals:
        raise UserError("; also, ".join(refusals))
    return chosen


def _time_points(length: int, wanted: str | int) -> list[int]:
    """Return the wanted time points."""
    if wanted == "all":
        return list(range(length))
    return [_index("T", length, wanted, "`all` or an index")]


def _focal_plane(length: int, wanted: str | int) -> int | str:
    """Return the wanted focal plane, or the word that reduces all of them to one."""
    if wanted == "middle":
        return length // 2
    if wanted == "only":
        if length > 1:
            raise UserError(
                f"the file has {length} focal planes; say which in `z` of samples.tsv or of the "
                f"concept's `reading`: an index from 0 to {length - 1}, `middle`, `max`, `min`, "
                "`mean` or `best_focus`"
            )
        return 0
    word = FOCAL_WORD.fullmatch(str(wanted))
    if word:
        if length == 1 and any(float(offset or 0) for offset in word.groups()):
            raise UserError(
                f"`z` is {wanted!r}, but the file has one focal plane: there is none beside it; "
                "give `only` in `z` of its row"
            )
        return str(wanted)
    return _index("Z", length, wanted, FOCAL_CHOICES)


def _named(axis: str, length: int, names: Sequence[str], wanted: str | int | None) -> int:
    """Return the wanted channel or position; names come before indices."""
    key, what = KEYS[axis], NAMES[axis]
    if wanted is None:
        if length > 1:
            raise UserError(
                f"the file has {length} {what}, {_listed(names)}; name one in `{key}` of "
                f"samples.tsv{WHERE[axis]}"
            )
        return 0
    if wanted in names:
        if list(names).count(str(wanted)) > 1:
            raise UserError(f"several {what} are named {wanted!r}; give an index in `{key}`")
        return list(names).index(str(wanted))
    return _index(axis, length, wanted, f"an index or one of the {what}, {_listed(names)}")


def _listed(names: Sequence[str]) -> str:
    """Return names, or that there are none."""
    return "named " + ", ".join(names) if names else "without names"


def _index(axis: str, length: int, wanted: str | int, allowed: str) -> int:
    """Return a wanted index on an axis, which the sheet may give as text."""
    text = str(wanted)
    if not text.isdecimal():
        raise UserError(f"`{KEYS[axis]}` is {wanted!r}; it may be {allowed}")
    if int(text) >= length:
        raise UserError(
            f"`{KEYS[axis]}` is {text}, but the file has {length} {NAMES[axis]}: "
            f"indices run from 0 to {length - 1}"
        )
    return int(text)
