"""How sure a share of right answers is, and how many more it takes."""

from __future__ import annotations

from scipy.stats import beta, binomtest

CONFIDENCE = 0.95
WORST = 0.5


def exact_interval(correct: int, answered: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a share (Clopper and Pearson 1934, Biometrika 26, 404)."""
    found = binomtest(correct, answered).proportion_ci(CONFIDENCE, method="exact")
    return float(found.low), float(found.high)


def exact_p_value(correct: int, answered: int, chance: float) -> float:
    """Return the two-sided p value of the exact binomial test against guessing."""
    return float(binomtest(correct, answered, chance).pvalue)


def interval_half_width(accuracy: float, answered: float) -> float:
    """Return half the length of the exact interval at a share that need not be a whole count.

    Parameters
    ----------
    accuracy : float
        0 to 1.
    answered : float
        More than 0.

    Returns
    -------
    float
        Falls with `answered`; the exact interval's where ``accuracy * answered`` is whole.
    """
    correct, tail = accuracy * answered, (1 - CONFIDENCE) / 2
    wrong = answered - correct
    low = beta.ppf(tail, correct, wrong + 1) if correct > 0 else 0.0
    high = beta.ppf(1 - tail, correct + 1, wrong) if wrong > 0 else 1.0
    return float(high - low) / 2


def needed_judgements(accuracy: float, half_width: float) -> int:
    """Return how many judgements the exact interval needs to be so narrow.

    Parameters
    ----------
    accuracy : float
        0 to 1; the most are needed at 0.5.
    half_width : float
        More than 0, below 0.5: 0.05 for plus or minus 5 points.

    Returns
    -------
    int
        The least number with `interval_half_width` at most `half_width`.
    """
    few, enough = 0, 1
    while interval_half_width(accuracy, enough) > half_width:
        few, enough = enough, 2 * enough
    while enough - few > 1:
        middle = (few + enough) // 2
        if interval_half_width(accuracy, middle) > half_width:
            few = middle
        else:
            enough = middle
    return enough


def judgements_to_come(correct: int, answered: int, half_width: float) -> tuple[int, int]:
    """Return how many judgements are still needed, at the share so far and at worst.

    Parameters
    ----------
    correct, answered : int
        So far.
    half_width : float
        As in `needed_judgements`.

    Returns
    -------
    pair of int
        0 where there are enough; the second is for a share of one half.
    """
    so_far, worst = (needed_judgements(a, half_width) for a in (correct / answered, WORST))
    return max(0, so_far - answered), max(0, worst - answered)
