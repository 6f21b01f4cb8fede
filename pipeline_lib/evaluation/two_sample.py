"""Classifier two-sample test: how well real and synthetic images can be told apart.

Lopez-Paz and Oquab 2017 (arXiv 1610.06545): a classifier learns to tell two sets apart, and its
accuracy on images that it has not seen is 1/2 for equal distributions and 1 for separate ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from pipeline_lib.evaluation.origins import default_origins

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer]

FOLDS = 5
COMPONENTS = 64
ITERATIONS = 1000
# Components with less than this share of the first one's variance are rounding alone.
ROUNDING = 1e-12


@dataclass(frozen=True)
class TwoSample:
    """How well a classifier tells two sets apart, on images that it has not seen.

    Attributes
    ----------
    accuracy : float
        Mean of the shares of reference and of sample that are told rightly, 0 to 1; NaN where no
        folds can be made.
    area : float
        Area under the receiver operating characteristic, mean over the folds; 0 to 1.
    folds : int
        Number of folds, 0 where none can be made.
    """

    accuracy: float
    area: float
    folds: int


def features_to_two_sample(
    reference: npt.ArrayLike,
    sample: npt.ArrayLike,
    reference_origins: IntArray | None = None,
    sample_origins: IntArray | None = None,
) -> TwoSample:
    """Tell two feature sets apart by logistic regression, in folds that tear no origin apart.

    Parameters
    ----------
    reference, sample : array
        (N, D) and (M, D) features.
    reference_origins, sample_origins : ndarray of int, optional
        (N,) and (M,) in one numbering: what each image was made from. All images of one origin, on
        both sides, are in one fold. Without them each image is an origin of its own.

    Returns
    -------
    TwoSample
        The same for any number of threads.

    Notes
    -----
    **A fold never has a field in training and in test.** A classifier knows a field by its look,
    and calls a tile real because it has seen that field, not because it is real. A tile of a field
    that it has not seen is drawn as a synthetic image of a perfect model is, so that the accuracy
    is 1/2 on average however few the fields are.

    The features are standardised, turned to at most 64 principal components and those scaled to one
    variance, each within the training folds alone. A thousand features of a hundred tiles are told
    apart by chance, and components bound the time of a fit. A difference beyond the first 64
    components goes unseen. Both sets weigh the same, whatever their numbers.

    No p-value: the binomial one holds for independent images, and tiles of one field are not; a
    permutation of fields has no more than a handful of outcomes.
    """
    x, y = np.asarray(reference, np.float64), np.asarray(sample, np.float64)
    origins = np.concatenate(default_origins(len(x), len(y), reference_origins, sample_origins))
    features, labels = np.concatenate([x, y]), np.repeat([0, 1], [len(x), len(y)])
    folds = origins_to_folds(labels, origins)
    if not folds:
        return TwoSample(float("nan"), float("nan"), 0)
    # One thread: sums in another order would end in another coefficient, and a tile on the border.
    with threadpool_limits(limits=1):
        scores = [_score_fold(features, labels, test) for test in folds]
    accuracy, area = np.mean(scores, axis=0)
    return TwoSample(float(accuracy), float(area), len(folds))


def origins_to_folds(labels: IntArray, origins: IntArray) -> list[IntArray]:
    """Share out images over at most five folds, no origin over two of them.

    Parameters
    ----------
    labels : ndarray of int
        (K,) set of each image, 0 or 1.
    origins : ndarray of int
        (K,) what each was made from.

    Returns
    -------
    list of ndarray of int
        The images of each fold, both sets in each; as many folds as can be had, none if not even
        two.
    """
    for count in range(min(FOLDS, _fewest_origins(labels, origins)), 1, -1):
        folds = list(_split(labels, origins, count))
        if all(len(set(labels[fold].tolist())) == 2 for fold in folds):
            return folds
    return []


def _split(labels: IntArray, origins: IntArray, count: int) -> Iterator[IntArray]:
    """Yield the images of each fold, sets shared out as evenly as origins allow."""
    with warnings.catch_warnings():
        # It warns where a set has fewer images than folds, which is looked at by the caller.
        warnings.simplefilter("ignore", UserWarning)
        split = StratifiedGroupKFold(count).split(np.zeros(len(labels)), labels, origins)
        yield from (test for _, test in split)


def _fewest_origins(labels: IntArray, origins: IntArray) -> int:
    """Return the number of origins of the set that has the fewest."""
    return min(len(np.unique(origins[labels == label])) for label in (0, 1))


def _score_fold(features: FloatArray, labels: IntArray, test: IntArray) -> tuple[float, float]:
    """Return balanced accuracy and area under the curve of one fold."""
    train = np.setdiff1d(np.arange(len(labels)), test)
    components = _features_to_components(features, train)
    classifier = LogisticRegression(class_weight="balanced", max_iter=ITERATIONS)
    classifier.fit(components[train], labels[train])
    scores = classifier.decision_function(components[test])
    real, synthetic = scores[labels[test] == 0], scores[labels[test] == 1]
    # A score of exactly 0 speaks for neither: features without any difference give one half.
    shares = (
        np.mean((real < 0) + 0.5 * (real == 0)),
        np.mean((synthetic > 0) + 0.5 * (synthetic == 0)),
    )
    return float(np.mean(shares)), float(roc_auc_score(labels[test], scores))


def _features_to_components(features: FloatArray, train: IntArray) -> FloatArray:
    """Return principal components of variance 1 of all images, fitted on the training images."""
    count, dimensions = len(train), features.shape[1]
    # Both solvers are exact and need no seed; the covariance is the cheaper for many images.
    solver = "covariance_eigh" if count > dimensions else "full"
    components = PCA(min(COMPONENTS, count - 1, dimensions), svd_solver=solver)
    reduction = make_pipeline(StandardScaler(), components)
    with np.errstate(invalid="ignore"):  # shares of the variance of features that are all equal
        reduction.fit(features[train])
    variances = components.explained_variance_
    seen = variances > ROUNDING * max(variances.max(), 1.0)
    return reduction.transform(features) * np.where(
        seen, 1 / np.sqrt(np.where(seen, variances, 1)), 0
    )
