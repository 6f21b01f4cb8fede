"""Planes as a file holds them become planes of grey: polarity, palettes, colour, bad pixels."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipeline_lib.settings.base import UserError

LUMINANCE = (0.2125, 0.7154, 0.0721)
LUMINANCE_STEPS = 256  # of a colour table's range: what rounding of three channels may undo
COLOUR_CHANNELS = 3


def invert_polarity(plane: npt.NDArray[Any], bits: int) -> npt.NDArray[Any]:
    """Return a plane in which 0 was white with 0 as black.

    Parameters
    ----------
    plane : ndarray
        Values of a MINISWHITE image.
    bits : int
        Bits of a sample in the file; 12 in files of packed 12-bit samples.

    Returns
    -------
    ndarray
        The same type. Unsigned values v become 2**bits - 1 - v, signed ones -1 - v, which keeps
        the type's range, and real ones -v.
    """
    if plane.dtype.kind == "u":
        return (2**bits - 1) - plane
    return ~plane if plane.dtype.kind == "i" else -plane


def palette_is_display(palette: npt.NDArray[Any], imagej: bool) -> bool:
    """Tell whether a colour table only says how grey values are shown, so that indices are counts.

    Parameters
    ----------
    palette : ndarray
        (3, n): red, green and blue of every index.
    imagej : bool
        Whether ImageJ wrote the file. It stores the look-up table that a person looked through:
        rising or falling, and with ends of other colours where it marks saturated pixels (HiLo).

    Returns
    -------
    bool
        True for a ramp of grey or of a colour, none of whose three channels ever falls, and, in
        files of ImageJ, for any table whose luminance has one direction between its ends.
    """
    used = palette[:, : 1 + int(np.flatnonzero(palette.any(axis=0)).max(initial=0))]
    steps = np.diff(used.astype(np.int64))
    if (steps >= 0).all():
        return bool(steps.any())
    inner = np.diff(np.array(LUMINANCE) @ palette[:, 1:-1])
    tolerance = float(palette.max()) / LUMINANCE_STEPS
    one_direction = (inner >= -tolerance).all() or (inner <= tolerance).all()
    return imagej and bool(one_direction and np.abs(inner).max(initial=0) > 0)


def apply_palette(
    plane: npt.NDArray[Any], palette: npt.NDArray[Any], colour: Literal["refuse", "luminance"]
) -> npt.NDArray[Any]:
    """Return the colours of a plane of indices into a table that is no ramp.

    Parameters
    ----------
    plane : ndarray
        (Y, X) indices.
    palette : ndarray
        (3, n): red, green and blue of every index.
    colour : str
        Whether colours are wanted.

    Returns
    -------
    ndarray
        (Y, X, 3).

    Raises
    ------
    UserError
        If `colour` is ``refuse``: whether indices or colours are the picture is not known.
    """
    if colour == "refuse":
        raise UserError(
            "the image has a colour table that neither rises from dark to bright nor is one of "
            "ImageJ's, so that it is unknown whether its values or its colours are the picture; in "
            "Fiji choose Image > Lookup Tables > Grays and save it anew to use its values, or set "
            "`reading: colour: luminance` of the concept to use its colours' luminance"
        )
    return np.moveaxis(palette[:, plane], 0, -1)


def narrow_integers(plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return whole numbers of 64 bits in 32 bits; other planes as they are.

    Parameters
    ----------
    plane : ndarray
        Of any shape.

    Returns
    -------
    ndarray
        The same values.

    Raises
    ------
    UserError
        If 32 bits do not hold them.
    """
    if plane.dtype.kind not in "iu" or plane.dtype.itemsize <= np.dtype(np.int32).itemsize:
        return plane
    narrow = np.dtype(np.uint32 if plane.dtype.kind == "u" else np.int32)
    limits = np.iinfo(narrow)
    if plane.min() < limits.min or plane.max() > limits.max:
        raise UserError(
            f"the samples are of type {plane.dtype} and run from {plane.min()} to {plane.max()}, "
            "more than 32 bits hold; save the file with 16 or 32 bits a sample"
        )
    return plane.astype(narrow)


def drop_alpha(samples: npt.NDArray[Any], colours: int) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Return the colour samples of a plane without opacity.

    Parameters
    ----------
    samples : ndarray
        (Y, X, S), opacity after the colours.
    colours : int
        Number of colour samples, 1 or 3.

    Returns
    -------
    ndarray
        (Y, X, colours).
    tuple of str
        A warning if the picture was transparent in places.
    """
    opacity = samples[..., colours:]
    if opacity.size and opacity.min() != opacity.max():
        return samples[..., :colours], ("the image is transparent in places; opacity is ignored",)
    return samples[..., :colours], ()


def colours_to_grey(
    samples: npt.NDArray[Any], colour: Literal["refuse", "luminance"]
) -> npt.NDArray[Any]:
    """Return the grey of a plane of colours.

    Parameters
    ----------
    samples : ndarray
        (Y, X, 1) or (Y, X, 3).
    colour : str
        What to do if the three differ.

    Returns
    -------
    ndarray
        (Y, X), of the same type if the three are equal, else their luminance (ITU-R BT.709, as
        in ``skimage.color.rgb2gray``) as float32 on the same scale.

    Raises
    ------
    UserError
        If they differ and `colour` is ``refuse``.
    """
    first = samples[..., 0]
    if all(np.array_equal(first, samples[..., k]) for k in range(1, samples.shape[-1])):
        return first
    if colour == "refuse":
        raise UserError(
            "the image is in true colour; set `reading: colour: luminance` of the concept to use "
            "its luminance, or, if its three samples are planes of a stack, say so in `axes`"
        )
    return samples.astype(np.float32) @ np.array(LUMINANCE, np.float32)


def mend_invalid(
    plane: npt.NDArray[Any], accepted_share: float
) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Return a plane whose NaN and infinite pixels became its median.

    Parameters
    ----------
    plane : ndarray
        (Y, X).
    accepted_share : float
        Largest share of them that is mended.

    Returns
    -------
    ndarray
        (Y, X), finite.
    tuple of str
        A warning if there were any.

    Raises
    ------
    UserError
        If there are more.
    """
    if plane.dtype.kind != "f":
        return plane, ()
    finite = np.isfinite(plane)
    share = 1 - finite.mean()
    if share == 0:
        return plane, ()
    if share > accepted_share or share == 1:
        raise UserError(
            f"{share:.2%} of the pixels are NaN or infinite, accepted are {accepted_share:.2%}; "
            "mend the file, or raise `reading: invalid_share` of the concept"
        )
    mended = np.where(finite, plane, np.median(plane[finite]))
    return mended.astype(plane.dtype), (f"{share:.2%} of the pixels were NaN or infinite",)


def refuse_no_picture(plane: npt.NDArray[Any]) -> None:
    """Refuse a plane that is constant, or a mask of two values.

    Parameters
    ----------
    plane : ndarray
        (Y, X), finite.

    Raises
    ------
    UserError
        If it has fewer than three values.
    """
    low, high = plane.min(), plane.max()
    if low == high:
        raise UserError(
            f"all pixels are {low}: the image is constant; take it out of samples.tsv, or choose "
            "other time points in `t`"
        )
    if ((plane == low) | (plane == high)).all():
        raise UserError(
            f"the image has two values, {low} and {high}: it is a mask, not a picture; take it out "
            "of samples.tsv, or choose another `channel`"
        )
