"""What a model's pictures are measured by while it is trained: a few pictures, a few real tiles.

Training may see training and validation tiles, never held-out ones. Pictures are compared by their
structure, without fine grain: what the autoencoder and the camera do to that, no step of the
training can mend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from pipeline_lib.evaluation.cmmd import to_unit_length
from pipeline_lib.evaluation.concept_metrics import shared_origins
from pipeline_lib.evaluation.copies import (
    TrainingFields,
    images_to_matches,
    similarities_to_copy_threshold,
)
from pipeline_lib.evaluation.dreambooth_scores import embeddings_to_diversity
from pipeline_lib.evaluation.image_sets import ImageSet
from pipeline_lib.evaluation.intervals import names_to_units
from pipeline_lib.evaluation.kernel_distance import (
    KernelSums,
    SummedSet,
    features_to_kernel_sums,
    features_to_summed_set,
    summed_sets_to_kernel_sums,
)
from pipeline_lib.evaluation.origins import IntArray, units_to_origins
from pipeline_lib.evaluation.registration import ReadyFields, fields_to_ready
from pipeline_lib.imaging.choices import even_choice
from pipeline_lib.imaging.views import View
from pipeline_lib.settings.evaluation import EvaluationSettings

Images = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]
Features = Callable[[Images], npt.NDArray[np.floating]]

FLOOR_TILES, FLOOR_DRAWS = 128, 200
FLOOR_QUANTILES = (0.05, 0.95)
SEARCHED_TILES = 32
CHANCE = 0.05
# Of the evaluation as it is by default: another choice there must train nothing anew.
RULES = EvaluationSettings()
ONE_PROMPT = 0


@dataclass(frozen=True)
class Measured:
    """What was found out about some pictures of one concept.

    Attributes
    ----------
    figures : dict
        By name; what could not be measured is not in it.
    left_out : tuple of tuple of float
        The distance with each picture, and with each validation field, left out in turn; none
        without a distance.
    excess_copies : int
        Copies of training images beyond what chance explains.
    """

    figures: dict[str, float]
    left_out: tuple[tuple[float, ...], ...]
    excess_copies: int


@dataclass(frozen=True)
class CopyRule:
    """The training fields, and from which similarity to them on a picture is a copy.

    Attributes
    ----------
    fields : TrainingFields
        That are searched.
    ready : ReadyFields
        Of them, for pictures of one side.
    views : tuple of View
        Flips and turns that count.
    threshold : float
        NaN without validation tiles: then nothing is called a copy.
    unseen : float
        Mean similarity of the validation tiles after the autoencoder, NaN without any.
    """

    fields: TrainingFields
    ready: ReadyFields
    views: tuple[View, ...]
    threshold: float
    unseen: float


@dataclass(frozen=True)
class Yardstick:
    """What the pictures of one concept are measured by.

    Attributes
    ----------
    validation : SummedSet or None
        Features of the validation tiles' structure; none of fewer than two tiles.
    diversity : float
        Of the validation tiles.
    floor : dict
        Figures of real training tiles in the place of the pictures.
    copies : CopyRule
        What a copy is.
    """

    validation: SummedSet | None
    diversity: float
    floor: dict[str, float]
    copies: CopyRule

    def measure(self, pictures: Images, features: npt.NDArray[np.floating]) -> Measured:
        """Measure pictures of the concept.

        Parameters
        ----------
        pictures : ndarray
            (N, Y, X) uint8, at least two; equal places are of equal keys at every step.
        features : ndarray
            (N, D) of their structure.

        Returns
        -------
        Measured
            ``training_similarity``: mean similarity to the likest place of the training fields;
            ``validation_similarity``: that of validation tiles after the autoencoder; ``copies``:
            share of copies. ``distance``: unbiased kernel distance to the validation tiles, with
            ``distance_error``, its standard error by the jackknife; ``floor_distance``,
            ``floor_low`` and ``floor_high``: of as many real training tiles, median and the
            quantiles 5 % and 95 % over random choices. ``diversity``: mean cosine distance between
            the pictures over that between validation tiles.
        """
        found, excess = self._search(pictures)
        if self.validation is None:
            return Measured(found, (), excess)
        numbers = np.arange(len(features))
        sums = summed_sets_to_kernel_sums(
            self.validation, features_to_summed_set(features, numbers)
        )
        left_out = sums_to_left_out(sums)
        diversity = embeddings_to_diversity(features, np.full(len(features), ONE_PROMPT))
        return Measured(
            found
            | {
                "distance": _of_all(sums),
                "distance_error": left_out_to_error(left_out),
                "diversity": diversity / self.diversity,
            }
            | self.floor,
            left_out,
            excess,
        )

    def _search(self, pictures: Images) -> tuple[dict[str, float], int]:
        """Look for the pictures in the training fields."""
        rule = self.copies
        matches = images_to_matches(pictures, rule.fields, rule.views, rule.ready)
        found = {"training_similarity": float(matches.similarities.mean())}
        if np.isnan(rule.threshold):
            return found, 0
        count = int((matches.similarities >= rule.threshold).sum())
        found |= {"validation_similarity": rule.unseen, "copies": count / len(pictures)}
        return found, max(0, count - chance_copies(len(pictures)))


def chance_copies(count: int) -> int:
    """Return how many of some pictures may be called copies by chance: 95 % of sets have no more.

    Parameters
    ----------
    count : int
        Pictures, none of them a copy; the threshold calls one in a hundred so.

    Returns
    -------
    int
        1 of 16, 2 of 64.
    """
    return int(binom.ppf(1 - CHANCE, count, 1 - RULES.copy_quantile))


def fields_to_copy_rule(
    fields: TrainingFields,
    views: tuple[View, ...],
    unseen: tuple[Images, Images],
    remembered: Images,
) -> CopyRule:
    """Set the similarity from which on a picture is a copy, as the evaluation does.

    Parameters
    ----------
    fields : TrainingFields
        What the model was trained on.
    views : tuple of View
        Flips and turns that count.
    unseen : tuple of ndarray
        Validation tiles, and validation tiles after the autoencoder; may be none.
    remembered : ndarray
        Training tiles after the autoencoder: what a perfect memory would draw.

    Returns
    -------
    CopyRule
        At most 32 tiles of each kind, spread evenly, set it.
    """
    ready = fields_to_ready(fields.kept, remembered.shape[1])
    null, decoded, known = (
        images_to_matches(
            images[even_choice(len(images), SEARCHED_TILES)], fields, views, ready
        ).similarities
        for images in (*unseen, remembered)
    )
    threshold = similarities_to_copy_threshold(
        np.concatenate([null, decoded]), known, RULES.copy_quantile, RULES.copy_similarity
    )
    mean = float(decoded.mean()) if len(decoded) else float("nan")
    return CopyRule(fields, ready, views, threshold, mean)


def tiles_to_yardstick(
    features: Features, train: ImageSet, validation: ImageSet, copies: CopyRule, count: int
) -> Yardstick:
    """Make the yardstick of one concept.

    Parameters
    ----------
    features : callable
        Features of the images' structure.
    train, validation : ImageSet
        Real tiles; validation tiles may be none.
    copies : CopyRule
        Of `fields_to_copy_rule`.
    count : int
        Pictures that will be measured at once.

    Returns
    -------
    Yardstick
        Without distances where there are fewer than two validation tiles.
    """
    if len(validation) < 2:
        return Yardstick(None, float("nan"), {}, copies)
    known = features(validation.images)
    units = names_to_units(validation.groups, validation.sources)
    chosen = train.take(even_choice(len(train), FLOOR_TILES))
    return Yardstick(
        validation=features_to_summed_set(known, units),
        diversity=embeddings_to_diversity(
            known, np.full(len(known), ONE_PROMPT), units_to_origins(units, units)[0]
        ),
        floor=tiles_to_floor(features(chosen.images), chosen, known, validation, count),
        copies=copies,
    )


def tiles_to_floor(
    features: npt.NDArray[np.floating],
    train: ImageSet,
    known: npt.NDArray[np.floating],
    validation: ImageSet,
    count: int,
) -> dict[str, float]:
    """Return how far real training tiles lie from the validation tiles, as few as pictures are.

    Parameters
    ----------
    features, known : ndarray
        (K, D) and (N, D) of training and validation tiles.
    train, validation : ImageSet
        The tiles.
    count : int
        How many training tiles are drawn at once, of all if there are not more.

    Returns
    -------
    dict
        ``floor_distance``, ``floor_low`` and ``floor_high``: median and the quantiles 5 % and 95 %
        over random choices; nothing where no pair is left.
    """
    origins = shared_origins(validation, train) or _own_origins(validation, train)
    sums = features_to_kernel_sums(
        known, features, np.zeros(len(known), int), np.arange(len(features)), *origins
    )
    generator = np.random.default_rng(0)
    drawn = np.zeros((FLOOR_DRAWS, len(features)), bool)
    for kept in drawn:
        kept[generator.permutation(len(features))[:count]] = True
    distances = np.array([sums.distance(np.ones(1, bool), kept) for kept in drawn])
    distances = distances[np.isfinite(distances)]
    if not len(distances):
        return {}
    low, middle, high = np.quantile(distances, (FLOOR_QUANTILES[0], 0.5, FLOOR_QUANTILES[1]))
    return {"floor_distance": float(middle), "floor_low": float(low), "floor_high": float(high)}


def _own_origins(validation: ImageSet, train: ImageSet) -> tuple[IntArray, IntArray]:
    """Return what the tiles were cut from, where no field is on both sides."""
    return units_to_origins(
        names_to_units(validation.groups, validation.sources),
        names_to_units(train.groups, train.sources),
    )


def features_to_drift(
    now: npt.NDArray[np.floating], before: npt.NDArray[np.floating]
) -> dict[str, float]:
    """Return how far pictures of the class moved from what the untrained model makes of it.

    Parameters
    ----------
    now, before : ndarray
        (N, D) features of pictures from equal keys, N at least 2.

    Returns
    -------
    dict
        ``drift``: mean cosine distance of a picture from its former self, over that of two former
        pictures: 0 for a class that is as it was, about 1 for one that is drawn anew, above 1 for
        one that has become something else. Nothing where the former pictures are all alike.
    """
    spread = embeddings_to_diversity(before, np.full(len(before), ONE_PROMPT))
    if not spread > 0:
        return {}
    # The half squared distance of unit vectors: exactly 0 for equal ones, as 1 - cos is not.
    apart = np.square(to_unit_length(now) - to_unit_length(before)).sum(axis=1) / 2
    return {"drift": float(apart.mean() / spread)}


def sums_to_left_out(sums: KernelSums) -> tuple[tuple[float, ...], ...]:
    """Return the distance with each unit left out in turn, first of the sample's, then of the rest.

    Parameters
    ----------
    sums : KernelSums
        Of at least three units of the sample.

    Returns
    -------
    tuple of tuple of float
        One tuple for the sample, and one for the reference where leaving out one of its units
        leaves pairs; a single field is what it is, and says nothing about others.
    """
    every = [np.ones(len(part.sums), bool) for part in (sums.sample, sums.reference)]
    without = [~np.eye(len(kept), dtype=bool) for kept in every]
    sample = tuple(sums.distance(every[1], kept) for kept in without[0])
    reference = tuple(sums.distance(kept, every[0]) for kept in without[1])
    return (sample, reference) if np.isfinite(reference).all() else (sample,)


def left_out_to_error(left_out: tuple[tuple[float, ...], ...]) -> float:
    """Return the standard error of a distance by the jackknife over both sides' units."""
    parts = [np.asarray(part) for part in left_out]
    variances = [(len(part) - 1) * part.var() for part in parts]
    return float(np.sqrt(np.sum(variances)))


def _of_all(sums: KernelSums) -> float:
    """Return the distance of all units."""
    return sums.distance(
        np.ones(len(sums.reference.sums), bool), np.ones(len(sums.sample.sums), bool)
    )
