"""DreamBooth's own scores, on embeddings: likeness to the subject, to the prompt, and spread.

Ruiz et al. 2023 (arXiv 2208.12242): DINO and CLIP-I, CLIP-T, PRES and DIV. Which score it is, the
extractor says that made the embeddings. All are cosine similarities averaged over pairs, and such
a mean is the product of mean unit vectors: no pair is ever formed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.cmmd import to_unit_length
from pipeline_lib.settings import UserError

FloatArray = npt.NDArray[np.float64]


def embeddings_to_subject_fidelity(generated: npt.ArrayLike, real: npt.ArrayLike) -> float:
    """Return the mean cosine similarity of generated and real images of the subject.

    With DINO ViT-S/16 embeddings this is the paper's **DINO** score, with CLIP image embeddings its
    **CLIP-I** score.

    Parameters
    ----------
    generated, real : array
        (M, D) and (N, D) image embeddings by one extractor.

    Returns
    -------
    float
        -1 to 1, higher is more alike; NaN for an empty set.

    Raises
    ------
    UserError
        If the embeddings differ in length or one has no direction.
    """
    return _mean_similarity(generated, real)


def embeddings_to_prompt_fidelity(images: npt.ArrayLike, prompts: npt.ArrayLike) -> float:
    """Return the mean cosine similarity of generated images and their own prompts: **CLIP-T**.

    Parameters
    ----------
    images : array
        (M, D) CLIP image embeddings, after the projection that images and texts share.
    prompts : array
        (M, D) CLIP text embeddings, row i of the prompt of image i; or (1, D), one for all.

    Returns
    -------
    float
        -1 to 1, higher follows the prompt more closely; NaN without images.

    Raises
    ------
    UserError
        If the numbers or lengths do not fit, or an embedding has no direction.
    """
    pictures, texts = _to_alike_units(images, prompts)
    if len(texts) not in (1, len(pictures)):
        raise UserError(
            f"{len(pictures)} images and {len(texts)} prompts were given; needed is one prompt for "
            "each image, or one for all."
        )
    return float((pictures * texts).sum(axis=1).mean()) if len(pictures) else float("nan")


def embeddings_to_prior_preservation(class_images: npt.ArrayLike, real: npt.ArrayLike) -> float:
    """Return how like the subject random images of its class have become: **PRES**.

    Parameters
    ----------
    class_images : array
        (M, D) DINO embeddings of images that the tuned model makes of the class, without the
        identifier.
    real : array
        (N, D) DINO embeddings of real images of the subject.

    Returns
    -------
    float
        -1 to 1. Lower is better preserved: a high value says that the class has collapsed onto the
        subject. NaN for an empty set.

    Raises
    ------
    UserError
        If the embeddings differ in length or one has no direction.
    """
    return _mean_similarity(class_images, real)


def embeddings_to_diversity(generated: npt.ArrayLike, prompts: npt.ArrayLike) -> float:
    """Return how far apart images of one prompt lie, by 1 less their cosine similarity.

    The paper's DIV takes LPIPS distances, and this is not DIV: give the value with its extractor's
    name and never beside DIV.

    Parameters
    ----------
    generated : array
        (M, D) image embeddings.
    prompts : array
        (M,) which prompt each was made with.

    Returns
    -------
    float
        0 to 2: mean over all pairs of different images of one prompt, then over the prompts that
        have at least two images; higher is more diverse. NaN where none has.

    Raises
    ------
    UserError
        If there is not one prompt for each image, or an embedding has no direction.
    """
    rows, labels = to_unit_length(generated), np.asarray(prompts)
    if labels.shape != (len(rows),):
        raise UserError(
            f"{len(rows)} images and prompts of shape {labels.shape} were given; needed is one "
            "prompt for each image."
        )
    groups = [rows[labels == prompt] for prompt in np.unique(labels)]
    distances = [_mean_distance_within(group) for group in groups if len(group) > 1]
    return float(np.mean(distances)) if distances else float("nan")


def _mean_distance_within(rows: FloatArray) -> float:
    """Return the mean of 1 less the cosine similarity over pairs of different images."""
    count = len(rows)
    similarities = np.square(rows.sum(axis=0)).sum() - count
    return float(1 - similarities / (count * (count - 1)))


def _mean_similarity(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Return the mean cosine similarity over all pairs across two sets."""
    x, y = _to_alike_units(first, second)
    return float(x.mean(axis=0) @ y.mean(axis=0)) if len(x) and len(y) else float("nan")


def _to_alike_units(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return both sets as unit vectors of one number of dimensions."""
    x, y = to_unit_length(first), to_unit_length(second)
    if x.shape[1] != y.shape[1]:
        raise UserError(
            f"Embeddings of {x.shape[1]} and of {y.shape[1]} dimensions cannot be compared; give "
            "both sets from one extractor."
        )
    return x, y
