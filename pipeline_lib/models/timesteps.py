"""How often each time step is trained, and which are visited when pictures are drawn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from pipeline_lib.settings.base import UserError

SAMPLED_LOG_SNR = (-5.0, 6.5)


def spread_by_log_snr(
    kept: npt.NDArray[np.floating],
    mean: float = 0.0,
    deviation: float = 2.0,
    uniform: float = 0.125,
) -> npt.NDArray[np.int64]:
    """Spread time steps so that their logarithmic signal-to-noise ratio is normal.

    Uniform time steps spend most of their draws where pictures are nearly noise, and little where
    the shapes of things are settled (as in EDM, arXiv 2206.00364).

    Parameters
    ----------
    kept : ndarray of float, shape (timesteps,)
        Share of the signal's variance that each time step keeps, falling: `alphas_cumprod`.
    mean, deviation : float
        Of the natural logarithm of signal over noise variance.
    uniform : float
        0 to 1, the share of draws that stays uniform, so that no time step is forgotten.

    Returns
    -------
    ndarray of int64, shape (timesteps,)
        The time step at each of as many equally likely places, rising: a uniform draw of a place
        is a draw of a time step, and places spread evenly give time steps spread evenly.
    """
    share = np.clip(np.asarray(kept, np.float64), 1e-12, 1 - 1e-12)
    log_snr = np.log(share / (1 - share))
    between = (log_snr[:-1] + log_snr[1:]) / 2
    cumulative = np.append(stats.norm.sf(between, mean, deviation), 1.0)
    number = len(share)
    even = np.arange(1, number + 1) / number
    cumulative = (1 - uniform) * cumulative + uniform * even
    places = (np.arange(number) + 0.5) / number
    return np.searchsorted(cumulative, places)


def steps_to_timesteps(kept: npt.NDArray[np.floating], steps: int) -> npt.NDArray[np.int64]:
    """Spread denoising steps evenly over the logarithmic signal-to-noise ratio.

    Steps spread evenly over time jump over the end, where little noise is left and fine structure
    is settled: what a few of them draw lacks it (uniform logSNR of arXiv 2211.01095, section 6).

    Parameters
    ----------
    kept : ndarray of float, shape (timesteps,)
        Share of the signal's variance that each time step keeps, falling: `alphas_cumprod`.
    steps : int
        Denoising steps, 2 to the number of time steps.

    Returns
    -------
    ndarray of int64, shape (steps,)
        Time steps, falling, each once. The first is the noisiest of all; the others go from
        a ratio of exp(-5), where shapes begin to show, to exp(6.5), where nothing is left to do.

    Raises
    ------
    UserError
        If there are not so many time steps.
    """
    number = len(kept)
    if not 2 <= steps <= number:
        raise UserError(
            f"{steps} steps cannot be spread over the {number} time steps of the base model by "
            f"log-SNR; set `steps` of the sampler to 2 to {number}, or `spacing: model`"
        )
    share = np.clip(np.asarray(kept, np.float64), 1e-12, 1 - 1e-12)
    rising = np.log(share / (1 - share))[::-1]
    wanted = np.linspace(*SAMPLED_LOG_SNR, steps - 1)
    inner = number - 1 - np.rint(np.interp(wanted, rising, np.arange(number))).astype(np.int64)
    climbing = np.append(inner[::-1], number - 1)
    order = np.arange(steps)
    apart = np.maximum.accumulate(climbing - order) + order
    return np.minimum(apart, number - steps + order)[::-1].copy()
