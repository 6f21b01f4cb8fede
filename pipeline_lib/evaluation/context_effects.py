"""What the words of a prompt move, and whether they are obeyed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline_lib.evaluation.effect_intervals import values_to_effect_estimate
from pipeline_lib.evaluation.entanglement import backgrounds_to_entanglement
from pipeline_lib.evaluation.intervals import (
    MINIMUM_UNITS,
    Estimate,
    images_to_blocks,
    jackknife_estimate,
)
from pipeline_lib.evaluation.object_comparisons import EFFECT_SIZES, values_to_effect

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Word = Literal["obeyed", "not", "the other way", "cannot tell"]
Wanted = Mapping[str, str]  # up or down, by property

SIGNS = {"up": 1, "down": -1}
# An effect up to this is small at most: an interval that ends before it says that nothing more than
# that can have happened.
SMALL = EFFECT_SIZES["small"]


@dataclass(frozen=True)
class Effect:
    """How a prompt moved a property against the neutral prompt.

    Attributes
    ----------
    estimate : Estimate
        Cliff's delta, -1 to 1, with its interval.
    counts : tuple of int
        Images of the neutral prompt and of this one in which the property could be measured.
    means : tuple of float
        Its means over them.
    """

    estimate: Estimate
    counts: tuple[int, int]
    means: tuple[float, float]

    def word(self, wanted: str) -> Word:
        """Say whether the words were obeyed.

        Parameters
        ----------
        wanted : str
            ``up`` or ``down``.

        Returns
        -------
        str
            ``obeyed`` and ``the other way`` where the interval lies on one side of 0; ``not`` where
            it holds 0 and no more than a small effect in the wanted direction; else, and without an
            interval, ``cannot tell``.
        """
        low, high = sorted(SIGNS[wanted] * end for end in (self.estimate.low, self.estimate.high))
        if np.isnan(low) or np.isnan(high):
            return "cannot tell"
        if low > 0:
            return "obeyed"
        if high < 0:
            return "the other way"
        return "not" if high < SMALL else "cannot tell"


def values_to_context_effect(neutral: Array, values: Array, confidence: float) -> Effect:
    """Compare a property of the images of a prompt with that of the neutral prompt's.

    Parameters
    ----------
    neutral, values : ndarray
        (N,) and (M,), one for each image, NaN where it could not be measured.
    confidence : float
        Level of the interval.

    Returns
    -------
    Effect
        Without an interval where fewer than five images are left on a side.
    """
    kept = [one[np.isfinite(one)] for one in (neutral, values)]
    counts = (len(kept[0]), len(kept[1]))
    means = tuple(float(one.mean()) if len(one) else float("nan") for one in kept)
    return Effect(values_to_effect_estimate(*kept, confidence), counts, (means[0], means[1]))


@dataclass(frozen=True)
class Drawn:
    """The properties of one model's images: of the neutral prompt, and by prompt.

    Attributes
    ----------
    neutral : DataFrame
        A row for each image, a column for each property.
    prompts : mapping of DataFrame
        The same by prompt.
    """

    neutral: pd.DataFrame
    prompts: Mapping[str, pd.DataFrame]

    def effect(self, prompt: str, name: str, confidence: float) -> Effect:
        """Return how a prompt moved a property."""
        return values_to_context_effect(
            self.neutral[name].to_numpy(float),
            self.prompts[prompt][name].to_numpy(float),
            confidence,
        )


def drawn_to_obedience(
    models: Sequence[Drawn], wanted: Mapping[str, Wanted], confidence: float
) -> Estimate:
    """Return how far prompts move what they should, or how much farther than with another model.

    Parameters
    ----------
    models : sequence of Drawn
        One model, or two of which the second is taken away.
    wanted : mapping
        Direction by property, by prompt; prompts without any do not count.
    confidence : float
        Level of the interval.

    Returns
    -------
    Estimate
        Mean over the prompts of the mean of their effects, each counted in its wanted direction:
        1 where every image differs from all neutral ones as it should, 0 where words do nothing.
        The interval is over images, not over prompts; NaN where one set has fewer than five.
    """
    asked = {prompt: own for prompt, own in wanted.items() if own}
    sets = [one for model in models for one in (model.neutral, *map(model.prompts.get, asked))]
    units = [images_to_blocks(len(one)) for one in sets]
    columns = [
        {name: one[name].to_numpy(float) for own in asked.values() for name in own} for one in sets
    ]
    size = 1 + len(asked)

    def statistic(*chosen: BoolArray) -> float:
        kept = [
            {name: values[mask[unit]] for name, values in own.items()}
            for own, mask, unit in zip(columns, chosen, units, strict=True)
        ]
        parts = [kept[first : first + size] for first in range(0, len(kept), size)]
        found = [_obedience(part[0], part[1:], list(asked.values())) for part in parts]
        return found[0] - sum(found[1:])

    counts = [int(one.max(initial=-1)) + 1 for one in units]
    if not asked or min(counts) < MINIMUM_UNITS:
        return Estimate(float("nan"))
    return jackknife_estimate(statistic, counts, confidence)


def _obedience(
    neutral: Mapping[str, Array], prompts: Sequence[Mapping[str, Array]], wanted: Sequence[Wanted]
) -> float:
    """Return the mean effect in the wanted directions; what cannot be measured was not moved."""
    found = [
        np.mean([SIGNS[way] * _effect(neutral[name], own[name]) for name, way in asked.items()])
        for own, asked in zip(prompts, wanted, strict=True)
    ]
    return float(np.mean(found))


def _effect(neutral: Array, values: Array) -> float:
    """Return the effect of what could be measured, 0 where nothing could."""
    kept = (one[np.isfinite(one)] for one in (neutral, values))
    return float(np.nan_to_num(values_to_effect(*kept)))


def properties_to_entanglement(
    real: pd.DataFrame,
    class_images: pd.DataFrame,
    untuned: pd.DataFrame,
    tuned: pd.DataFrame,
    confidence: float,
) -> Estimate:
    """Return how far the class's background has moved towards the subject's.

    Parameters
    ----------
    real, class_images, untuned, tuned : DataFrame
        Properties of real tiles, and of the images of the class by the tuned model, of the class by
        the untuned base, and of the subject; with ``brightness`` and ``noise``.
    confidence : float
        Level of the interval.

    Returns
    -------
    Estimate
        As `entanglement.backgrounds_to_entanglement`; 0: left alone, 1: the subject's background.
    """
    names = ["brightness", "noise"]
    spread = real[names].std(ddof=0).clip(lower=0.5)
    sets = [(one[names] / spread).to_numpy(float) for one in (class_images, untuned, tuned)]
    units = [images_to_blocks(len(one)) for one in sets]

    def statistic(*chosen: BoolArray) -> float:
        kept = (rows[mask[unit]] for rows, mask, unit in zip(sets, chosen, units, strict=True))
        return backgrounds_to_entanglement(*kept)

    counts = [int(one.max(initial=-1)) + 1 for one in units]
    if min(counts) < 1:
        return Estimate(float("nan"))
    return jackknife_estimate(statistic, counts, confidence)
