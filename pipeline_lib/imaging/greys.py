"""Planes as a file holds them become planes of grey: polarity, palettes, colour, bad pixels."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipeline_lib.settings import UserError

LUMINANCE = (0.2125, 0.7154, 0.0721)
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


def apply_palette(plane: npt.NDArray[Any], palette: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the colours (Y, X, 3) of a plane of indices into a palette (3, n)."""
    return np.moveaxis(palette[:, plane], 0, -1)


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
