"""Agreement between raters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Agreement:
    """How alike raters choose.

    Attributes
    ----------
    observed : float
        Share of agreeing pairs of raters, over trials.
    kappa : float
        0 where they agree as chance has it, 1 where always; NaN where all chose one position.
    trials : int
        Trials that all of them answered.
    """

    observed: float
    kappa: float
    trials: int


def choices_to_agreement(choices: npt.NDArray[np.integer], alternatives: int) -> Agreement:
    """Return Fleiss' kappa of chosen positions.

    Parameters
    ----------
    choices : ndarray of int
        (trials, raters), positions from 1; at least one trial and two raters.
    alternatives : int
        Positions.

    Returns
    -------
    Agreement
        After Fleiss 1971, Psychological Bulletin 76, 378.
    """
    trials, raters = choices.shape
    counts = (choices[:, :, None] == np.arange(1, alternatives + 1)).sum(axis=1)
    observed = float((counts * (counts - 1)).sum() / (trials * raters * (raters - 1)))
    chance = float(((counts.sum(axis=0) / (trials * raters)) ** 2).sum())
    kappa = (observed - chance) / (1 - chance) if chance < 1 else float("nan")
    return Agreement(observed, kappa, trials)
