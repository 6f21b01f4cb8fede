"""The pictures of the contact sheet: which ones, and the bar that says how large things are."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline_lib.randomness import key_of
from pipeline_lib.reporting.inputs import ConceptFiles

Images = npt.NDArray[np.uint8]
SEED = 0
LONGEST_SHARE = 0.4
ROUND_STEPS = (5, 2, 1)


@dataclass(frozen=True)
class ScaleBar:
    """A bar of round length: its share of the picture's width in percent, and its length."""

    percent: float
    words: str


def seeded_choice(count: int, chosen: int, *parts: str) -> npt.NDArray[np.int64]:
    """Draw pictures at random, the same ones each time.

    Parameters
    ----------
    count : int
        How many there are.
    chosen : int
        How many to take at most.
    *parts : str
        What tells this draw from others.

    Returns
    -------
    ndarray of int
        Distinct indices in order.
    """
    generator = np.random.Generator(np.random.Philox(key=key_of("page", SEED, *parts)))
    return np.sort(generator.choice(count, min(count, chosen), replace=False))


def concept_to_sheet_rows(name: str, files: ConceptFiles, shown: int) -> list[tuple[str, Images]]:
    """Choose the pictures of the contact sheet.

    Parameters
    ----------
    name : str
        The concept.
    files : ConceptFiles
        Its images.
    shown : int
        Pictures in a row.

    Returns
    -------
    list of (str, ndarray)
        Rows real, the same through the VAE, synthetic, untuned: label and stack at the tiles' own
        grey scale.
    """
    real = seeded_choice(len(files.holdout), shown, name)
    return [
        ("Real, held out", files.holdout[real]),
        ("The same, through the VAE", files.roundtrip[real]),
        ("Synthetic (tuned)", files.tuned.first[:shown]),
        ("Untuned base", files.untuned.first[:shown]),
    ]


def sizes_to_scale_bar(pixel_sizes_um: Iterable[float], width: int) -> ScaleBar | None:
    """Choose a bar of 1, 2 or 5 times a power of ten micrometres.

    Parameters
    ----------
    pixel_sizes_um : iterable of float
        Size of a pixel of each tile in micrometres, NaN where it is unknown.
    width : int
        Width of a tile in pixels.

    Returns
    -------
    ScaleBar or None
        The longest that takes at most two fifths of the width; none where a pixel size is unknown
        or tiles have several.
    """
    sizes = {float(size) for size in pixel_sizes_um}
    if len(sizes) != 1 or not math.isfinite(size := sizes.pop()) or size <= 0:
        return None
    longest = LONGEST_SHARE * width * size
    power = 10.0 ** math.floor(math.log10(longest))
    length = next(step * power for step in ROUND_STEPS if step * power <= longest or step == 1)
    words = f"{length:g} µm" if length >= 1 else f"{1000 * length:g} nm"
    return ScaleBar(round(100 * length / (width * size), 2), words)
