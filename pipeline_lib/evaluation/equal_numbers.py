"""Sets of images cut to one number, so that none compares better for having more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.intervals import MINIMUM_UNITS
from pipeline_lib.imaging.choices import even_choice

TRAIN, HOLDOUT = "train", "holdout"
JUDGED = ("tuned", "untuned", TRAIN, HOLDOUT)


class Cuttable(Protocol):
    """What has a length, and parts by number."""

    def __len__(self) -> int:
        """Return how many there are."""

    def take(self, numbers: npt.NDArray[np.integer], /) -> Self:
        """Return those with these numbers."""


Images = TypeVar("Images", bound=Cuttable)


def cut_to_equal(sets: Mapping[str, Images]) -> dict[str, Images]:
    """Cut all that is compared with the held-out tiles to one number of images.

    Parameters
    ----------
    sets : mapping
        By name: ``train`` and ``holdout``, ``tuned`` and ``untuned``, and others of synthetic
        images.

    Returns
    -------
    dict
        Synthetic images, the first, and training tiles, spread evenly, as many of each as of the
        smallest of these four; never more than held-out tiles, which are all there. Sets of fewer
        than five images, of which little can be said, do not cut the others.
    """
    count = equal_number([len(sets[name]) for name in JUDGED])
    return {
        name: one if name == HOLDOUT else one.take(_chosen(name, len(one), count))
        for name, one in sets.items()
    }


def _chosen(name: str, size: int, count: int) -> npt.NDArray[np.integer]:
    """Return the numbers of those that a set is cut to."""
    return even_choice(size, count) if name == TRAIN else np.arange(min(size, count))


def equal_number(sizes: Sequence[int]) -> int:
    """Return to how many images sets are cut that are compared with each other.

    Parameters
    ----------
    sizes : sequence of int
        Images of each set.

    Returns
    -------
    int
        As many as the smallest has; those of fewer than five images, of which little can be said,
        do not cut the others.
    """
    return min((size for size in sizes if size >= MINIMUM_UNITS), default=max(sizes))
