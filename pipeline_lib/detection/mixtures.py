"""What detectors are trained on: real and synthetic images in several shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline_lib.randomness import key_of
from pipeline_lib.settings.base import UserError

REAL, RELABELLED, SYNTHETIC = "real", "relabelled", "synthetic"
REPLACED, ADDED = "replaced", "added"
SEGMENTER = "segmenter"  # beside the sets: who labelled, trained on none of them
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Mixture:
    """A set of training images.

    Attributes
    ----------
    name : str
        ``real`` alone; ``relabelled``, the same images with the segmenter's labels; ``synthetic``
        alone; ``replaced``, synthetic ones in the place of a share of the real ones; ``added``, to
        all of them.
    share : float
        Synthetic images as a share of the number of real ones; 0 where that is not the point.
    """

    name: str
    share: float = 0.0


def shares_to_mixtures(shares: Sequence[float], known: bool) -> tuple[Mixture, ...]:
    """Return all sets to train on, the real ones alone first.

    Parameters
    ----------
    shares : sequence of float
        To replace, and to add.
    known : bool
        Whether objects of real training tiles are known; else their labels are the segmenter's
        anyway, and there is no set ``relabelled``.
    """
    alone = (REAL, RELABELLED, SYNTHETIC) if known else (REAL, SYNTHETIC)
    mixed = [Mixture(name, share) for name in (REPLACED, ADDED) for share in shares]
    return (*map(Mixture, alone), *mixed)


def mixture_to_places(
    mixture: Mixture, real: int, synthetic: int, seed: int
) -> tuple[Places, Places]:
    """Return which real and which synthetic images a set has.

    Parameters
    ----------
    mixture : Mixture
        The set.
    real, synthetic : int
        Numbers of images that there are.
    seed : int
        Decides which are taken; those of a smaller share are among those of a larger one.

    Returns
    -------
    pair of ndarray of int
        Ascending places of real and of synthetic images.

    Raises
    ------
    UserError
        If there are fewer synthetic images than the share asks for.
    """
    if mixture.name in (REAL, RELABELLED):
        return np.arange(real), np.arange(0)
    if mixture.name == SYNTHETIC:
        return np.arange(0), np.arange(synthetic)
    wanted = max(1, round(mixture.share * real))
    if wanted > synthetic:
        raise UserError(
            f"{mixture.name} {mixture.share:.0%} needs {wanted} synthetic images for {real} real "
            f"tiles, and {synthetic} can be used: raise `count` of the prompt in "
            f"`sampling: prompts`, lower `downstream: real_tiles`, or leave the share out of "
            "`downstream: shares`"
        )
    kept = real - wanted if mixture.name == REPLACED else real
    return _drawn(REAL, real, kept, seed), _drawn(SYNTHETIC, synthetic, wanted, seed)


def _drawn(what: str, count: int, taken: int, seed: int) -> Places:
    """Return the places of so many images, drawn without repeats."""
    order = sorted(range(count), key=lambda place: key_of("mixture", seed, what, place))
    return np.sort(np.array(order[:taken], np.int64))
