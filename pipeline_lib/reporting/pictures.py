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
BAR_MARGIN, BAR_HEIGHT = 0.06, 0.03  # shares of a picture's side


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


def concept_to_scale_bar(files: ConceptFiles) -> ScaleBar | None:
    """Choose the bar that says how large a concept's things are, none without one pixel size."""
    tables = (files.train_table, files.holdout_table)
    sizes = [size for table in tables for size in table["pixel_size_um"]]
    return sizes_to_scale_bar(sizes, files.train.shape[2])


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


def draw_scale_bar(images: Images, scale: ScaleBar) -> Images:
    """Draw a bar into the lower left corner of the first picture of a row.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, Y, X)
        Pictures; they are left as they are.
    scale : ScaleBar
        Its length.

    Returns
    -------
    ndarray of uint8, shape (N, Y, X)
        A copy, the bar white within a black line.
    """
    drawn = images.copy()
    rows, columns = images.shape[1:]
    margin = max(2, round(BAR_MARGIN * columns))
    height = max(2, round(BAR_HEIGHT * rows))
    length = max(1, round(scale.percent / 100 * columns))
    bottom, right = rows - margin, margin + length
    drawn[:1, bottom - height - 1 : bottom + 1, margin - 1 : right + 1] = 0
    drawn[:1, bottom - height : bottom, margin:right] = 255
    return drawn
