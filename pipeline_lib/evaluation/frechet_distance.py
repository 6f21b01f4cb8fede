"""Frechet distance of two feature sets, each taken as a Gaussian."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def features_to_frechet_distance(reference: npt.ArrayLike, sample: npt.ArrayLike) -> float:
    """Return the Frechet distance of the Gaussians fitted to two feature sets.

    Parameters
    ----------
    reference : array
        (N, D) features.
    sample : array
        (M, D) features.

    Returns
    -------
    float
        ``|mu1 - mu2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))``, never below 0; NaN with fewer than two
        images on a side. It is biased: it grows as N or M shrink.

    Notes
    -----
    With A and B the centred rows over ``sqrt(n - 1)``, so that ``S1 = A^T A``, the trace of the
    root is the sum of the singular values of ``A B^T``. That is exact for any N, M and D, squares
    no condition number and needs nothing added to a diagonal. Where both sides have more rows than
    columns, triangular factors take their place; where one has few, so has the product, of which
    the triangular factor has the same singular values.
    """
    x, y = np.asarray(reference, np.float64), np.asarray(sample, np.float64)
    if min(len(x), len(y)) < 2:
        return float("nan")
    a, b = _centred_rows(x), _centred_rows(y)
    if min(len(a), len(b)) > a.shape[1]:
        a, b = np.linalg.qr(a, mode="r"), np.linalg.qr(b, mode="r")
    means = np.square(x.mean(axis=0) - y.mean(axis=0)).sum()
    traces = np.square(a).sum() + np.square(b).sum()
    product = a @ b.T if len(a) >= len(b) else b @ a.T
    root_trace = np.linalg.svd(np.linalg.qr(product, mode="r"), compute_uv=False).sum()
    return max(float(means + traces - 2 * root_trace), 0.0)


def _centred_rows(features: FloatArray) -> FloatArray:
    """Return A with ``A^T A`` the covariance."""
    return (features - features.mean(axis=0)) / np.sqrt(len(features) - 1)


def is_rank_deficient(count: int, dimensions: int) -> bool:
    """Return whether a covariance of `count` images in so many dimensions cannot be of full rank.

    Parameters
    ----------
    count : int
        Images.
    dimensions : int
        Length of a feature vector.

    Returns
    -------
    bool
        True for ``count <= dimensions``.
    """
    return count <= dimensions
