"""What an autoencoder alone loses: real tiles beside what came back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.spectra import BANDS, images_to_mean_spectrum, spectra_to_band_ratio

WHITE = 255
PERFECT_DECIBELS = 99


def round_trip_figures(
    tiles: npt.NDArray[np.uint8], decoded: npt.NDArray[np.uint8]
) -> dict[str, Any]:
    """Say how much the autoencoder alone loses.

    Parameters
    ----------
    tiles, decoded : ndarray of uint8
        Tiles and their round trip, (tiles, side, side).

    Returns
    -------
    dict
        ``tiles``: how many. Of no tiles only that. Else ``psnr_db``: mean, lowest and highest peak
        signal-to-noise ratio of a tile (a perfect one counts as 99). ``power_kept``: see
        `band_power_ratios`. ``mean_grey_change``: in grey levels.
    """
    if not len(tiles):
        return {"tiles": 0}
    psnr = tiles_to_psnr(tiles, decoded)
    return {
        "tiles": len(tiles),
        "psnr_db": {
            "mean": float(psnr.mean()),
            "lowest": float(psnr.min()),
            "highest": float(psnr.max()),
        },
        "power_kept": band_power_ratios(tiles, decoded),
        "mean_grey_change": float((decoded.astype(np.float64) - tiles).mean()),
    }


def tiles_to_psnr(
    tiles: npt.NDArray[np.uint8], decoded: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float64]:
    """Return each tile's peak signal-to-noise ratio in decibels; a perfect one counts as 99."""
    difference = decoded.astype(np.float64) - tiles
    least = WHITE**2 / 10 ** (PERFECT_DECIBELS / 10)
    squared = np.maximum((difference**2).mean(axis=(1, 2)), least)
    return 10 * np.log10(WHITE**2 / squared)


def band_power_ratios(
    tiles: npt.NDArray[np.number], decoded: npt.NDArray[np.number]
) -> list[dict[str, float]]:
    """Return the ratio of power in octaves of spatial frequency, from low to high.

    Parameters
    ----------
    tiles, decoded : ndarray
        (tiles, side, side), at least one.

    Returns
    -------
    list of dict
        ``from`` and ``to`` in cycles a pixel, the last one ending at 0.5, and ``ratio``: power of
        the round trip over that of the tiles; 1 is lossless, below 1 is blur.
    """
    before, after = images_to_mean_spectrum(tiles), images_to_mean_spectrum(decoded)
    return [
        {
            "from": 1 / longest,
            "to": 1 / shortest,
            "ratio": spectra_to_band_ratio(before, after, (shortest, longest)),
        }
        for shortest, longest in reversed(BANDS)
    ]
