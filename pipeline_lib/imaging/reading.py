"""Raw files of a microscope to planes of grey, in camera counts, or a refusal in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_lib.imaging.axes import (
    Layout,
    at_own_position,
    select_planes,
    settle_axes,
    without_absent,
)
from pipeline_lib.imaging.damage import refusing_damage
from pipeline_lib.imaging.focus import FocalStack, reduce_focus
from pipeline_lib.imaging.greys import (
    COLOUR_CHANNELS,
    apply_palette,
    colours_to_grey,
    drop_alpha,
    invert_polarity,
    mend_invalid,
    narrow_integers,
    refuse_no_picture,
)
from pipeline_lib.imaging.parts import tiff_to_files
from pipeline_lib.imaging.photographs import JPEG_MARK, PNG_MARK, read_photograph
from pipeline_lib.imaging.pixel_sizes import (
    settle_pixel_size,
    tiff_to_focal_step,
    tiff_to_pixel_size,
)
from pipeline_lib.imaging.stacks import PlaneSource
from pipeline_lib.imaging.tiff_images import TiffImage, open_image
from pipeline_lib.imaging.tiff_planes import series_to_reader
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.reading import ReadingSettings

TIFF_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
PALETTE_WARNING = "the file's colour table was taken for a way to show it: its indices were read"
Index = Mapping[str, int]
Wanted = dict[str, int | str]
PlaneReader = Callable[[Index], npt.NDArray[Any]]


@dataclass(frozen=True)
class Field:
    """One image of the microscope, read.

    Attributes
    ----------
    planes : ndarray or other source of planes
        (N, Y, X) in camera counts.
    indices : sequence of dict
        Where in the file each plane stood: its index on the axes T, Z, C and R, of Z what it was
        reduced by where several became one.
    axes : str
        Axes of the file.
    shape : tuple of int
        Lengths of these axes.
    pixel_size_um : float or None
        Width of a pixel.
    warnings : sequence of str
        What a person should know.
    """

    planes: PlaneSource
    indices: Sequence[Mapping[str, int | str]]
    axes: str
    shape: tuple[int, ...]
    pixel_size_um: float | None
    warnings: Sequence[str]


class ReadPlanes:
    """Planes that are read one by one when they are asked for, all of one size and type.

    Parameters
    ----------
    indices : list of dict
        What is wanted; an entry is replaced by what was found when its plane is read.
    read : callable
        From such an entry to the plane and to what was found.
    """

    def __init__(
        self,
        indices: list[Wanted],
        read: Callable[[Wanted], tuple[npt.NDArray[Any], Wanted]],
    ) -> None:
        self._indices, self._read = indices, read
        self._first = self._plane(0)
        self.shape, self.dtype = (len(indices), *self._first.shape), self._first.dtype

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        yield self._first
        for number in range(1, len(self._indices)):
            plane = self._plane(number)
            if plane.dtype != self.dtype:
                raise UserError(
                    f"plane {self._indices[number]} became {plane.dtype}, the first one "
                    f"{self.dtype}: some are in colour, or hold larger numbers, and others not; "
                    "list them in rows of their own by `t`"
                )
            yield plane

    def _plane(self, number: int) -> npt.NDArray[Any]:
        """Return a plane and note where it stood."""
        plane, self._indices[number] = self._read(self._indices[number])
        return plane


def read_field(path: Path, reading: ReadingSettings) -> Field:
    """Read the wanted planes of a raw file.

    Parameters
    ----------
    path : Path
        TIFF in any of its forms, PNG or JPEG; told by its first bytes, not by its name.
    reading : ReadingSettings
        What is wanted, and what the file does not say itself.

    Returns
    -------
    Field
        Its planes, all of them in memory, and what is known of them.

    Raises
    ------
    UserError
        If the file cannot be read rightly; the message names it and says what to do.
    """
    with open_field(path, reading) as field:
        planes = np.stack(list(field.planes))
        return replace(
            field, planes=planes, indices=tuple(field.indices), warnings=tuple(field.warnings)
        )


@contextmanager
def open_field(path: Path, reading: ReadingSettings, labels: bool = False) -> Iterator[Field]:
    """Open a raw file, to read the wanted planes one by one.

    Parameters
    ----------
    path, reading
        As for `read_field`.
    labels : bool
        Whether its planes are label images: else planes that can be no pictures, of one value or
        two, are refused. An index on an axis that label images lack is that of their field.

    Yields
    ------
    Field
        What is known of it; indices and warnings are whole once all planes were read.

    Raises
    ------
    UserError
        As `read_field`, here or while planes are read.
    """
    with _named(path):
        mark = path_to_mark(path)
        if mark in TIFF_MARKS:
            with open_image(path) as image:
                yield _image_to_field(image, reading, labels)
        else:
            yield _photograph_to_field(path, mark, reading, labels)


def path_to_files(path: Path) -> tuple[Path, ...]:
    """Return all files that the image of a raw file is read from.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    tuple of Path
        For most files themselves alone.

    Raises
    ------
    UserError
        If it is no image, or a part whose metadata are missing; the message names it.
    """
    with _named(path):
        return tiff_to_files(path).all if path_to_mark(path) in TIFF_MARKS else (path,)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Put the file's name before what is refused."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def path_to_mark(path: Path) -> bytes:
    """Return the first four bytes of a file, which tell its kind.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    bytes
        Those of TIFF, PNG or JPEG.

    Raises
    ------
    UserError
        If it is empty or of another kind.
    """
    with path.open("rb") as handle:
        mark = handle.read(4)
    if not mark:
        raise UserError("the file is empty; copy it again from the microscope")
    if mark in TIFF_MARKS or mark == PNG_MARK or mark.startswith(JPEG_MARK):
        return mark
    raise UserError(
        "the file is neither TIFF nor PNG nor JPEG; export it as OME-TIFF, for example with Fiji "
        "and Bio-Formats"
    )


# --- TIFF ----------------------------------------------------------------------------------------


def _image_to_field(image: TiffImage, reading: ReadingSettings, labels: bool) -> Field:
    """Return the field of an open TIFF file."""
    layout = settle_axes(image.axes, image.shape, reading.axes)
    if labels:
        reading = without_absent(layout, reading)
    reading = at_own_position(reading, image.own_position)
    indices = list(select_planes(layout, image.channels, reading, image.positions))
    with refusing_damage():
        found_size, size_warnings = tiff_to_pixel_size(image.tiff, image.ome)
        step = tiff_to_focal_step(image.tiff, image.ome)
    size, unknown = settle_pixel_size(found_size, reading.pixel_size_um)
    warnings = [*layout.warnings, *size_warnings, *unknown]
    warnings += [PALETTE_WARNING] if image.palette_is_display else []
    read = _plane_reader(image, layout, reading, warnings)
    planes = ReadPlanes(indices, _wanted_reader(layout, step, read, not labels))
    return Field(planes, indices, layout.axes, layout.shape, size, warnings)


def _wanted_reader(
    layout: Layout, step_um: float | None, read: PlaneReader, pictures: bool
) -> Callable[[Wanted], tuple[npt.NDArray[Any], Wanted]]:
    """Return what reads a wanted plane, be it one of the file or what several are reduced to."""
    depth = dict(zip(layout.axes, layout.shape, strict=True)).get("Z", 1)

    def read_wanted(wanted: Wanted) -> tuple[npt.NDArray[Any], Wanted]:
        stack = FocalStack(depth, step_um, lambda z: read({**wanted, "Z": z}))
        plane, found = reduce_focus(stack, wanted.get("Z", 0))
        if pictures:
            refuse_no_picture(plane)
        return plane, {**wanted, "Z": found} if "Z" in wanted else wanted

    return read_wanted


def _plane_reader(
    image: TiffImage, layout: Layout, reading: ReadingSettings, warnings: list[str]
) -> PlaneReader:
    """Return what reads one plane of grey and adds what is to be said of it."""
    apart = len(image.series) > 1
    inner = Layout(layout.axes[1:], layout.shape[1:]) if apart else layout
    with refusing_damage():
        readers = [series_to_reader(one, inner) for one in image.series]

    def read(index: Index) -> npt.NDArray[Any]:
        with refusing_damage():
            samples = readers[index[layout.axes[0]] if apart else 0](index)
        plane, found = _samples_to_plane(samples, image, reading)
        warnings.extend(text for text in found if text not in warnings)
        return plane

    return read


def _samples_to_plane(
    samples: npt.NDArray[Any], image: TiffImage, reading: ReadingSettings
) -> tuple[npt.NDArray[Any], list[str]]:
    """Return a plane of grey and warnings from the samples of one plane of a TIFF file."""
    page = image.keyframe
    kind = page.photometric.name
    if kind == "MINISWHITE":
        samples = invert_polarity(samples, page.bitspersample)
    if kind == "PALETTE" and image.shows_colour:
        samples = apply_palette(samples, page.colormap, reading.colour)
    if samples.ndim == len("YX"):
        samples = samples[..., np.newaxis]
    colours = COLOUR_CHANNELS if image.shows_colour else 1
    return _colours_to_plane(samples, min(colours, samples.shape[-1]), reading)


def _colours_to_plane(
    samples: npt.NDArray[Any], colours: int, reading: ReadingSettings
) -> tuple[npt.NDArray[Any], list[str]]:
    """Return a plane of grey and warnings from colours and opacity (Y, X, S)."""
    visible, opacity_warnings = drop_alpha(samples, colours)
    grey = colours_to_grey(visible, reading.colour)
    plane, invalid_warnings = mend_invalid(grey, reading.invalid_share)
    native = narrow_integers(plane.astype(plane.dtype.newbyteorder("="), copy=False))
    return native, [*opacity_warnings, *invalid_warnings]


# --- PNG and JPEG --------------------------------------------------------------------------------


def _photograph_to_field(path: Path, mark: bytes, reading: ReadingSettings, labels: bool) -> Field:
    """Return the field of a PNG or JPEG file."""
    samples, kind_warning = read_photograph(path, mark)
    colours = COLOUR_CHANNELS if samples.shape[-1] >= COLOUR_CHANNELS else 1
    layout = Layout("YX", samples.shape[:2])
    indices = select_planes(layout, (), without_absent(layout, reading) if labels else reading)
    plane, warnings = _colours_to_plane(samples, colours, reading)
    if not labels:
        refuse_no_picture(plane)
    size, unknown = settle_pixel_size(None, reading.pixel_size_um)
    told = [kind_warning, *warnings, *unknown]
    return Field(plane[np.newaxis], indices, layout.axes, layout.shape, size, told)
