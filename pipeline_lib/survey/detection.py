"""Sensitivity in forced choice: the d' of an observer who is right this often."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtri

# Beyond this d' the share of right answers differs from 0 or 1 by less than a float resolves.
FARTHEST = 12.0


@dataclass(frozen=True)
class Sensitivity:
    """A d', and whether the share it rests on was moved away from 0 or 1."""

    value: float
    corrected: bool


def d_prime_to_accuracy(d_prime: float, alternatives: int) -> float:
    """Return the share of right answers of an unbiased observer in forced choice.

    Parameters
    ----------
    d_prime : float
        Distance of the target's evidence from the others', in their standard deviation.
    alternatives : int
        2 or more pictures of which one is the target.

    Returns
    -------
    float
        The chance that the target's evidence is the largest: the integral of
        ``phi(x - d') Phi(x)**(m - 1)`` over x (Green and Swets 1966; tables in Hacker and Ratcliff
        1979, Perception & Psychophysics 26, 168). 1 / m at 0.
    """

    def density(x: float) -> float:
        exponent = -0.5 * (x - d_prime) ** 2 + (alternatives - 1) * log_ndtr(x)
        return math.exp(exponent) / math.sqrt(2 * math.pi)

    value, _ = quad(density, d_prime - 9, d_prime + 9, epsabs=1e-12, epsrel=1e-10, limit=200)
    return min(value, 1.0)


def accuracy_to_d_prime(accuracy: float, alternatives: int) -> float:
    """Return the d' of an unbiased observer.

    Parameters
    ----------
    accuracy : float
        Share of right answers, 0 to 1.
    alternatives : int
        Pictures of a trial.

    Returns
    -------
    float
        ``sqrt(2) * z(accuracy)`` with two pictures, the inverse of `d_prime_to_accuracy` with more;
        0 at chance, negative below, infinite at 0 and 1.
    """
    if accuracy in (0, 1):
        return math.inf if accuracy else -math.inf
    if alternatives == 2:
        return float(math.sqrt(2) * ndtri(accuracy))
    return float(
        brentq(
            lambda d_prime: d_prime_to_accuracy(d_prime, alternatives) - accuracy,
            -FARTHEST,
            FARTHEST,
            xtol=1e-10,
        )
    )


def answers_to_sensitivity(correct: int, answered: int, alternatives: int) -> Sensitivity:
    """Return the d' of counted answers.

    Parameters
    ----------
    correct, answered : int
        Right answers and all.
    alternatives : int
        Pictures of a trial.

    Returns
    -------
    Sensitivity
        Finite: none right counts as half an answer right, all right as half an answer wrong
        (Macmillan and Kaplan 1985, Psychological Bulletin 98, 185), and is marked as corrected.
    """
    accuracy = float(np.clip(correct / answered, 0.5 / answered, 1 - 0.5 / answered))
    return Sensitivity(accuracy_to_d_prime(accuracy, alternatives), correct in (0, answered))
